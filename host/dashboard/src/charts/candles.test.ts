import { describe, expect, it } from 'vitest';
import type { LiveBar } from '../live/messages';
import { candlesOf, withBar, type Candle } from './candles';

const bar = (minute: number, open: number, close: number): LiveBar => ({
  instrument: 'BTC-USD',
  interval_seconds: 60,
  time: new Date(minute * 60_000).toISOString(),
  open,
  close,
  high: Math.max(open, close) + 1,
  low: Math.min(open, close) - 1,
  volume: 10,
});

describe('candles', () => {
  it('join bars of their interval', () => {
    const candles = candlesOf([bar(0, 5, 6), bar(4, 6, 9), bar(5, 9, 8)], 300);
    expect(candles).toHaveLength(2);
    expect(candles[0]).toMatchObject({ time: 0, open: 5, high: 10, low: 4, close: 9, volume: 20 });
  });

  it('grow with live bars, each counted once', () => {
    let last: Candle | null = null;
    let covered = 0;
    for (const next of [bar(0, 5, 6), bar(1, 6, 7), bar(1, 6, 7), bar(2, 7, 3)]) {
      const result = withBar(last, next, 300, covered);
      if (result) ({ candle: last, coveredUntil: covered } = result);
    }
    expect(last).toMatchObject({ time: 0, open: 5, close: 3, low: 2, high: 8, volume: 30 });
    expect(withBar(last, bar(5, 3, 4), 300, covered)?.candle).toMatchObject({
      time: 300,
      open: 3,
      volume: 10,
    });
  });

  it('leave alone what is older than they are', () => {
    const last = candlesOf([bar(10, 1, 2)], 300).at(-1) ?? null;
    expect(withBar(last, bar(4, 1, 2), 300, 0)).toBeNull();
  });
});

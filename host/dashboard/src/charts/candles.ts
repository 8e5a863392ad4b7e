/** Candles of any interval from base bars. */
import type { UTCTimestamp } from 'lightweight-charts';
import type { LiveBar } from '../live/messages';
import type { Bar } from '../api/documents';
import { chartTime } from './time';

export interface Candle {
  readonly time: UTCTimestamp;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

export const startOf = (time: number, interval: number): UTCTimestamp =>
  (Math.floor(time / interval) * interval) as UTCTimestamp;

/** Stored bars as candles, in order and each time once. */
export function candlesOf(bars: readonly Bar[], interval: number): Candle[] {
  const candles: Candle[] = [];
  for (const bar of bars) {
    const time = chartTime(bar.time);
    if (time === null) continue;
    const candle = { ...bar, time: startOf(time, interval) };
    const last = candles.at(-1);
    if (last && candle.time < last.time) continue;
    if (last?.time === candle.time) candles[candles.length - 1] = joined(last, candle);
    else candles.push(candle);
  }
  return candles;
}

/**
 * The candle that a base bar belongs to, with the bar in it. Null for a bar that the last candle has already, or
 * that is older: what was loaded may end with bars that are told once more.
 */
export function withBar(
  last: Candle | null,
  bar: LiveBar,
  interval: number,
  coveredUntil: number,
): { candle: Candle; coveredUntil: number } | null {
  const start = chartTime(bar.time);
  if (start === null || start < coveredUntil) return null;
  const candle: Candle = {
    time: startOf(start, interval),
    open: bar.open,
    high: bar.high,
    low: bar.low,
    close: bar.close,
    volume: bar.volume,
  };
  const end = start + bar.interval_seconds;
  if (!last || candle.time > last.time) return { candle, coveredUntil: end };
  if (candle.time < last.time) return null;
  return { candle: joined(last, candle), coveredUntil: end };
}

const joined = (a: Candle, b: Candle): Candle => ({
  time: a.time,
  open: a.open,
  high: Math.max(a.high, b.high),
  low: Math.min(a.low, b.low),
  close: b.close,
  volume: a.volume + b.volume,
});

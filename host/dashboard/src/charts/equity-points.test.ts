import { describe, expect, it } from 'vitest';
import { drawdowns, thinned, type Point } from './equity-points';

const points = (...values: number[]): Point[] => values.map((value, time) => ({ time, value }));

describe('drawdowns', () => {
  it('are measured from the highest so far', () => {
    expect(drawdowns(points(100, 120, 90, 130)).map((point) => point.value)).toEqual([0, 0, -0.25, 0]);
  });
});

describe('thinned points', () => {
  it('are in order, one for each second, the last of it', () => {
    const given = [
      { time: 1, value: 1 },
      { time: 1, value: 2 },
      { time: 0, value: 9 },
      { time: 3, value: 4 },
    ];
    expect(thinned(given, 10)).toEqual([
      { time: 1, value: 2 },
      { time: 3, value: 4 },
    ]);
  });

  it('keep the extremes and the ends', () => {
    const values = Array.from({ length: 10_000 }, (_, index) =>
      index === 4321 ? -500 : index === 777 ? 500 : 1,
    );
    const kept = thinned(points(...values), 300);
    expect(kept.length).toBeLessThan(320);
    expect(Math.min(...kept.map((point) => point.value))).toBe(-500);
    expect(Math.max(...kept.map((point) => point.value))).toBe(500);
    expect(kept[0]?.time).toBe(0);
    expect(kept.at(-1)?.time).toBe(9999);
  });
});

import { describe, expect, it } from 'vitest';
import { EquityCurve, type Point } from './equity-points';

const minutes = (...values: number[]): Point[] =>
  values.map((value, minute) => ({ time: minute * 60, value }));

describe('the equity curve', () => {
  it('measures drawdowns from the highest so far', () => {
    const steps = new EquityCurve(minutes(100, 120, 90, 130)).steps();
    expect(steps.map(({ equity }) => equity)).toEqual([100, 120, 90, 130]);
    expect(steps.map(({ drawdown }) => drawdown)).toEqual([0, 0, -0.25, 0]);
  });

  it('keeps the steps of which nothing is known, so that time passes evenly', () => {
    const curve = new EquityCurve([
      { time: 0, value: 1 },
      { time: 180, value: 2 },
    ]);
    expect(curve.steps().map(({ time, equity }) => [time, equity])).toEqual([
      [0, 1],
      [60, null],
      [120, null],
      [180, 2],
    ]);
  });

  it('tells only the steps that are new or changed', () => {
    const curve = new EquityCurve(minutes(1));
    expect(curve.add({ time: 30, value: 2 }).steps).toEqual([{ time: 0, equity: 2, drawdown: 0 }]);
    const { steps, all } = curve.add({ time: 190, value: 1 });
    expect(all).toBe(false);
    expect(steps.map(({ time, equity }) => [time, equity])).toEqual([
      [60, null],
      [120, null],
      [180, 1],
    ]);
  });

  it('leaves out what is older than the last', () => {
    const curve = new EquityCurve(minutes(1, 2));
    expect(curve.add({ time: 0, value: 9 }).steps).toEqual([]);
    expect(curve.steps()).toHaveLength(2);
  });

  it('grows coarser instead of longer, and keeps the deepest fall', () => {
    const curve = new EquityCurve([]);
    let coarser = false;
    for (let minute = 0; minute < 20_000; minute += 1) {
      coarser = curve.add({ time: minute * 60, value: minute === 4321 ? 50 : 100 }).all || coarser;
    }
    const steps = curve.steps();
    expect(coarser).toBe(true);
    expect(steps.length).toBeLessThanOrEqual(3001);
    expect(Math.min(...steps.map(({ drawdown }) => drawdown ?? 0))).toBe(-0.5);
    expect(steps.at(-1)?.equity).toBe(100);
  });
});

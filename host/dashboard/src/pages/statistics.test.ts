import { describe, expect, it } from 'vitest';
import { byTrading, curveFigures, histogram, monthlyReturns } from './statistics';

const day = 86_400;
const at = (date: string, value: number): { time: number; value: number } => ({
  time: Date.parse(date) / 1000,
  value,
});

describe('the curve of trading alone', () => {
  const curve = (values: readonly number[]): ReturnType<typeof at>[] =>
    values.map((value, index) => ({ time: index * day, value }));
  const following = (values: readonly number[]) =>
    curve(values).map((point, index) => ({ ...point, sequence: 10 * (index + 1) }));

  it('is the equity where nothing was brought', () => {
    expect(byTrading([], [])).toEqual([]);
    expect(byTrading(following([100, 120, 90]), [{ sequence: 10, value: 100 }])).toEqual(
      curve([100, 120, 90]),
    );
  });

  it('has neither gain nor fall where something was brought or taken', () => {
    const flows = [
      { sequence: 25, value: 100 },
      { sequence: 50, value: -116 },
    ];
    const values = byTrading(following([100, 110, 210, 231, 115]), flows).map(({ value }) => value);
    [100, 110, 110, 121, 121].forEach((expected, index) => expect(values[index]).toBeCloseTo(expected));
  });
});

describe('figures of the curve', () => {
  it('tell the return and the deepest fall', () => {
    const points = [100, 120, 90, 110].map((value, index) => ({ time: index * day, value }));
    const figures = curveFigures(points);
    expect(figures.totalReturn).toBeCloseTo(0.1);
    expect(figures.maxDrawdown).toBeCloseTo(0.25);
    expect(figures.days).toBe(3);
  });

  it('have no ratios without a spread', () => {
    expect(curveFigures([])).toMatchObject({ totalReturn: null, sharpe: null, sortino: null });
  });

  it('give each month its return on the month before', () => {
    const months = monthlyReturns([at('2026-01-02', 100), at('2026-01-31', 110), at('2026-02-20', 99)]);
    expect(months.map(({ period }) => period)).toEqual(['2026-01', '2026-02']);
    expect(months[0]?.value).toBeCloseTo(0.1);
    expect(months[1]?.value).toBeCloseTo(-0.1);
  });
});

describe('the distribution', () => {
  it('has an edge at zero and counts everything once', () => {
    const bins = histogram([-0.012, -0.001, 0.001, 0.004, 0.02], 10);
    expect(bins.some(({ from }) => Math.abs(from) < 1e-12)).toBe(true);
    expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(5);
  });

  it('is nothing of nothing', () => {
    expect(histogram([], 10)).toEqual([]);
  });
});

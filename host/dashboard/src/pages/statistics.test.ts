import { describe, expect, it } from 'vitest';
import type { Trade } from '../api/documents';
import { curveFigures, figuresBy, figuresOf, histogram, monthlyReturns } from './statistics';

const trade = (pnl: string, instrument = 'BTC-USD'): Trade => ({
  sequence: 1,
  strategy: 'momentum',
  instrument,
  side: 'buy',
  quantity: '1',
  entry_price: '100',
  exit_price: '101',
  entry_time: '2026-01-01T00:00:00Z',
  exit_time: '2026-01-01T01:00:00Z',
  fees: '0.1',
  pnl,
  exit_reason: 'order',
});

const day = 86_400;
const at = (date: string, value: number): { time: number; value: number } => ({
  time: Date.parse(date) / 1000,
  value,
});

describe('figures of trades', () => {
  it('are exact', () => {
    const figures = figuresOf([trade('0.1'), trade('0.2'), trade('-0.1'), trade('0')]);
    expect(figures).toMatchObject({
      trades: 4,
      wins: 2,
      losses: 1,
      pnl: '0.2',
      fees: '0.4',
      best: '0.2',
      worst: '-0.1',
    });
    expect(figures).toMatchObject({
      winRate: '0.5',
      profitFactor: '3',
      expectancy: '0.05',
      averageWin: '0.15',
    });
    expect(figures.held).toBe(3_600_000);
  });

  it('leave out what is not defined', () => {
    expect(figuresOf([])).toMatchObject({ winRate: null, profitFactor: null, best: null, held: null });
    expect(figuresOf([trade('1')]).profitFactor).toBeNull();
  });

  it('are told by group', () => {
    const groups = figuresBy([trade('1'), trade('2', 'ETH-USD'), trade('3')], ({ instrument }) => instrument);
    expect(groups.map(({ name, pnl }) => [name, pnl])).toEqual([
      ['BTC-USD', '4'],
      ['ETH-USD', '2'],
    ]);
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

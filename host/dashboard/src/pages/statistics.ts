/** Figures of the equity curve. Ratios are floats, as in the host's reports, whose formulas they follow. */
import type { Point } from '../charts/equity-points';

const DAY = 86_400;
const DAYS_OF_YEAR = 365;

/** A point of the equity, and the input that it follows. */
export interface EquityPoint extends Point {
  readonly sequence: number;
}

/** What the owner brought, or took away when negative. */
export interface Flow {
  readonly sequence: number;
  readonly value: number;
}

/**
 * The equity as it would be by trading alone: each stretch between two flows counts by its ratio, as in the API's
 * return. It begins at the first point; flows before that change nothing. Both are oldest first.
 */
export function byTrading(points: readonly EquityPoint[], flows: readonly Flow[]): Point[] {
  const [first] = points;
  if (!first) return [];
  const left = flows.filter(({ sequence }) => sequence > first.sequence);
  let since = { worth: first.value || 1, equity: first.value };
  return points.map(({ time, value, sequence }) => {
    let brought = 0;
    while (left[0] && left[0].sequence <= sequence) brought += left.shift()?.value ?? 0;
    // Of nothing there is no ratio.
    const worth = since.equity === 0 ? since.worth : since.worth * ((value - brought) / since.equity);
    if (brought !== 0 || since.equity === 0) since = { worth, equity: value };
    return { time, value: worth };
  });
}

/** The last value of each period that has one. */
function closes(points: readonly Point[], period: (time: number) => string): [string, number][] {
  const last = new Map<string, number>();
  for (const { time, value } of points) last.set(period(time), value);
  return [...last];
}

export interface PeriodReturn {
  readonly period: string;
  readonly value: number;
}

/** Each period's return on the close of the one before; the first's on the first value. */
function returnsBy(points: readonly Point[], period: (time: number) => string): PeriodReturn[] {
  let before = points[0]?.value ?? 0;
  return closes(points, period).flatMap(([name, close]) => {
    const value = before > 0 ? close / before - 1 : null;
    before = close;
    return value === null ? [] : [{ period: name, value }];
  });
}

const isoMonth = (time: number): string => new Date(time * 1000).toISOString().slice(0, 7);
const isoDay = (time: number): string => new Date(time * 1000).toISOString().slice(0, 10);

export const monthlyReturns = (points: readonly Point[]): PeriodReturn[] => returnsBy(points, isoMonth);
export const dailyReturns = (points: readonly Point[]): PeriodReturn[] => returnsBy(points, isoDay);

export interface CurveFigures {
  readonly totalReturn: number | null;
  readonly maxDrawdown: number;
  /** Annualised, of daily returns; null for fewer than two days or without any spread. */
  readonly sharpe: number | null;
  readonly sortino: number | null;
  readonly volatility: number | null;
  readonly days: number;
}

export function curveFigures(points: readonly Point[]): CurveFigures {
  const [first, last] = [points[0], points.at(-1)];
  let [peak, maxDrawdown] = [0, 0];
  for (const { value } of points) {
    peak = Math.max(peak, value);
    if (peak > 0) maxDrawdown = Math.max(maxDrawdown, 1 - value / peak);
  }
  const returns = dailyReturns(points).map(({ value }) => value);
  const count = returns.length;
  const mean = returns.reduce((sum, value) => sum + value, 0) / Math.max(1, count);
  const squares = returns.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const downside = Math.sqrt(
    returns.reduce((sum, value) => sum + Math.min(0, value) ** 2, 0) / Math.max(1, count),
  );
  const deviation = count > 1 ? Math.sqrt(squares / (count - 1)) : 0;
  const year = Math.sqrt(DAYS_OF_YEAR);
  return {
    totalReturn: first && last && first.value > 0 ? last.value / first.value - 1 : null,
    maxDrawdown,
    sharpe: deviation > 0 ? (mean / deviation) * year : null,
    sortino: count > 1 && downside > 0 ? (mean / downside) * year : null,
    volatility: deviation > 0 ? deviation * year : null,
    days: first && last ? (last.time - first.time) / DAY : 0,
  };
}

export interface Bin {
  readonly from: number;
  readonly until: number;
  readonly count: number;
}

/** Values in bins of one width with an edge at zero, so that no bin has gains and losses. */
export function histogram(values: readonly number[], about: number): Bin[] {
  if (values.length === 0) return [];
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const width = niceWidth((high - low) / about);
  const first = Math.floor(low / width);
  const bins = Math.max(1, Math.floor(high / width) - first + 1);
  const counts = Array.from({ length: bins }, () => 0);
  for (const value of values) {
    const place = Math.min(bins - 1, Math.max(0, Math.floor(value / width) - first));
    counts[place] = (counts[place] ?? 0) + 1;
  }
  return counts.map((count, index) => ({
    from: (first + index) * width,
    until: (first + index + 1) * width,
    count,
  }));
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function niceWidth(least: number): number {
  if (!(least > 0)) return 0.001;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10;
  return step * power;
}

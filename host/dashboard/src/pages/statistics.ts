/**
 * Figures of closed trades and of the equity curve. Amounts are exact; ratios that rest on many values, such as
 * Sharpe's, are floats, as in the host's reports, whose formulas they follow.
 */
import type { Trade } from '../api/documents';
import type { Point } from '../charts/equity-points';
import * as decimal from '../format/decimal';
import { milliseconds } from '../format/time';

export interface TradeFigures {
  readonly trades: number;
  readonly wins: number;
  readonly losses: number;
  readonly pnl: string;
  readonly fees: string;
  /** Wins as a part of trades; null without trades, as are the others. */
  readonly winRate: string | null;
  /** Sum of profits divided by sum of losses; null without losses. */
  readonly profitFactor: string | null;
  readonly expectancy: string | null;
  readonly averageWin: string | null;
  readonly averageLoss: string | null;
  readonly best: string | null;
  readonly worst: string | null;
  /** Mean time from entry to exit, in milliseconds. */
  readonly held: number | null;
}

const of = (text: string): decimal.Decimal => decimal.parse(text) ?? decimal.ZERO;
const whole = (count: number): decimal.Decimal => ({ units: BigInt(count), scale: 0 });

const ratio = (a: decimal.Decimal, b: decimal.Decimal): string | null => {
  const quotient = decimal.divide(a, b, 8);
  return quotient && decimal.text(quotient);
};

export function figuresOf(trades: readonly Trade[]): TradeFigures {
  let [pnl, fees, gains, falls] = [decimal.ZERO, decimal.ZERO, decimal.ZERO, decimal.ZERO];
  let [best, worst]: [decimal.Decimal | null, decimal.Decimal | null] = [null, null];
  let [wins, losses, held] = [0, 0, 0];
  for (const trade of trades) {
    const own = of(trade.pnl);
    pnl = decimal.add(pnl, own);
    fees = decimal.add(fees, of(trade.fees));
    if (decimal.sign(own) > 0) {
      wins += 1;
      gains = decimal.add(gains, own);
    } else if (decimal.sign(own) < 0) {
      losses += 1;
      falls = decimal.add(falls, decimal.negate(own));
    }
    if (!best || decimal.compare(own, best) > 0) best = own;
    if (!worst || decimal.compare(own, worst) < 0) worst = own;
    held += (milliseconds(trade.exit_time) ?? 0) - (milliseconds(trade.entry_time) ?? 0);
  }
  const count = whole(trades.length);
  return {
    trades: trades.length,
    wins,
    losses,
    pnl: decimal.text(pnl),
    fees: decimal.text(fees),
    winRate: ratio(whole(wins), count),
    profitFactor: ratio(gains, falls),
    expectancy: ratio(pnl, count),
    averageWin: ratio(gains, whole(wins)),
    averageLoss: ratio(falls, whole(losses)),
    best: best && decimal.text(best),
    worst: worst && decimal.text(worst),
    held: trades.length > 0 ? held / trades.length : null,
  };
}

/** The figures of each group, those with the most trades first. */
export function figuresBy(
  trades: readonly Trade[],
  key: (trade: Trade) => string,
): (TradeFigures & { readonly name: string })[] {
  const groups = new Map<string, Trade[]>();
  for (const trade of trades) {
    const group = groups.get(key(trade));
    if (group) group.push(trade);
    else groups.set(key(trade), [trade]);
  }
  return [...groups]
    .map(([name, members]) => ({ name, ...figuresOf(members) }))
    .sort((a, b) => b.trades - a.trades || a.name.localeCompare(b.name));
}

const DAY = 86_400;
const DAYS_OF_YEAR = 365;

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

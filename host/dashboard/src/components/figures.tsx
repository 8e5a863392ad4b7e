/** Numbers as they are shown everywhere: aligned digits, a unit, a sign where it matters. */
import type { ReactElement, ReactNode } from 'react';
import * as decimal from '../format/decimal';

/** What every account is kept in. */
export const CURRENCY = 'USD';

type Amount = string | number | null | undefined;

function read(value: Amount): decimal.Decimal | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'number' ? decimal.fromNumber(value) : decimal.parse(value);
}

const NONE = <span className="none">–</span>;

export function Unit({ children }: { children: ReactNode }): ReactElement {
  return <span className="unit">{children}</span>;
}

/** An amount of money. */
export function Money({
  value,
  unit = false,
  digits = 2,
}: {
  value: Amount;
  unit?: boolean;
  digits?: number;
}): ReactElement {
  const amount = read(value);
  if (!amount) return NONE;
  return (
    <span className="number">
      {decimal.format(amount, { digits })}
      {unit && <Unit>{CURRENCY}</Unit>}
    </span>
  );
}

/** A profit or a loss: sign, arrow and colour. */
export function Gain({
  value,
  unit = false,
  percent = false,
  digits = 2,
}: {
  value: Amount;
  unit?: boolean;
  /** The value is a ratio, shown in percent. */
  percent?: boolean;
  digits?: number;
}): ReactElement {
  const amount = read(value);
  if (!amount) return NONE;
  const shown = decimal.round(percent ? decimal.inPercent(amount) : amount, digits);
  const direction = decimal.sign(shown);
  const kind = direction > 0 ? 'gain' : direction < 0 ? 'loss' : 'flat';
  return (
    <span className={`number ${kind}`}>
      {direction !== 0 && (
        <span className="arrow" aria-hidden="true">
          {direction > 0 ? '▲' : '▼'}
        </span>
      )}
      {decimal.format(shown, { digits, signed: true })}
      {percent ? '\u2009%' : unit && <Unit>{CURRENCY}</Unit>}
    </span>
  );
}

/** A ratio such as 0.0123 as 1.23 %. */
export function Percent({ value, digits = 2 }: { value: Amount; digits?: number }): ReactElement {
  const ratio = read(value);
  if (!ratio) return NONE;
  return <span className="number">{decimal.format(decimal.inPercent(ratio), { digits })}&thinsp;%</span>;
}

/** A price, with as many digits as its size asks for. */
export function Price({ value }: { value: Amount }): ReactElement {
  const price = read(value);
  if (!price) return NONE;
  return <span className="number">{decimal.format(price, { digits: decimal.priceDigits(price) })}</span>;
}

/** A quantity of an instrument. */
export function Quantity({ value, digits = 6 }: { value: Amount; digits?: number }): ReactElement {
  const quantity = read(value);
  if (!quantity) return NONE;
  return <span className="number">{decimal.format(quantity, { digits })}</span>;
}

/** A whole number. */
export function Count({ value }: { value: number | null | undefined }): ReactElement {
  const count = read(value ?? null);
  if (!count) return NONE;
  return <span className="number">{decimal.format(count, { digits: 0 })}</span>;
}

/** 1,234,567 as 1.23 M. */
export function compact(value: number): string {
  for (const [size, unit] of [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (Math.abs(value) >= size) return `${(value / size).toFixed(2)}\u2009${unit}`;
  }
  return value.toFixed(0);
}

/** Buy or sell, told apart by more than colour. */
export function Side({ side }: { side: string }): ReactElement {
  const buys = side === 'buy' || side === 'long';
  return <span className={`side ${buys ? 'buys' : 'sells'}`}>{side}</span>;
}

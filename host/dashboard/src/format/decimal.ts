/**
 * Exact decimal numbers for what is shown. Amounts arrive as decimal strings, and a float would round some of
 * them; only the coordinates of charts are floats ([`toNumber`]).
 */

/** `units / 10^scale`. */
export interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

const PATTERN = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;

/** Reads a decimal string; null when it is none. */
export function parse(text: string | null | undefined): Decimal | null {
  const match = PATTERN.exec((text ?? '').trim());
  if (!match) return null;
  const [, sign, whole = '', fraction = '', exponent] = match;
  let units = BigInt(whole + fraction);
  let scale = fraction.length - (exponent ? Number(exponent) : 0);
  if (scale < 0) {
    units *= 10n ** BigInt(-scale);
    scale = 0;
  }
  return { units: sign === '-' ? -units : units, scale };
}

export const ZERO: Decimal = { units: 0n, scale: 0 };

const atScale = (value: Decimal, scale: number): bigint => value.units * 10n ** BigInt(scale - value.scale);

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return { units: atScale(a, scale) + atScale(b, scale), scale };
}

export const negate = (a: Decimal): Decimal => ({ units: -a.units, scale: a.scale });

export const subtract = (a: Decimal, b: Decimal): Decimal => add(a, negate(b));

export const multiply = (a: Decimal, b: Decimal): Decimal => ({
  units: a.units * b.units,
  scale: a.scale + b.scale,
});

/** `a / b` rounded to `scale` digits; null when `b` is zero. */
export function divide(a: Decimal, b: Decimal, scale: number): Decimal | null {
  if (b.units === 0n) return null;
  const numerator = a.units * 10n ** BigInt(Math.max(0, scale + b.scale - a.scale));
  const denominator = b.units * 10n ** BigInt(Math.max(0, a.scale - b.scale - scale));
  return { units: divideRounded(numerator, denominator), scale };
}

/** -1, 0 or 1. */
export function sign(a: Decimal): -1 | 0 | 1 {
  return a.units > 0n ? 1 : a.units < 0n ? -1 : 0;
}

export const compare = (a: Decimal, b: Decimal): -1 | 0 | 1 => sign(subtract(a, b));

/** Rounded half away from zero, as people round. */
export function round(a: Decimal, scale: number): Decimal {
  if (a.scale <= scale) return { units: atScale(a, scale), scale };
  return { units: divideRounded(a.units, 10n ** BigInt(a.scale - scale)), scale };
}

function divideRounded(a: bigint, b: bigint): bigint {
  const negative = a < 0n !== b < 0n;
  const [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  const quotient = (2n * x + y) / (2n * y);
  return negative ? -quotient : quotient;
}

/** As a plain decimal string, without trailing zeros. */
export function text(a: Decimal): string {
  const digits = (a.units < 0n ? -a.units : a.units).toString().padStart(a.scale + 1, '0');
  const whole = digits.slice(0, digits.length - a.scale);
  const fraction = digits.slice(digits.length - a.scale).replace(/0+$/, '');
  return (a.units < 0n ? '-' : '') + whole + (fraction && `.${fraction}`);
}

export interface DecimalStyle {
  /** Digits after the point; all that there are when left out. */
  readonly digits?: number;
  /** Shows a plus as well. */
  readonly signed?: boolean;
  /** Leaves out zeros at the end. */
  readonly trim?: boolean;
}

const MINUS = '\u2212';

/** With thousands apart and a real minus. Zero has no sign, also when it is rounded to it. */
export function format(a: Decimal, style: DecimalStyle = {}): string {
  const rounded = style.digits === undefined ? a : round(a, style.digits);
  const digits = (rounded.units < 0n ? -rounded.units : rounded.units)
    .toString()
    .padStart(rounded.scale + 1, '0');
  const whole = digits.slice(0, digits.length - rounded.scale).replace(/\B(?=(\d{3})+$)/g, ',');
  let fraction = digits.slice(digits.length - rounded.scale);
  if (style.trim) fraction = fraction.replace(/0+$/, '');
  const mark = rounded.units < 0n ? MINUS : style.signed && rounded.units > 0n ? '+' : '';
  return mark + whole + (fraction && `.${fraction}`);
}

/** A ratio such as 0.0123 as 1.23. */
export const inPercent = (ratio: Decimal): Decimal => ({ units: ratio.units * 100n, scale: ratio.scale });

/** What a float says, in the shortest way to write it; for ratios that arrive as numbers. */
export function fromNumber(value: number): Decimal | null {
  return Number.isFinite(value) ? parse(value.toString()) : null;
}

/** For the coordinates of charts and the lengths of bars only. */
export const toNumber = (a: Decimal): number => Number(text(a));

/** Digits that a price of this size is shown with: enough for five that matter, two for a large one. */
export function priceDigits(price: Decimal): number {
  const size = Math.abs(toNumber(price));
  if (size === 0 || size >= 1000) return 2;
  if (size >= 1) return 4;
  return Math.min(12, 4 - Math.floor(Math.log10(size)));
}

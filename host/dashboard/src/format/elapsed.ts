/** Lengths of time far below a second, with three digits: 850 ns, 12.3 µs, 4.56 ms. */

const UNITS = [
  [1e-6, 1e9, 'ns'],
  [1e-3, 1e6, 'µs'],
  [1, 1e3, 'ms'],
] as const;

export function elapsed(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return '–';
  const [, factor, unit] = UNITS.find(([below]) => seconds < below) ?? [Infinity, 1, 's'];
  const value = seconds * factor;
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(unit === 'ns' ? 0 : digits)}\u2009${unit}`;
}

/** Sharing the capital: weights as whole tenths of a percent, so that sliders and sums are exact. */
import * as decimal from '../format/decimal';

export const WHOLE = 1000;

/** A weight such as 0.25 as 250; rounded. */
export function toTenths(weight: string): number {
  const value = decimal.parse(weight);
  return value ? Number(decimal.round(value, 3).units) : 0;
}

/** 250 as the decimal string 0.25. */
export const fromTenths = (tenths: number): string => decimal.text({ units: BigInt(tenths), scale: 3 });

/** 12.5 typed by a person as 125; null when it is no percentage. */
export function tenthsOfPercent(text: string): number | null {
  const value = decimal.parse(text.trim().replace(',', '.'));
  if (!value) return null;
  const tenths = Number(decimal.round(value, 1).units);
  return tenths >= 0 && tenths <= WHOLE ? tenths : null;
}

/** What of `equity` a share is. */
export function shareOf(equity: string, tenths: number): string | null {
  const value = decimal.parse(equity);
  return value ? decimal.text(decimal.multiply(value, { units: BigInt(tenths), scale: 3 })) : null;
}

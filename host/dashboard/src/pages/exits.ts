/** The exits of a position as people write them, in percent and hours, and as the API takes them. */
import type { Schemas } from '../api/client';
import * as decimal from '../format/decimal';
import { milliseconds } from '../format/time';
import type { LivePosition } from '../live/messages';

export type ExitsBody = Schemas['ExitsBody'];

/** What was typed; empty for an exit that there is not to be. */
export interface TypedExits {
  readonly stopLoss: string;
  readonly breakeven: string;
  readonly trailing: string;
  readonly hours: string;
  readonly tiers: readonly { readonly gain: string; readonly share: string }[];
}

const HOUR = 3_600_000;

/** `a / b - 1` in percent with at most two digits. */
function percentAbove(a: string, b: string): string {
  const [x, y] = [decimal.parse(a), decimal.parse(b)];
  const ratio = x && y && decimal.divide(decimal.subtract(x, y), y, 4);
  return ratio ? decimal.text(decimal.inPercent(ratio)) : '';
}

const percentOf = (share: number): string => {
  const value = decimal.fromNumber(share);
  return value ? decimal.text(decimal.round(decimal.inPercent(value), 2)) : '';
};

/**
 * What a position's exits are, as far as prices tell: of the stops only the one in force is known, and a trailing stop's
 * distance is not.
 */
export function typedOf(position: LivePosition): TypedExits {
  const { stop, stop_kind: kind, entry, tiers, expires, opened } = position;
  const below = stop && kind === 'stop-loss' ? percentAbove(stop, entry).replace('-', '') : '';
  const [from, until] = [milliseconds(opened), milliseconds(expires)];
  return {
    stopLoss: below,
    breakeven: '',
    trailing: '',
    hours: from !== null && until !== null ? String(Math.round(((until - from) / HOUR) * 100) / 100) : '',
    tiers: tiers.map((tier) => ({ gain: percentAbove(tier.price, entry), share: percentOf(tier.share) })),
  };
}

/** A percentage as a fraction; null when it is empty. Throws what is wrong with it. */
function fraction(what: string, text: string, most: number): number | null {
  if (!text.trim()) return null;
  const value = decimal.parse(text);
  if (!value) throw new Error(`${what}: "${text}" is no number.`);
  const ratio = decimal.toNumber(decimal.multiply(value, { units: 1n, scale: 2 }));
  if (ratio <= 0 || ratio > most) throw new Error(`${what} must be above 0 and at most ${most * 100} %.`);
  return ratio;
}

/** What the API is asked for. Throws what is wrong. */
export function bodyOf(typed: TypedExits): ExitsBody {
  const hours = typed.hours.trim() ? Number(typed.hours) : null;
  if (hours !== null && !(hours > 0)) throw new Error('The longest holding must be more than 0 hours.');
  const tiers = typed.tiers
    .filter(({ gain, share }) => gain.trim() || share.trim())
    .map(({ gain, share }) => {
      const [above, part] = [fraction('A gain', gain, 1000), fraction('A share', share, 1)];
      if (above === null || part === null) throw new Error('A tier needs a gain and a share.');
      return { gain: above, share: part };
    })
    .sort((a, b) => a.gain - b.gain);
  return {
    stop_loss: fraction('The stop loss', typed.stopLoss, 1),
    breakeven: fraction('Breakeven', typed.breakeven, 1000),
    trailing: fraction('The trailing stop', typed.trailing, 1),
    max_holding_seconds: hours === null ? null : Math.round(hours * 3600),
    take_profits: tiers,
  };
}

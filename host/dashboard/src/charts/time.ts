import type { UTCTimestamp } from 'lightweight-charts';
import { milliseconds } from '../format/time';

/** The chart's time of an RFC 3339 text, in whole seconds. */
export function chartTime(text: string): UTCTimestamp | null {
  const value = milliseconds(text);
  return value === null ? null : (Math.floor(value / 1000) as UTCTimestamp);
}

/** Times: they arrive as RFC 3339 with nanoseconds and are shown in UTC, as the host's logs and reports are. */

const BEFORE_ALL = 'at the start';

const two = (value: number): string => value.toString().padStart(2, '0');

/** Milliseconds since 1970; null for what is no time. JavaScript reads no more than milliseconds. */
export function milliseconds(text: string | null | undefined): number | null {
  if (!text) return null;
  const value = Date.parse(text.replace(/(\.\d{3})\d+/, '$1'));
  return Number.isNaN(value) ? null : value;
}

const date = (at: Date): string =>
  `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
const clock = (at: Date): string =>
  `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;

/** `2026-05-03 14:05:09`. The zero of time stands for what was before the first event. */
export function dateTime(text: string | null | undefined): string {
  const value = milliseconds(text);
  if (value === null) return '\u2013';
  if (value === 0) return BEFORE_ALL;
  const at = new Date(value);
  return `${date(at)} ${clock(at)}`;
}

/** `05-03 14:05:09`, for narrow columns. */
export const shortDateTime = (text: string | null | undefined): string => {
  const full = dateTime(text);
  return full.length > 5 && full !== BEFORE_ALL ? full.slice(5) : full;
};

/** `14:05:09`. */
export function clockTime(text: string | null | undefined): string {
  const value = milliseconds(text);
  return value === null ? '\u2013' : clock(new Date(value));
}

/** A length of time in its two largest units: `2 d 4 h`, `3 m 20 s`. */
export function duration(length: number): string {
  const seconds = Math.max(0, Math.round(length / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

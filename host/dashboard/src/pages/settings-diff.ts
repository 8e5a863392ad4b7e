/** What changed between two versions of the settings. */
import { duration } from '../format/time';

export interface Difference {
  readonly path: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** What an element of a list is called: by its own name where it has one, so that a new one does not shift the others. */
function keyOf(index: string, element: unknown): string {
  if (typeof element === 'object' && element !== null) {
    const { symbol, name } = element as Record<string, unknown>;
    if (typeof symbol === 'string' && symbol) return symbol;
    if (typeof name === 'string' && name) return name;
  }
  return index;
}

function flatten(value: unknown, prefix: string, into: Map<string, string>): Map<string, string> {
  if (typeof value === 'object' && value !== null && !isListOfValues(value)) {
    const entries = Object.entries(value);
    if (entries.length === 0 && prefix) into.set(prefix, Array.isArray(value) ? '[]' : '{}');
    for (const [index, inner] of entries) {
      const key = Array.isArray(value) ? keyOf(index, inner) : index;
      flatten(inner, prefix ? `${prefix}.${key}` : key, into);
    }
  } else if (prefix) {
    into.set(prefix, shown(value));
  }
  return into;
}

/** Nanoseconds are the only whole numbers of this size in the settings; amounts are texts. */
const LEAST_SPAN = 1_000_000_000;

function shown(value: unknown): string {
  if (typeof value === 'string') return value || '\u2013';
  if (typeof value === 'number' && Number.isInteger(value) && value >= LEAST_SPAN)
    return duration(value / 1e6);
  return JSON.stringify(value);
}

const isListOfValues = (value: object): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((each) => typeof each !== 'object' || each === null);

/** Every setting by its path, in order. */
export const settingsOf = (settings: unknown): readonly (readonly [string, string])[] =>
  [...flatten(settings, '', new Map())].sort(([a], [b]) => a.localeCompare(b));

export function difference(before: unknown, after: unknown): Difference[] {
  const [old, now] = [flatten(before, '', new Map()), flatten(after, '', new Map())];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((path) => old.get(path) !== now.get(path))
    .sort()
    .map((path) => ({ path, before: old.get(path) ?? null, after: now.get(path) ?? null }));
}

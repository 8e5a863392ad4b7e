/** What changed between two versions of the settings. */
export interface Difference {
  readonly path: string;
  readonly before: string | null;
  readonly after: string | null;
}

function flatten(value: unknown, prefix: string, into: Map<string, string>): Map<string, string> {
  if (typeof value === 'object' && value !== null && !isListOfValues(value)) {
    const entries = Object.entries(value);
    if (entries.length === 0 && prefix) into.set(prefix, Array.isArray(value) ? '[]' : '{}');
    for (const [key, inner] of entries) flatten(inner, prefix ? `${prefix}.${key}` : key, into);
  } else if (prefix) {
    into.set(prefix, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return into;
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

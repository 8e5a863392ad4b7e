/** Pages by the fragment of the address, so that the host serves one document. */
import { createStore, useWhole } from './store';

export interface Route {
  /** The parts of the path, decoded; none for the first page. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

export function parseHash(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').filter(Boolean).map(decode);
  return { parts, query: new URLSearchParams(query) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const route = createStore<Route>(parseHash(location.hash));
addEventListener('hashchange', () => route.set(parseHash(location.hash)));

export const useRoute = (): Route => useWhole(route);

export function href(parts: readonly string[], query: Readonly<Record<string, string | null>> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
  const text = search.toString();
  return `#/${parts.map(encodeURIComponent).join('/')}${text && `?${text}`}`;
}

/** Changes the page's query without a step in the history. */
export function setQuery(change: Readonly<Record<string, string | null>>): void {
  const { parts, query } = route.get();
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(change)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  replace(href(parts, Object.fromEntries(next)));
}

/** Goes to another page in place of this one, which is found in the address and the history no more. */
export function replace(hash: string): void {
  history.replaceState(null, '', hash);
  route.set(parseHash(hash));
}

export function go(parts: readonly string[], query: Readonly<Record<string, string | null>> = {}): void {
  location.hash = href(parts, query);
}

/** Calls of the API. The session is a cookie that scripts can't read, so calls carry no secret. */
import { Problem, problemOf } from './problem';
import type { components } from './schema';

export type Schemas = components['schemas'];
export type ChangeState = Schemas['ChangeState'];

export interface PageOf<T> {
  readonly items: readonly T[];
  readonly next?: string | null;
}

export type Query = Readonly<Record<string, string | number | null | undefined>>;

let onUnauthorised: () => void = () => undefined;

/** What to do when the session turns out to be over. */
export function whenUnauthorised(action: () => void): void {
  onUnauthorised = action;
}

/** Relative, as a proxy may serve the page under a path. */
export function url(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return `api/v1/${path}${text && `?${text}`}`;
}

/** A path with each part encoded. */
export const path = (...parts: readonly (string | number)[]): string =>
  parts.map((part) => encodeURIComponent(part)).join('/');

async function send(method: string, address: string, options: RequestInit): Promise<Response> {
  const response = await fetch(address, { method, credentials: 'same-origin', ...options });
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401) onUnauthorised();
  throw problem;
}

export async function get<T>(address: string, query?: Query, signal?: AbortSignal): Promise<T> {
  const response = await send('GET', url(address, query), signal ? { signal } : {});
  return (await response.json()) as T;
}

/** A request that changes something of the host rather than of an account: it is answered at once. */
export async function call<T>(method: string, address: string, body?: unknown): Promise<T | null> {
  const headers: Record<string, string> = { 'idempotency-key': newKey() };
  const options: RequestInit = { headers };
  if (body instanceof Blob) {
    headers['content-type'] = 'application/wasm';
    options.body = body;
  } else if (body !== undefined) {
    headers['content-type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  const response = await send(method, url(address), options);
  const text = await response.text();
  return text ? (JSON.parse(text) as T) : null;
}

/** Most time that a change is waited for after the host said that it waits. */
const PATIENCE = 60_000;
const INTERVAL = 500;

/**
 * Asks for a change of an account and waits until the engine has applied it. Throws the problem when it is
 * refused.
 */
export async function change(address: string, body?: unknown, method = 'POST'): Promise<ChangeState> {
  let state = await call<ChangeState>(method, address, body);
  const until = Date.now() + PATIENCE;
  while (state?.state === 'waiting' && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    state = await get<ChangeState>(path('requests', state.request));
  }
  if (state === null) throw notApplied('The host answered with nothing.');
  if (state.state === 'waiting') {
    throw notApplied(
      `No host has taken up request ${state.request} yet. It stays in the queue and is applied once the account runs.`,
    );
  }
  if (state.state === 'refused') throw notApplied(state.reason ?? 'The engine refused it.');
  return state;
}

const notApplied = (detail: string): Problem => new Problem(422, 'about:blank', 'Not applied', detail, null);

/** A UUID; `randomUUID` is there on encrypted and local pages only. */
export function newKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Who is logged in, and what the role allows. */
import { call, get, whenUnauthorised } from './api/client';
import type { Role, Session } from './api/documents';
import { asProblem, type Problem } from './api/problem';
import { replace } from './router';
import { createStore, useWhole } from './store';
import { signIn, type Chain } from './wallet';

export type SessionState =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'none'; readonly why: string | null }
  | { readonly kind: 'unreachable'; readonly problem: Problem }
  | { readonly kind: 'open'; readonly session: Session };

export const session = createStore<SessionState>({ kind: 'unknown' });

whenUnauthorised(() => {
  if (session.get().kind === 'open')
    session.set({ kind: 'none', why: 'Your session has ended. Log in again.' });
});

const LINK = /^#\/login\?token=(.+)$/;

// The link is followed in a page that is open already.
addEventListener('hashchange', () => {
  if (LINK.test(location.hash)) void resume();
});

/** The token of a link such as the demo prints. It is behind the `#`, which no server is told of. */
function takeLinkedToken(): string | null {
  const token = LINK.exec(location.hash)?.[1];
  if (!token) return null;
  // Nobody finds it in the address or the history afterwards.
  replace('#/');
  return decodeURIComponent(token);
}

export async function resume(): Promise<void> {
  const token = takeLinkedToken();
  try {
    if (token) {
      await logIn(token);
      return;
    }
    session.set({ kind: 'open', session: await get<Session>('session') });
  } catch (error) {
    const problem = asProblem(error);
    const why = token ? 'The token of the link is not valid any more.' : null;
    session.set(problem.status === 401 ? { kind: 'none', why } : { kind: 'unreachable', problem });
  }
}

export async function logIn(token: string): Promise<void> {
  await call('POST', 'session', { token });
  session.set({ kind: 'open', session: await get<Session>('session') });
}

export async function logInWithWallet(chain: Chain): Promise<void> {
  await signIn(chain);
  session.set({ kind: 'open', session: await get<Session>('session') });
}

export async function logOut(): Promise<void> {
  try {
    await call('DELETE', 'session');
  } finally {
    session.set({ kind: 'none', why: null });
  }
}

/** The host renews the cookie when the page asks how its session stands. */
const RENEWED_EVERY = 5 * 60_000;
setInterval(() => {
  if (session.get().kind === 'open') void get<Session>('session').catch(() => undefined);
}, RENEWED_EVERY);

export function sessionEnded(): void {
  session.set({ kind: 'none', why: 'Your session has ended. Log in again.' });
}

const ROLES: readonly string[] = ['viewer', 'trader', 'operator', 'admin'];

export function allows(role: string, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** Null when the person may, or why not. What concerns all accounts is not for those who are bound to one. */
export function useForbidden(needed: Role, ofAllAccounts = false): string | null {
  const state = useWhole(session);
  if (state.kind !== 'open') return null;
  const { role, account } = state.session;
  if (!allows(role, needed)) return `This needs the role ${needed}; yours is ${role}.`;
  if (ofAllAccounts && account != null)
    return `This concerns all accounts; you are logged in for ${account} alone.`;
  return null;
}

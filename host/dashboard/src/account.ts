/** Which account the pages show. Kept in this browser. */
import { createStore } from './store';

const KEY = 'bulkhead-account';

export function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export const account = createStore<string | null>(null);

export function chooseAccount(name: string): void {
  account.set(name);
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

/** Light, dark, or as the system says. Kept in this browser. */
import { createStore } from './store';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'bulkhead-theme';

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system';
  }
}

export const theme = createStore<Theme>(stored());

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

/** Counts up whenever colours change, for charts that paint with them. */
export const palette = createStore(0);

function apply(): void {
  const chosen = theme.get();
  const dark = chosen === 'dark' || (chosen === 'system' && systemIsDark.matches);
  document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
  palette.set(palette.get() + 1);
}

export function startTheme(): void {
  systemIsDark.addEventListener('change', apply);
  apply();
}

export function chooseTheme(next: Theme): void {
  theme.set(next);
  try {
    if (next === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  apply();
}

/** A colour of the present theme. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** The pages in the order of the navigation. */
import type { IconName } from '../components/icons';

export interface PageEntry {
  readonly path: string;
  readonly title: string;
  readonly icon: IconName;
}

export const PAGES: readonly { readonly group: string; readonly pages: readonly PageEntry[] }[] = [
  {
    group: 'Trading',
    pages: [
      { path: '', title: 'Overview', icon: 'overview' },
      { path: 'market', title: 'Market', icon: 'market' },
      { path: 'strategies', title: 'Strategies', icon: 'strategies' },
      { path: 'positions', title: 'Positions', icon: 'positions' },
      { path: 'orders', title: 'Orders', icon: 'orders' },
      { path: 'trades', title: 'Trades', icon: 'trades' },
      { path: 'refusals', title: 'Refusals', icon: 'refusals' },
    ],
  },
  {
    group: 'Research',
    pages: [
      { path: 'analytics', title: 'Analytics', icon: 'analytics' },
      { path: 'backtest', title: 'Backtest', icon: 'backtest' },
    ],
  },
  {
    group: 'Host',
    pages: [
      { path: 'settings', title: 'Settings', icon: 'settings' },
      { path: 'alerts', title: 'Alerts', icon: 'alerts' },
      { path: 'audit', title: 'Audit', icon: 'audit' },
      { path: 'tokens', title: 'Tokens', icon: 'tokens' },
    ],
  },
];

/** What the bottom of a narrow screen has room for, besides the rest. */
export const BOTTOM: readonly string[] = ['', 'market', 'strategies', 'orders'];

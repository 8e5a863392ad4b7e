/** Line icons on a grid of 20, drawn with the text's colour. */
import type { ReactElement } from 'react';

const PATHS = {
  overview: 'M3 16.500h14M4.500 13V9.500M8.200 13V6M11.800 13V8.500M15.500 13V4',
  market: 'M6 3v3M6 13v4M4 6h4v7H4zM14 3v4M14 12v5M12 7h4v5h-4z',
  strategies:
    'M10 2.800 17 6.400 10 10 3 6.400zM3.200 10 10 13.500 16.800 10M3.200 13.600 10 17.100l6.800-3.500',
  positions:
    'M3.500 7.500h13v9h-13zM7 7.500V5.200C7 4.500 7.500 4 8.200 4h3.600c.7 0 1.200.5 1.200 1.200v2.300M3.500 11.500h13',
  orders: 'M4 5h12M4 10h12M4 15h7',
  trades: 'M4 7h11M12 4l3 3-3 3M16 13H5M8 10l-3 3 3 3',
  refusals:
    'M10 2.800l6 2.200v4.500c0 3.700-2.500 6.300-6 7.700-3.500-1.400-6-4-6-7.700V5zM7.800 8l4.400 4.400M12.200 8l-4.400 4.400',
  analytics: 'M10 3v7l5 5M10 3a7 7 0 1 0 7 7',
  backtest: 'M4 10a6 6 0 1 0 2-4.500M4 3.500V6.500h3M10 7v3.300l2.300 1.500',
  settings: 'M4 6h7M15 6h1M4 14h1M9 14h7M13 4.200v3.600M7 12.200v3.600',
  alerts: 'M5.500 14V9a4.500 4.500 0 0 1 9 0v5M3.500 14h13M8.500 16.800h3M10 3v1.500',
  audit: 'M5 3h7l3 3v11H5zM12 3v3h3M7.500 10h5M7.500 13h5',
  tokens: 'M12.500 4a3.500 3.500 0 1 1-3 5.300L4 14.800V17h2.500v-2H8.500v-2h2l.8-1.800',
  more: 'M4.500 10h.01M10 10h.01M15.500 10h.01',
  sun: 'M10 6.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7M10 2v1.500M10 16.500V18M2 10h1.500M16.500 10H18M4.300 4.300l1.100 1.100M14.600 14.600l1.100 1.100M15.700 4.300l-1.100 1.100M5.400 14.600l-1.100 1.100',
  moon: 'M16.500 12A7 7 0 0 1 8 3.500a7 7 0 1 0 8.500 8.500z',
  system: 'M3 4h14v9H3zM7.500 16.500h5M10 13v3.500',
  close: 'M5 5l10 10M15 5 5 15',
  logout: 'M12 6V4H4v12h8v-2M8.500 10H17M14 7l3 3-3 3',
  user: 'M10 3.500a3 3 0 1 0 0 6 3 3 0 0 0 0-6M4 16.500c.6-3 3-4.500 6-4.500s5.400 1.500 6 4.500',
  stop: 'M7 2.800h6L17.200 7v6L13 17.200H7L2.800 13V7zM7.500 7.500h5v5h-5z',
  play: 'M6.500 4.500 15 10l-8.500 5.500z',
  upload: 'M10 13V4M6.500 7.500 10 4l3.500 3.500M4 13v3h12v-3',
  download: 'M10 4v9M6.500 9.500 10 13l3.500-3.500M4 16.500h12',
  chevron: 'M7.500 5l5 5-5 5',
  check: 'M4.500 10.500l3.500 3.500 7.500-8',
  warning: 'M10 3 17.500 16.500h-15zM10 8v4M10 14.300v.01',
  refresh: 'M16 10a6 6 0 1 1-1.800-4.300M16 3v3.500h-3.500',
  copy: 'M7 7h9v9H7zM13 7V4H4v9h3',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }): ReactElement {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === 'more' ? 2.6 : 1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo(): ReactElement {
  return (
    <svg className="logo" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--brand)" />
      <path
        d="M7 8v16M13 8v16M19 8v16M25 8v16"
        stroke="#fff"
        strokeOpacity=".38"
        strokeWidth="2"
        strokeLinecap="round"
      />
      <path
        d="M5.500 20.500 13 14l6 4.500L26.500 10"
        fill="none"
        stroke="#fff"
        strokeWidth="2.600"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}

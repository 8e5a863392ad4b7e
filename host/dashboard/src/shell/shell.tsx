import { useEffect, useState, type ReactElement } from 'react';
import { account, chooseAccount, remembered } from '../account';
import { get } from '../api/client';
import type { Account, Session } from '../api/documents';
import { Badge, Select } from '../components/controls';
import { Empty, ProblemNote, Skeleton } from '../components/feedback';
import { Gain, Money } from '../components/figures';
import { Icon, Logo } from '../components/icons';
import { Overlay } from '../components/overlay';
import { failed } from '../components/toasts';
import * as decimal from '../format/decimal';
import { follow, useStream, useView } from '../live/live';
import type { StreamState } from '../live/stream';
import { useResource } from '../resource';
import { href, useRoute } from '../router';
import { logOut } from '../session';
import { useWhole } from '../store';
import { chooseTheme, theme, type Theme } from '../theme';
import { ConnectionBadge } from './connection-badge';
import { CurrentPage } from './current-page';
import { HaltButton, ResumeButton } from './kill-switch';
import { BOTTOM, PAGES } from './pages';

const isHaltedIn = (state: StreamState): boolean => state.view?.halted != null;

export function Shell({ session }: { session: Session }): ReactElement {
  const accounts = useResource('accounts', () => get<readonly Account[]>('accounts'));
  const chosen = useWhole(account);
  const names = accounts.data?.map(({ name }) => name) ?? null;
  const kept = remembered();
  const current = chosen ?? (kept && names?.includes(kept) ? kept : names?.[0]) ?? null;

  useEffect(() => (current === null ? undefined : follow(current)), [current]);

  const route = useRoute();
  const isHalted = useStream(isHaltedIn);
  useEffect(() => {
    const page = PAGES.flatMap(({ pages }) => pages).find(({ path }) => path === (route.parts[0] ?? ''));
    const parts = [isHalted ? 'Halted' : '', route.parts[1] ?? page?.title ?? '', 'Bulkhead'];
    document.title = parts.filter(Boolean).join(' \u00b7 ');
  }, [route, isHalted]);

  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={skipToMain}>
        Skip to the content
      </a>
      <Navigation />
      <Header session={session} accounts={names ?? []} current={current} />
      <main id="main" tabIndex={-1}>
        {accounts.problem && <ProblemNote problem={accounts.problem} retry={accounts.reload} />}
        {accounts.loading && <Skeleton height={320} />}
        {names?.length === 0 && (
          <Empty title="There is no account yet" icon="positions">
            Start the host once with <code>bulkhead run</code>; it makes the accounts that its configuration
            names.
          </Empty>
        )}
        {current !== null && (
          <>
            <HaltBanner account={current} />
            <CurrentPage key={current} account={current} />
          </>
        )}
      </main>
      <BottomNavigation session={session} />
    </div>
  );
}

/** The address's fragment is the page, so the link can't be followed as it is. */
function skipToMain(event: { preventDefault: () => void }): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

function Links({ only }: { only?: readonly string[] }): ReactElement {
  const { parts } = useRoute();
  const current = parts[0] ?? '';
  return (
    <>
      {PAGES.map(({ group, pages }) => (
        <div key={group} className="nav-group">
          <p className="nav-title">{group}</p>
          {pages
            .filter(({ path }) => !only || only.includes(path))
            .map(({ path, title, icon }) => (
              <a
                key={path}
                href={href(path ? [path] : [])}
                aria-current={current === path ? 'page' : undefined}
              >
                <Icon name={icon} />
                <span>{title}</span>
              </a>
            ))}
        </div>
      ))}
    </>
  );
}

function Navigation(): ReactElement {
  return (
    <nav className="side" aria-label="Pages">
      <a className="brand" href="#/" aria-label="Bulkhead, to the overview">
        <Logo />
        <span>Bulkhead</span>
      </a>
      <Links />
      <Attribution />
    </nav>
  );
}

/** The notice that the licence of the charts asks for, and the licences of all that is bundled. */
function Attribution(): ReactElement {
  return (
    <p className="attribution">
      Charts:{' '}
      <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
        TradingView Lightweight Charts™
      </a>
      , © 2026 TradingView, Inc.{' '}
      <a href="./licences.txt" target="_blank">
        Licences
      </a>
    </p>
  );
}

function BottomNavigation({ session }: { session: Session }): ReactElement {
  const { parts } = useRoute();
  const current = parts[0] ?? '';
  const [more, setMore] = useState(false);
  useEffect(() => setMore(false), [parts]);
  return (
    <nav className="bottom" aria-label="Pages">
      {PAGES.flatMap(({ pages }) => pages)
        .filter(({ path }) => BOTTOM.includes(path))
        .map(({ path, title, icon }) => (
          <a key={path} href={href(path ? [path] : [])} aria-current={current === path ? 'page' : undefined}>
            <Icon name={icon} size={20} />
            <span>{title}</span>
          </a>
        ))}
      <button
        type="button"
        aria-expanded={more}
        aria-current={BOTTOM.includes(current) ? undefined : 'page'}
        onClick={() => setMore(true)}
      >
        <Icon name="more" size={20} />
        <span>More</span>
      </button>
      {more && (
        <Overlay title="Pages" kind="drawer" onClose={() => setMore(false)}>
          <div className="more-links">
            <p className="faint">
              Logged in as <b>{session.name}</b>, {session.role}
            </p>
            <Links />
          </div>
          <Attribution />
        </Overlay>
      )}
    </nav>
  );
}

function Header({
  session,
  accounts,
  current,
}: {
  session: Session;
  accounts: readonly string[];
  current: string | null;
}): ReactElement {
  const view = useView();
  return (
    <header className="top">
      <a className="brand compact" href="#/" aria-label="Bulkhead, to the overview">
        <Logo />
      </a>
      {current !== null && (
        <Select
          label="Account"
          hiddenLabel
          value={current}
          options={accounts.map((name) => [name, name] as const)}
          onChange={chooseAccount}
        />
      )}
      {view && (
        <div className="ticker" aria-label="Equity and the day's profit and loss">
          <Money value={view.equity} unit />
          <Gain value={difference(view.equity, view.day_start_equity)} />
        </div>
      )}
      <span className="push" />
      {view?.halted && <Badge tone="bad">Halted</Badge>}
      <ConnectionBadge />
      {current !== null && !view?.halted && <HaltButton account={current} />}
      <ThemeSwitch />
      <div className="who" title={`${session.name}, ${session.role}`}>
        <Icon name="user" />
        <span className="who-name">{session.name}</span>
        <Badge tone="quiet">{session.role}</Badge>
      </div>
      <button
        type="button"
        className="button icon-only"
        aria-label="Log out"
        title="Log out"
        onClick={() =>
          void logOut().catch((error: unknown) => failed('The host did not end the session', error))
        }
      >
        <Icon name="logout" />
      </button>
    </header>
  );
}

const NEXT_THEME: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };

function ThemeSwitch(): ReactElement {
  const chosen = useWhole(theme);
  const icon = chosen === 'system' ? 'system' : chosen === 'light' ? 'sun' : 'moon';
  const label = `Theme: ${chosen}. Switch to ${NEXT_THEME[chosen]}`;
  return (
    <button
      type="button"
      className="button icon-only theme-switch"
      aria-label={label}
      title={label}
      onClick={() => chooseTheme(NEXT_THEME[chosen])}
    >
      <Icon name={icon} />
    </button>
  );
}

function HaltBanner({ account: name }: { account: string }): ReactElement | null {
  const halted = useView()?.halted;
  if (!halted) return null;
  return (
    <div className="halt-banner" role="alert">
      <Icon name="stop" size={22} />
      <div>
        <p className="problem-title">Trading is halted</p>
        <p>
          {halted.reason || 'No reason was given.'}
          {halted.actor && <span className="faint"> by {halted.actor}</span>}
          {halted.action && <span className="faint">, {halted.action.replace('-', ' ')}</span>}
        </p>
      </div>
      <ResumeButton account={name} />
    </div>
  );
}

/** `a - b` as text; null when either is missing. */
export function difference(a: string, b: string): string | null {
  const [x, y] = [decimal.parse(a), decimal.parse(b)];
  return x && y ? decimal.text(decimal.subtract(x, y)) : null;
}

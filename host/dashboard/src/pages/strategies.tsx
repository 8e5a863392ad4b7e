import { useState, type ReactElement } from 'react';
import { change, path } from '../api/client';
import { Button, Segments, Status } from '../components/controls';
import { Empty, Skeleton } from '../components/feedback';
import { compact, Count, Gain, Money, Percent } from '../components/figures';
import { Icon } from '../components/icons';
import { PageHead } from '../components/page-head';
import { Sparkline } from '../components/sparkline';
import { useStrategyColour } from '../components/strategy-tag';
import { failed, succeeded } from '../components/toasts';
import * as decimal from '../format/decimal';
import { elapsed } from '../format/elapsed';
import { traces, useView } from '../live/live';
import type { LiveStrategy } from '../live/messages';
import { href } from '../router';
import { useForbidden } from '../session';
import { useWhole } from '../store';
import { UploadDialog } from './upload-dialog';
import { WeightsPanel } from './weights-panel';

export function StrategiesPage({ account }: { account: string }): ReactElement {
  const view = useView();
  const [uploading, setUploading] = useState(false);
  const forbidden = useForbidden('operator', true);
  return (
    <div className="page">
      <PageHead title="Strategies">
        <Button forbidden={forbidden} onClick={() => setUploading(true)}>
          <Icon name="upload" />
          Upload a strategy
        </Button>
      </PageHead>
      {!view && <Skeleton height={360} />}
      {view?.strategies.length === 0 && (
        <Empty title="No strategy runs" icon="strategies">
          Upload a <code>.wasm</code> file here, or drop it into the strategies directory.
        </Empty>
      )}
      {view && view.strategies.length > 0 && (
        <>
          <WeightsPanel account={account} view={view} />
          <div className="strategy-cards">
            {view.strategies.map((strategy) => (
              <StrategyCard key={strategy.name} account={account} strategy={strategy} />
            ))}
          </div>
        </>
      )}
      {uploading && <UploadDialog name={null} onClose={() => setUploading(false)} />}
    </div>
  );
}

export type Mode = 'live' | 'shadow' | 'off';

export function ModeSwitch({ account, strategy }: { account: string; strategy: LiveStrategy }): ReactElement {
  const [wanted, setWanted] = useState<Mode | null>(null);
  const forbidden = useForbidden('operator');
  const choose = async (mode: Mode): Promise<void> => {
    setWanted(mode);
    try {
      await change(path('accounts', account, 'strategies', strategy.name, 'mode'), { mode });
      succeeded(`${strategy.name} is ${mode === 'off' ? 'off' : `in ${mode} mode`}.`);
    } catch (error) {
      failed(`The mode of ${strategy.name} was not changed`, error);
    } finally {
      setWanted(null);
    }
  };
  return (
    <Segments<Mode>
      label={`Mode of ${strategy.name}`}
      value={wanted ?? (strategy.mode as Mode)}
      forbidden={forbidden}
      options={[
        ['live', 'Live'],
        ['shadow', 'Shadow'],
        ['off', 'Off'],
      ]}
      onChange={(mode) => void choose(mode)}
    />
  );
}

export function ReleaseButton({ account, name }: { account: string; name: string }): ReactElement {
  const [busy, setBusy] = useState(false);
  const forbidden = useForbidden('operator');
  const release = async (): Promise<void> => {
    setBusy(true);
    try {
      await change(path('accounts', account, 'strategies', name, 'release'));
      succeeded(`${name} is released from quarantine.`);
    } catch (error) {
      failed(`${name} was not released`, error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Button busy={busy} forbidden={forbidden} onClick={() => void release()}>
      Release
    </Button>
  );
}

/** How much of what a call may use the call that used most did. */
function share({ most, budget }: LiveStrategy['fuel']): string {
  if (budget === 0) return '–';
  const percent = (100 * most) / budget;
  return percent > 0 && percent < 0.01 ? '<\u20090.01\u2009%' : `${percent.toFixed(2)}\u2009%`;
}

/** What it did and what its calls cost since the host started. */
export function workOf(strategy: LiveStrategy): (readonly [string, string])[] {
  const { calls, fuel, latency } = strategy;
  const facts: (readonly [string, string])[] = [
    ['Orders', compact(strategy.orders)],
    ['Events', compact(strategy.events)],
    ['Calls', compact(calls)],
    ['Call p50', elapsed(latency.p50_seconds)],
    ['Call p99', elapsed(latency.p99_seconds)],
    ['Fuel a call', calls > 0 ? compact(fuel.total / calls) : '–'],
    ['Peak fuel', share(fuel)],
  ];
  const realised = decimal.parse(strategy.realised);
  if (realised) facts.push(['Realised', decimal.format(realised, { digits: 2, signed: true })]);
  return facts;
}

function StrategyCard({ account, strategy }: { account: string; strategy: LiveStrategy }): ReactElement {
  const colour = useStrategyColour();
  const trace = useWhole(traces)[strategy.name];
  return (
    <article
      className="panel strategy-card"
      style={{ '--colour': colour(strategy.name) } as React.CSSProperties}
      aria-label={strategy.name}
    >
      <header>
        <div>
          <h2>
            <a href={href(['strategies', strategy.name])}>{strategy.name}</a>
          </h2>
          <p className="faint">
            {strategy.version} <code title={strategy.hash}>{strategy.hash.slice(0, 8)}</code>
          </p>
        </div>
        <Status value={strategy.status} />
      </header>
      <div className="strategy-pnl">
        <div>
          <p className="label">{strategy.mode === 'shadow' ? 'Make-believe PnL' : 'PnL'}</p>
          <p className="medium">
            <Gain value={strategy.pnl} unit />
          </p>
        </div>
        <Sparkline points={trace?.points ?? []} />
      </div>
      <dl className="facts">
        <div>
          <dt>Capital</dt>
          <dd>
            <Money value={strategy.capital} />
          </dd>
        </div>
        <div>
          <dt>Weight</dt>
          <dd>
            <Percent value={strategy.weight} digits={1} />
          </dd>
        </div>
        <div>
          <dt>Fills</dt>
          <dd>
            <Count value={strategy.fills} />
          </dd>
        </div>
        <div>
          <dt>Refusals</dt>
          <dd>
            <a href={href(['refusals'], { strategy: strategy.name })}>
              <Count value={strategy.refusals} />
            </a>
          </dd>
        </div>
        <div>
          <dt>Faults</dt>
          <dd className={strategy.faults > 0 ? 'warned' : ''}>
            <Count value={strategy.faults} />
          </dd>
        </div>
        {workOf(strategy).map(([title, value]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd className="number">{value}</dd>
          </div>
        ))}
      </dl>
      <footer>
        <ModeSwitch account={account} strategy={strategy} />
        {strategy.status === 'quarantined' ? (
          <ReleaseButton account={account} name={strategy.name} />
        ) : (
          <a className="button" href={href(['strategies', strategy.name])}>
            Details
          </a>
        )}
      </footer>
    </article>
  );
}

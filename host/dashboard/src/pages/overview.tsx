import { useState, type ReactElement, type ReactNode } from 'react';
import { get, path, type PageOf } from '../api/client';
import type { Equity, Fill, RefusalCount } from '../api/documents';
import { EquityChart } from '../charts/equity-chart';
import type { Point } from '../charts/equity-points';
import { chartTime } from '../charts/time';
import { Badge, Segments, Status } from '../components/controls';
import { Empty, ProblemNote, Skeleton } from '../components/feedback';
import { compact, Count, Gain, Money, Percent, Price, Quantity, Side } from '../components/figures';
import { Panel } from '../components/panel';
import { StrategyTag, useStrategyColour } from '../components/strategy-tag';
import { Table } from '../components/table';
import * as decimal from '../format/decimal';
import { elapsed } from '../format/elapsed';
import { clockTime, dateTime } from '../format/time';
import { refusalOf, type SeenRefusal } from '../live/event-text';
import { useStream, useView } from '../live/live';
import type { LiveView, QualityView } from '../live/messages';
import type { StreamState } from '../live/stream';
import { allPages } from '../paged';
import { useResource } from '../resource';
import { href } from '../router';
import { HaltButton, ResumeButton } from '../shell/kill-switch';
import { difference } from '../shell/shell';

export function OverviewPage({ account }: { account: string }): ReactElement {
  return (
    <div className="page overview">
      <h1 className="visually-hidden">Overview</h1>
      <Headline />
      <EquityPanel account={account} />
      <Safety account={account} />
      <StrategiesPanel />
      <CapitalPanel />
      <FillsPanel account={account} />
      <RefusalsPanel account={account} />
      <FeedPanel />
    </div>
  );
}

function Figure({
  title,
  children,
  note,
}: {
  title: string;
  children: ReactNode;
  note?: ReactNode;
}): ReactElement {
  return (
    <div className="figure">
      <dt>{title}</dt>
      <dd>{children}</dd>
      <dd className="figure-note">{note ?? '\u00a0'}</dd>
    </div>
  );
}

/** The sum of open positions' PnL, as text. */
function openPnl(view: LiveView): string {
  let sum = decimal.ZERO;
  for (const { pnl, shadow } of view.positions) {
    const own = decimal.parse(pnl);
    if (own && !shadow) sum = decimal.add(sum, own);
  }
  return decimal.text(sum);
}

/** `a / b - 1` as text. */
function change(a: string, b: string): string | null {
  const [x, y] = [decimal.parse(a), decimal.parse(b)];
  const ratio = x && y && decimal.divide(decimal.subtract(x, y), y, 8);
  return ratio ? decimal.text(ratio) : null;
}

function Headline(): ReactElement {
  const view = useView();
  if (!view) {
    return (
      <div className="panel headline">
        <Skeleton height={76} />
      </div>
    );
  }
  return (
    <dl className="panel headline" aria-label="Headline figures">
      <Figure title="Equity" note={<Gain value={change(view.equity, view.started_with)} percent />}>
        <span className="large">
          <Money value={view.equity} unit />
        </span>
      </Figure>
      <Figure title="Day PnL" note={<Gain value={change(view.equity, view.day_start_equity)} percent />}>
        <Gain value={difference(view.equity, view.day_start_equity)} unit />
      </Figure>
      <Figure
        title="Open PnL"
        note={
          <a href={href(['positions'])}>
            {view.positions.length} {view.positions.length === 1 ? 'position' : 'positions'}
          </a>
        }
      >
        <Gain value={openPnl(view)} unit />
      </Figure>
      <Figure
        title="Cash"
        note={
          <>
            <Money value={view.reserved} /> reserved
          </>
        }
      >
        <Money value={view.cash} unit />
      </Figure>
      <Figure
        title="Exposure"
        note={
          <span className="meter" aria-hidden="true">
            <span style={{ width: `${Math.min(100, Math.max(0, view.exposure * 100))}%` }} />
          </span>
        }
      >
        <Percent value={view.exposure} digits={1} />
      </Figure>
      <Figure
        title="Drawdown"
        note={
          <>
            peak <Money value={view.peak_equity} digits={0} />
          </>
        }
      >
        <Gain value={change(view.equity, view.peak_equity)} percent />
      </Figure>
    </dl>
  );
}

const DAY = 86_400;
const SPANS: readonly (readonly [string, string, number | null])[] = [
  ['1d', '1 D', DAY],
  ['1w', '1 W', 7 * DAY],
  ['1m', '1 M', 30 * DAY],
  ['all', 'All', null],
];

/** Pages of 1,000 points of the equity history. */
const MOST_PAGES = 40;

async function equityHistory(account: string): Promise<Point[]> {
  const rows = await allPages<Equity>(path('accounts', account, 'equity'), {}, MOST_PAGES);
  return rows.flatMap((row) => {
    const time = chartTime(row.time);
    return time === null ? [] : [{ time, value: Number(row.equity) }];
  });
}

const snapshotsOf = (state: StreamState): number => state.snapshots;
const startedWithOf = (state: StreamState): string | null => state.view?.started_with ?? null;

function EquityPanel({ account }: { account: string }): ReactElement {
  const [span, setSpan] = useState('all');
  const snapshots = useStream(snapshotsOf);
  const startedWith = useStream(startedWithOf);
  const history = useResource(`equity ${account}`, () => equityHistory(account), snapshots);
  const seconds = SPANS.find(([name]) => name === span)?.[2] ?? null;
  return (
    <Panel
      title="Equity"
      hint="drawdown below"
      className="equity-panel"
      actions={
        <Segments
          label="Span"
          value={span}
          options={SPANS.map(([name, text]) => [name, text])}
          onChange={setSpan}
        />
      }
    >
      {history.problem && <ProblemNote problem={history.problem} retry={history.reload} />}
      {history.loading && <Skeleton height={340} />}
      {history.data && (
        <EquityChart
          history={history.data}
          startedWith={startedWith ? Number(startedWith) : null}
          span={seconds}
        />
      )}
    </Panel>
  );
}

function Safety({ account }: { account: string }): ReactElement {
  const view = useView();
  return (
    <Panel title="Risk and breakers" className="safety-panel">
      {!view && <Skeleton lines={7} />}
      {view && (
        <>
          <div className={`kill ${view.halted ? 'halted' : ''}`}>
            <div>
              <p className="kill-state">{view.halted ? 'Halted' : 'Trading'}</p>
              <p className="faint">
                {view.halted ? 'No new positions; exits go on.' : 'One switch stops all new positions.'}
              </p>
            </div>
            {view.halted ? <ResumeButton account={account} /> : <HaltButton account={account} large />}
          </div>
          <ul className="rows">
            {view.breakers.map((breaker) => (
              <li key={breaker.name}>
                <span>
                  {breaker.name.replace(/-/g, ' ')}
                  {breaker.reason && breaker.state !== 'closed' && (
                    <span className="faint"> {breaker.reason}</span>
                  )}
                </span>
                <Status value={breaker.state} />
              </li>
            ))}
            <li>
              <span>
                journal
                {view.journal.why && <span className="faint"> {view.journal.why}</span>}
              </span>
              <Badge tone={view.journal.state === 'writing' ? 'good' : 'bad'}>{view.journal.state}</Badge>
            </li>
          </ul>
        </>
      )}
    </Panel>
  );
}

function StrategiesPanel(): ReactElement {
  const strategies = useView()?.strategies;
  const largest = Math.max(1e-9, ...(strategies ?? []).map(({ pnl }) => Math.abs(Number(pnl))));
  return (
    <Panel
      title="PnL by strategy"
      className="pnl-panel"
      actions={<a href={href(['strategies'])}>All strategies</a>}
    >
      {!strategies && <Skeleton lines={4} />}
      {strategies?.length === 0 && (
        <Empty title="No strategy runs">
          Put a <code>.wasm</code> file into the strategies directory, or upload one under Strategies.
        </Empty>
      )}
      {strategies && strategies.length > 0 && (
        <ul className="bars">
          {strategies.map((strategy) => {
            const share = (Number(strategy.pnl) / largest) * 50;
            return (
              <li key={strategy.name}>
                <a href={href(['strategies', strategy.name])}>
                  <StrategyTag name={strategy.name} />
                </a>
                <Status value={strategy.status === 'running' ? strategy.mode : strategy.status} />
                <span className="diverging" aria-hidden="true">
                  <span
                    className={share < 0 ? 'loss' : 'gain'}
                    style={
                      share < 0 ? { right: '50%', width: `${-share}%` } : { left: '50%', width: `${share}%` }
                    }
                  />
                </span>
                <Gain value={strategy.pnl} unit />
              </li>
            );
          })}
        </ul>
      )}
    </Panel>
  );
}

function CapitalPanel(): ReactElement {
  const strategies = useView()?.strategies;
  const colour = useStrategyColour();
  const weighted = (strategies ?? []).filter(
    ({ weight, status }) => Number(weight) > 0 && status !== 'removed',
  );
  const sum = weighted.reduce((total, { weight }) => total + Number(weight), 0);
  return (
    <Panel
      title="Capital by weight"
      className="capital-panel"
      actions={<a href={href(['strategies'])}>Change</a>}
    >
      {!strategies && <Skeleton lines={4} />}
      {strategies && (
        <>
          <div className="stacked" aria-hidden="true">
            {weighted.map(({ name, weight }) => (
              <span key={name} style={{ width: `${Number(weight) * 100}%`, background: colour(name) }} />
            ))}
          </div>
          <ul className="rows">
            {weighted.map(({ name, weight, capital }) => (
              <li key={name}>
                <StrategyTag name={name} />
                <span className="pair">
                  <Money value={capital} unit />
                  <span className="share">
                    <Percent value={weight} digits={0} />
                  </span>
                </span>
              </li>
            ))}
            <li className="faint">
              <span>not allocated</span>
              <span className="pair">
                <span className="share">
                  <Percent value={Math.max(0, Math.round((1 - sum) * 1e6) / 1e6)} digits={0} />
                </span>
              </span>
            </li>
          </ul>
        </>
      )}
    </Panel>
  );
}

const fillsOf = (state: StreamState): number => (state.counts['filled'] ?? 0) + state.snapshots;
const NEWEST = 9;

function FillsPanel({ account }: { account: string }): ReactElement {
  const version = useStream(fillsOf);
  const fills = useResource(
    `fills ${account}`,
    () => get<PageOf<Fill>>(path('accounts', account, 'fills'), { limit: NEWEST }),
    version,
  );
  return (
    <Panel title="Newest fills" className="fills-panel" flush actions={<a href={href(['trades'])}>Trades</a>}>
      {fills.loading && <Skeleton lines={NEWEST} />}
      {fills.problem && !fills.data && <ProblemNote problem={fills.problem} retry={fills.reload} />}
      {fills.data && (
        <Table
          dense
          caption="Newest fills"
          rows={fills.data.items}
          rowKey={(fill) => `${fill.sequence} ${fill.order} ${fill.time}`}
          empty={
            <Empty title="No fills yet" icon="orders">
              They appear here as soon as a strategy trades.
            </Empty>
          }
          columns={[
            {
              name: 'time',
              title: 'Time (UTC)',
              cell: ({ time }) => <span title={dateTime(time)}>{clockTime(time)}</span>,
            },
            { name: 'side', title: 'Side', cell: ({ side }) => <Side side={side} /> },
            { name: 'instrument', title: 'Instrument', cell: ({ instrument }) => <b>{instrument}</b> },
            {
              name: 'quantity',
              title: 'Quantity',
              numeric: true,
              cell: ({ quantity }) => <Quantity value={quantity} digits={4} />,
            },
            { name: 'price', title: 'Price', numeric: true, cell: ({ price }) => <Price value={price} /> },
            { name: 'strategy', title: 'Strategy', cell: ({ strategy }) => <StrategyTag name={strategy} /> },
            {
              name: 'cause',
              title: 'Cause',
              cell: ({ cause, order }) => (
                <a href={href(['orders'], { order: String(order) })}>{cause.replace(/-/g, ' ')}</a>
              ),
            },
          ]}
        />
      )}
    </Panel>
  );
}

/** Fewer, as each has two lines. */
const NEWEST_REFUSALS = 6;
const refusalsOf = (state: StreamState): StreamState['refusals'] => state.refusals;

/** What was refused last: as it came in, and before that the last of each kind. */
function useNewestRefusals(account: string): SeenRefusal[] {
  const seen = useStream(refusalsOf)
    .slice(0, NEWEST_REFUSALS)
    .flatMap((event) => refusalOf(event) ?? []);
  const snapshots = useStream(snapshotsOf);
  const known = useResource(
    `refusals ${account}`,
    () => get<PageOf<RefusalCount>>(path('accounts', account, 'refusals')),
    snapshots,
  );
  const oldest = seen.at(-1)?.time;
  const before = (known.data?.items ?? [])
    .filter(({ last_time }) => oldest === undefined || last_time < oldest)
    .sort((a, b) => b.last_time.localeCompare(a.last_time))
    .slice(0, NEWEST_REFUSALS - seen.length)
    .map(({ last_time, last_facts, ...rest }, index) => ({
      ...rest,
      number: -index,
      time: last_time,
      side: '',
      facts: last_facts,
    }));
  return [...seen, ...before];
}

function RefusalsPanel({ account }: { account: string }): ReactElement {
  const refusals = useNewestRefusals(account);
  return (
    <Panel
      title="Newest refusals"
      className="refusals-panel"
      flush
      actions={<a href={href(['refusals'])}>By code</a>}
    >
      <Table
        dense
        caption="Newest refusals"
        rows={refusals}
        rowKey={({ number }) => number}
        empty={
          <Empty title="Nothing was refused yet" icon="refusals">
            What the risk gate refuses appears here with the numbers that led to it.
          </Empty>
        }
        columns={[
          {
            name: 'time',
            title: 'Time (UTC)',
            cell: ({ time }) => <span title={dateTime(time)}>{clockTime(time)}</span>,
          },
          {
            name: 'code',
            title: 'Code',
            cell: ({ code, facts }) => (
              <span className="two-lines">
                <code title={code}>{code}</code>
                <span className="faint" title={facts}>
                  {facts}
                </span>
              </span>
            ),
          },
          {
            name: 'what',
            title: 'Proposal',
            cell: ({ side, instrument, strategy }) => (
              <span className="two-lines">
                <span>
                  {side && <Side side={side} />} <b>{instrument}</b>
                </span>
                <StrategyTag name={strategy} />
              </span>
            ),
          },
        ]}
      />
    </Panel>
  );
}

/** What was wrong with the market data, over all instruments. */
function defects(quality: readonly QualityView[]): string {
  const sum = (of: (one: QualityView) => number): string =>
    quality.reduce((all, one) => all + of(one), 0).toLocaleString('en-US');
  return [sum((one) => one.repaired), sum((one) => one.skipped), sum((one) => one.missing)].join(' / ');
}

function FeedPanel(): ReactElement {
  const view = useView();
  return (
    <Panel title="Feed and engine" className="feed-panel">
      {!view && <Skeleton lines={5} />}
      {view && (
        <ul className="rows">
          <li>
            <span>source</span>
            <span>{view.feed.source}</span>
          </li>
          <li>
            <span>market time</span>
            <span className="number">{dateTime(view.time)}</span>
          </li>
          <li>
            <span>bars</span>
            <span className="pair">
              <Count value={view.feed.bars} />
              <span className="faint number">{view.feed.bars_per_second.toFixed(1)} / s</span>
            </span>
          </li>
          <li>
            <span>rows mended, skipped, missing</span>
            <span className="number">{defects(view.feed.quality)}</span>
          </li>
          <li>
            <span>working orders</span>
            <Count value={view.working_orders} />
          </li>
          <li>
            <span>durable input</span>
            <Count value={view.journal.durable} />
          </li>
          {view.strategies.map((strategy) => {
            const { calls, fuel, latency } = strategy;
            if (calls === 0) return null;
            return (
              <li key={strategy.name}>
                <StrategyTag name={strategy.name} />
                <span className="pair">
                  <span className="number" title="Half of its calls took no longer">
                    {elapsed(latency.p50_seconds)}
                  </span>
                  <span className="faint number" title="Fuel of a call">
                    {compact(fuel.total / calls)} fuel
                  </span>
                </span>
              </li>
            );
          })}
        </ul>
      )}
    </Panel>
  );
}

import { useMemo, type ReactElement } from 'react';
import { get, path, type PageOf } from '../api/client';
import type { Bar, Fill } from '../api/documents';
import { CandleChart } from '../charts/candle-chart';
import { candlesOf } from '../charts/candles';
import { chartTime } from '../charts/time';
import { Segments, Select } from '../components/controls';
import { Empty, ProblemNote, Skeleton } from '../components/feedback';
import { Gain, Price, Quantity } from '../components/figures';
import { Panel } from '../components/panel';
import { StrategyTag } from '../components/strategy-tag';
import { Table } from '../components/table';
import { dateTime } from '../format/time';
import { useStream, useView } from '../live/live';
import type { LiveBar } from '../live/messages';
import type { StreamState } from '../live/stream';
import { useResource } from '../resource';
import { setQuery, useRoute } from '../router';
import { OrderTicket } from './order-ticket';

const INTERVALS: readonly (readonly [string, string])[] = [
  ['60', '1 m'],
  ['300', '5 m'],
  ['900', '15 m'],
  ['3600', '1 h'],
  ['14400', '4 h'],
  ['86400', '1 d'],
];
const BARS = 1000;
const FILLS = 400;

const snapshotsOf = (state: StreamState): number => state.snapshots;
const fillsOf = (state: StreamState): number => (state.counts['filled'] ?? 0) + state.snapshots;

/** The symbols that the account trades. */
export const useInstruments = (account: string): ReturnType<typeof useResource<string[]>> =>
  useResource(`instruments ${account}`, async () => {
    const list = await get<readonly { symbol: string }[]>(path('accounts', account, 'instruments'));
    return list.map(({ symbol }) => symbol);
  });

export function MarketPage({ account }: { account: string }): ReactElement {
  const { query } = useRoute();
  const instruments = useInstruments(account);
  const instrument = query.get('instrument') ?? instruments.data?.[0] ?? null;
  const interval = INTERVALS.some(([seconds]) => seconds === query.get('interval'))
    ? Number(query.get('interval'))
    : 300;

  if (instruments.problem) return <ProblemNote problem={instruments.problem} retry={instruments.reload} />;
  if (instruments.data?.length === 0) {
    return (
      <Empty title="No instrument is known yet" icon="market">
        They appear when the feed delivers its first bars.
      </Empty>
    );
  }
  if (!instrument) return <Skeleton height={480} />;
  return (
    <div className="page market">
      <h1 className="visually-hidden">Market</h1>
      <ChartPanel
        key={`${instrument} ${interval}`}
        account={account}
        instrument={instrument}
        interval={interval}
        instruments={instruments.data ?? [instrument]}
      />
      <Panel title="Order ticket" className="ticket-panel" hint="by hand">
        <OrderTicket key={instrument} account={account} instrument={instrument} />
      </Panel>
      <PositionsHere instrument={instrument} />
    </div>
  );
}

function ChartPanel({
  account,
  instrument,
  interval,
  instruments,
}: {
  account: string;
  instrument: string;
  interval: number;
  instruments: readonly string[];
}): ReactElement {
  const snapshots = useStream(snapshotsOf);
  const bars = useResource(
    `bars ${account} ${instrument} ${interval}`,
    async () => {
      const address = path('accounts', account, 'instruments', instrument, 'bars');
      const page = await get<PageOf<Bar>>(address, { interval_seconds: interval, limit: BARS });
      // The last candle may be incomplete; the newest base bar says how much of it is there.
      const newest = (await get<PageOf<LiveBar>>(address, { limit: 1 })).items.at(-1);
      const start = newest && chartTime(newest.time);
      const coveredUntil = newest && start != null ? start + newest.interval_seconds : 0;
      return { candles: candlesOf(page.items, interval), coveredUntil };
    },
    snapshots,
  );
  const version = useStream(fillsOf);
  const fills = useResource(
    `fills ${account} ${instrument}`,
    () => get<PageOf<Fill>>(path('accounts', account, 'fills'), { instrument, limit: FILLS }),
    version,
  );
  const oldest = bars.data?.candles[0]?.time ?? 0;
  const marks = useMemo(
    () =>
      (fills.data?.items ?? [])
        .filter(({ time }) => Date.parse(time) / 1000 >= oldest)
        .map(({ sequence, order, time, side, cause }) => ({
          key: `${sequence} ${order}`,
          time,
          side,
          cause,
        })),
    [fills.data, oldest],
  );
  const held = useView()?.positions;
  const positions = useMemo(
    () => (held ?? []).filter((each) => each.instrument === instrument),
    [held, instrument],
  );
  return (
    <section className="panel chart-panel" aria-label={`Chart of ${instrument}`}>
      <header className="panel-head">
        <Select
          label="Instrument"
          hiddenLabel
          value={instrument}
          options={instruments.map((symbol) => [symbol, symbol] as const)}
          onChange={(symbol) => setQuery({ instrument: symbol })}
        />
        <Segments
          label="Interval"
          value={String(interval)}
          options={INTERVALS}
          onChange={(seconds) => setQuery({ instrument, interval: seconds })}
        />
      </header>
      <div className="panel-body">
        {bars.problem && <ProblemNote problem={bars.problem} retry={bars.reload} />}
        {!bars.problem && bars.data?.candles.length === 0 && (
          <p className="faint chart-note">Waiting for the first bars.</p>
        )}
        {!bars.problem && (
          <CandleChart
            instrument={instrument}
            interval={interval}
            history={bars.data}
            marks={marks}
            positions={positions}
          />
        )}
      </div>
    </section>
  );
}

function PositionsHere({ instrument }: { instrument: string }): ReactElement {
  const positions = useView()?.positions.filter((position) => position.instrument === instrument) ?? [];
  return (
    <Panel title={`Open in ${instrument}`} className="here-panel" flush>
      <Table
        dense
        caption={`Open positions in ${instrument}`}
        rows={positions}
        rowKey={({ strategy }) => strategy}
        empty={
          <Empty title="No position is open">Entries and exits appear on the chart as they happen.</Empty>
        }
        columns={[
          { name: 'strategy', title: 'Strategy', cell: ({ strategy }) => <StrategyTag name={strategy} /> },
          {
            name: 'quantity',
            title: 'Quantity',
            numeric: true,
            cell: ({ quantity }) => <Quantity value={quantity} />,
          },
          { name: 'entry', title: 'Entry', numeric: true, cell: ({ entry }) => <Price value={entry} /> },
          { name: 'last', title: 'Last', numeric: true, cell: ({ last }) => <Price value={last} /> },
          { name: 'stop', title: 'Stop', numeric: true, cell: ({ stop }) => <Price value={stop} /> },
          { name: 'stop-kind', title: 'Kind', cell: ({ stop_kind }) => stop_kind?.replace(/-/g, ' ') ?? '–' },
          { name: 'pnl', title: 'PnL, USD', numeric: true, cell: ({ pnl }) => <Gain value={pnl} /> },
          { name: 'opened', title: 'Opened (UTC)', cell: ({ opened }) => dateTime(opened) },
        ]}
      />
    </Panel>
  );
}

import { useState, type ReactElement } from 'react';
import { path } from '../api/client';
import type { Trade } from '../api/documents';
import { Button } from '../components/controls';
import { Empty } from '../components/feedback';
import { Gain, Money, Price, Quantity, Side } from '../components/figures';
import { Filters, useFilter } from '../components/filters';
import { Icon } from '../components/icons';
import { ListView } from '../components/list-view';
import { PageHead } from '../components/page-head';
import { StrategyTag } from '../components/strategy-tag';
import { failed } from '../components/toasts';
import { csv, download } from '../format/csv';
import * as decimal from '../format/decimal';
import { dateTime, duration, milliseconds, shortDateTime } from '../format/time';
import { useStream } from '../live/live';
import type { StreamState } from '../live/stream';
import { allPages, usePaged } from '../paged';

const closedOf = ({ counts, snapshots }: StreamState): number => (counts['trade-closed'] ?? 0) + snapshots;

const CSV_COLUMNS = [
  'sequence',
  'strategy',
  'instrument',
  'side',
  'quantity',
  'entry_time',
  'entry_price',
  'exit_time',
  'exit_price',
  'fees',
  'pnl',
  'exit_reason',
] as const satisfies readonly (keyof Trade)[];

/** Pages of 1,000 trades in an export. */
const MOST_PAGES = 200;

const byDecimal =
  (of: (trade: Trade) => string) =>
  (a: Trade, b: Trade): number =>
    decimal.compare(decimal.parse(of(a)) ?? decimal.ZERO, decimal.parse(of(b)) ?? decimal.ZERO);
const byText =
  (of: (trade: Trade) => string) =>
  (a: Trade, b: Trade): number =>
    of(a).localeCompare(of(b));

const held = (trade: Trade): number =>
  (milliseconds(trade.exit_time) ?? 0) - (milliseconds(trade.entry_time) ?? 0);

/** The return of a trade on what its entry cost. */
function returnOf({ pnl, quantity, entry_price }: Trade): string | null {
  const [gain, size, price] = [decimal.parse(pnl), decimal.parse(quantity), decimal.parse(entry_price)];
  const ratio = gain && size && price && decimal.divide(gain, decimal.multiply(size, price), 6);
  return ratio ? decimal.text(ratio) : null;
}

export function TradesPage({ account }: { account: string }): ReactElement {
  const { strategy, instrument, from, until } = useFilter();
  const query = { strategy, instrument, from, until };
  const address = path('accounts', account, 'trades');
  const version = useStream(closedOf);
  const key = ({ sequence, instrument: symbol, strategy: owner, quantity, exit_time }: Trade): string =>
    `${sequence} ${owner} ${symbol} ${exit_time} ${quantity}`;
  const list = usePaged<Trade>(address, query, key, version);
  const [exporting, setExporting] = useState(false);
  const save = async (): Promise<void> => {
    setExporting(true);
    try {
      const trades = await allPages<Trade>(address, query, MOST_PAGES);
      const rows = trades.map((trade) => CSV_COLUMNS.map((column) => String(trade[column])));
      download(`trades-${account}.csv`, csv(CSV_COLUMNS, rows));
    } catch (error) {
      failed('The trades were not exported', error);
    } finally {
      setExporting(false);
    }
  };
  return (
    <div className="page">
      <PageHead title="Trades" hint="Closed positions and parts of them; PnL is after fees.">
        <Button busy={exporting} onClick={() => void save()}>
          <Icon name="download" />
          {exporting ? 'Exporting…' : 'Export CSV'}
        </Button>
      </PageHead>
      <Filters account={account} />
      <section className="panel flush" aria-label="Trades">
        <ListView
          caption="Trades; a heading sorts what is shown"
          list={list}
          rowKey={key}
          empty={
            <Empty title="No trade matches" icon="trades">
              A trade is listed when a position, or a part of it, is closed. Take a filter away to see more.
            </Empty>
          }
          columns={[
            {
              name: 'exit',
              title: 'Closed (UTC)',
              order: byText(({ exit_time }) => exit_time),
              cell: ({ exit_time }) => (
                <span className="number" title={dateTime(exit_time)}>
                  {shortDateTime(exit_time)}
                </span>
              ),
            },
            {
              name: 'instrument',
              title: 'Instrument',
              lead: true,
              order: byText((trade) => trade.instrument),
              cell: (trade) => <b>{trade.instrument}</b>,
            },
            {
              name: 'strategy',
              title: 'Strategy',
              order: byText((trade) => trade.strategy),
              cell: (trade) => <StrategyTag name={trade.strategy} />,
            },
            { name: 'side', title: 'Entry', cell: ({ side }) => <Side side={side} /> },
            {
              name: 'quantity',
              title: 'Quantity',
              numeric: true,
              cell: ({ quantity }) => <Quantity value={quantity} />,
            },
            {
              name: 'entry',
              title: 'Entry price',
              numeric: true,
              cell: (trade) => <Price value={trade.entry_price} />,
            },
            {
              name: 'exit-price',
              title: 'Exit price',
              numeric: true,
              cell: (trade) => <Price value={trade.exit_price} />,
            },
            {
              name: 'held',
              title: 'Held',
              numeric: true,
              order: (a, b) => held(a) - held(b),
              cell: (trade) => <span className="number">{duration(held(trade))}</span>,
            },
            {
              name: 'fees',
              title: 'Fees, USD',
              numeric: true,
              order: byDecimal(({ fees }) => fees),
              cell: ({ fees }) => <Money value={fees} />,
            },
            {
              name: 'pnl',
              title: 'PnL, USD',
              numeric: true,
              order: byDecimal(({ pnl }) => pnl),
              cell: ({ pnl }) => <Gain value={pnl} />,
            },
            {
              name: 'return',
              title: 'Return',
              numeric: true,
              order: byDecimal((trade) => returnOf(trade) ?? '0'),
              cell: (trade) => <Gain value={returnOf(trade)} percent />,
            },
            {
              name: 'reason',
              title: 'Exit by',
              order: byText(({ exit_reason }) => exit_reason),
              cell: ({ exit_reason }) => exit_reason.replace(/-/g, ' '),
            },
          ]}
        />
      </section>
    </div>
  );
}

import { useMemo, useState, type ReactElement, type ReactNode } from 'react';
import { get, path } from '../api/client';
import type { Adjusted, Analytics, Equity, TradeSums } from '../api/documents';
import type { Point } from '../charts/equity-points';
import { chartTime } from '../charts/time';
import { Segments, Status } from '../components/controls';
import { Empty, ProblemNote, Skeleton } from '../components/feedback';
import { Count, Gain, Money, Percent } from '../components/figures';
import { PageHead } from '../components/page-head';
import { Panel } from '../components/panel';
import { StrategyTag } from '../components/strategy-tag';
import { Table, type Column } from '../components/table';
import * as decimal from '../format/decimal';
import { duration } from '../format/time';
import { useStream } from '../live/live';
import type { StreamState } from '../live/stream';
import { allPages } from '../paged';
import { useResource } from '../resource';
import {
  byTrading,
  curveFigures,
  dailyReturns,
  histogram,
  monthlyReturns,
  type PeriodReturn,
} from './statistics';

/** Pages of 1,000 points that are read of the equity history. */
const MOST_PAGES = 50;

interface Basis {
  readonly sums: Analytics;
  readonly curve: readonly Point[];
}

async function basisOf(account: string): Promise<Basis> {
  const [sums, equity, adjusted] = await Promise.all([
    get<Analytics>(path('accounts', account, 'analytics')),
    allPages<Equity>(path('accounts', account, 'equity'), {}, MOST_PAGES),
    allPages<Adjusted>(path('accounts', account, 'adjustments'), {}, MOST_PAGES),
  ]);
  // They come newest first.
  const flows = adjusted.map(({ sequence, value }) => ({ sequence, value: Number(value) })).reverse();
  const curve = equity.flatMap((row) => {
    const time = chartTime(row.time);
    return time === null ? [] : [{ time, value: Number(row.equity), sequence: row.sequence }];
  });
  return { sums, curve: byTrading(curve, flows) };
}

const closedOf = ({ counts, snapshots }: StreamState): number => (counts['trade-closed'] ?? 0) + snapshots;

export function AnalyticsPage({ account }: { account: string }): ReactElement {
  const version = useStream(closedOf);
  const basis = useResource(`analytics ${account}`, () => basisOf(account), version);
  const isEmpty = basis.data?.sums.by_strategy.every(({ trades }) => trades === 0) ?? false;
  return (
    <div className="page analytics">
      <PageHead
        title="Analytics"
        hint="Closed trades after fees, and the equity curve, over the life of the account; shadows don’t count."
      />
      {basis.loading && <Skeleton height={420} />}
      {basis.problem && !basis.data && <ProblemNote problem={basis.problem} retry={basis.reload} />}
      {isEmpty && (
        <Empty title="No trade was closed yet" icon="analytics">
          The figures appear with the first closed trade.
        </Empty>
      )}
      {basis.data && !isEmpty && <Figures basis={basis.data} />}
    </div>
  );
}

function Figures({ basis }: { basis: Basis }): ReactElement {
  const { sums, curve } = basis;
  const { overall, equity } = sums;
  const shape = useMemo(() => curveFigures(curve), [curve]);
  const figures: readonly (readonly [string, ReactNode, string])[] = [
    ['Return', <Gain key="0" value={equity.total_return ?? null} percent />, 'by trading; deposits left out'],
    ['Max drawdown', <Percent key="1" value={equity.max_drawdown ?? null} />, 'deepest fall from a peak'],
    ['Sharpe', <Ratio key="2" value={shape.sharpe} />, 'daily returns, annualised'],
    ['Sortino', <Ratio key="3" value={shape.sortino} />, 'daily returns, annualised'],
    ['Trades', <Count key="4" value={overall.trades} />, `${overall.wins} won, ${overall.losses} lost`],
    ['PnL of trades', <Gain key="5" value={overall.pnl} unit />, 'after fees'],
    ['Fees', <Money key="6" value={overall.fees} unit />, 'of those trades'],
    ['Win rate', <Percent key="7" value={overall.win_rate ?? null} digits={1} />, 'won of all'],
    ['Profit factor', <Ratio key="8" value={overall.profit_factor ?? null} />, 'profits over losses'],
    ['Expectancy', <Gain key="9" value={overall.expectancy ?? null} unit />, 'mean of a trade'],
    ['Best trade', <Gain key="10" value={overall.best ?? null} unit />, 'most that one won'],
    ['Worst trade', <Gain key="11" value={overall.worst ?? null} unit />, 'most that one lost'],
  ];
  return (
    <>
      <dl className="panel figure-grid" aria-label="Overall">
        {figures.map(([title, value, note]) => (
          <div key={title} className="figure">
            <dt>{title}</dt>
            <dd>{value}</dd>
            <dd className="figure-note">{note}</dd>
          </div>
        ))}
      </dl>
      <div className="two-columns">
        <Distribution curve={curve} returns={sums.returns} />
        <Months curve={curve} sums={sums.monthly} />
      </div>
      <Breakdown
        title="By strategy"
        rows={sums.by_strategy}
        more={leaderColumns}
        name={({ name, shadow }) => (
          <span className="pair">
            <StrategyTag name={name} />
            {shadow && <Status value="shadow" />}
          </span>
        )}
      />
      <Breakdown title="By instrument" rows={sums.by_instrument} name={({ name }) => <b>{name}</b>} />
    </>
  );
}

function Ratio({ value }: { value: number | null }): ReactElement {
  return value === null ? (
    <span className="none">–</span>
  ) : (
    <span className="number">{value.toFixed(2).replace('-', '\u2212')}</span>
  );
}

type Row = TradeSums & {
  readonly name: string;
  readonly shadow?: boolean;
  readonly return_on_deposits?: number | null;
  readonly max_drawdown?: string;
};

const byText =
  (of: (row: Row) => string | null | undefined) =>
  (a: Row, b: Row): number =>
    decimal.compare(decimal.parse(of(a)) ?? decimal.ZERO, decimal.parse(of(b)) ?? decimal.ZERO);

/** What strategies are compared by. */
const leaderColumns: readonly Column<Row>[] = [
  {
    name: 'return',
    title: 'Return on deposits',
    numeric: true,
    order: (a, b) => (a.return_on_deposits ?? 0) - (b.return_on_deposits ?? 0),
    cell: ({ return_on_deposits: of }) => <Percent value={of ?? null} digits={2} />,
  },
  {
    name: 'drawdown',
    title: 'Drawdown, USD',
    numeric: true,
    order: byText(({ max_drawdown }) => max_drawdown),
    cell: ({ max_drawdown }) => <Money value={max_drawdown ?? null} />,
  },
];

function Breakdown({
  title,
  rows,
  name,
  more = [],
}: {
  title: string;
  rows: readonly Row[];
  name: (row: Row) => ReactNode;
  more?: readonly Column<Row>[];
}): ReactElement {
  return (
    <Panel title={title} flush>
      <Table
        caption={title}
        rows={rows}
        rowKey={(row) => `${row.name} ${row.shadow === true}`}
        empty={null}
        sortedBy={{ name: 'trades', descending: true }}
        columns={[
          { name: 'name', title: 'Name', lead: true, cell: name },
          {
            name: 'trades',
            title: 'Trades',
            numeric: true,
            order: (a, b) => a.trades - b.trades,
            cell: ({ trades }) => <Count value={trades} />,
          },
          {
            name: 'pnl',
            title: 'PnL, USD',
            numeric: true,
            order: byText(({ pnl }) => pnl),
            cell: ({ pnl }) => <Gain value={pnl} />,
          },
          ...more,
          {
            name: 'fees',
            title: 'Fees, USD',
            numeric: true,
            order: byText(({ fees }) => fees),
            cell: ({ fees }) => <Money value={fees} />,
          },
          {
            name: 'win',
            title: 'Win rate',
            numeric: true,
            order: (a, b) => (a.win_rate ?? 0) - (b.win_rate ?? 0),
            cell: ({ win_rate }) => <Percent value={win_rate} digits={1} />,
          },
          {
            name: 'factor',
            title: 'Profit factor',
            numeric: true,
            order: (a, b) => (a.profit_factor ?? 0) - (b.profit_factor ?? 0),
            cell: ({ profit_factor }) => <Ratio value={profit_factor ?? null} />,
          },
          {
            name: 'expectancy',
            title: 'Expectancy, USD',
            numeric: true,
            order: byText(({ expectancy }) => expectancy),
            cell: ({ expectancy }) => <Gain value={expectancy} />,
          },
          {
            name: 'best',
            title: 'Best',
            numeric: true,
            order: byText(({ best }) => best),
            cell: ({ best }) => <Gain value={best} />,
          },
          {
            name: 'worst',
            title: 'Worst',
            numeric: true,
            order: byText(({ worst }) => worst),
            cell: ({ worst }) => <Gain value={worst} />,
          },
          {
            name: 'held',
            title: 'Mean hold',
            numeric: true,
            order: (a, b) => (a.mean_holding_seconds ?? 0) - (b.mean_holding_seconds ?? 0),
            cell: ({ mean_holding_seconds: held }) => (
              <span className="number">{held == null ? '–' : duration(held * 1000)}</span>
            ),
          },
        ]}
      />
    </Panel>
  );
}

const BINS = 24;

/** A bin as it is drawn; its ends are open where nothing bounds it. */
interface DrawnBin {
  readonly from: number | null;
  readonly until: number | null;
  readonly count: number;
}

function Distribution({
  curve,
  returns,
}: {
  curve: readonly Point[];
  returns: Analytics['returns'];
}): ReactElement {
  const [of, setOf] = useState<'trades' | 'days'>('trades');
  const bins = useMemo((): readonly DrawnBin[] => {
    if (of === 'days') {
      return histogram(
        dailyReturns(curve).map(({ value }) => value),
        BINS,
      );
    }
    return returns.map(({ from, until, trades }) => ({
      from: from ?? null,
      until: until ?? null,
      count: trades,
    }));
  }, [of, curve, returns]);
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const edge = (value: number): string => `${Number((value * 100).toFixed(2))} %`.replace('-', '\u2212');
  const rangeOf = ({ from, until }: DrawnBin): string =>
    from === null
      ? `below ${edge(until ?? 0)}`
      : until === null
        ? `${edge(from)} and more`
        : `${edge(from)} to ${edge(until)}`;
  return (
    <Panel
      title="Distribution of returns"
      actions={
        <Segments
          label="Returns of"
          value={of}
          options={[
            ['trades', 'Trades'],
            ['days', 'Days'],
          ]}
          onChange={setOf}
        />
      }
    >
      <div
        className="histogram"
        role="img"
        aria-label={bins.map((bin) => `${rangeOf(bin)}: ${bin.count}`).join('; ')}
      >
        {bins.map((bin) => (
          <div key={bin.from ?? 'lowest'} title={`${rangeOf(bin)}: ${bin.count}`}>
            <span className="histogram-count">{bin.count > 0 ? bin.count : ''}</span>
            <span
              className={`histogram-bar ${bin.until !== null && bin.until <= 1e-12 ? 'loss' : 'gain'}`}
              style={{ height: `${(bin.count / most) * 100}%` }}
            />
            <span className="histogram-edge number">
              {bin.from === null
                ? ''
                : Number((bin.from * 100).toFixed(2))
                    .toString()
                    .replace('-', '\u2212')}
            </span>
          </div>
        ))}
      </div>
      <p className="faint histogram-unit">
        Lower edges, in percent of what the {of === 'trades' ? 'entry cost' : 'day began with'}
      </p>
    </Panel>
  );
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function Months({ curve, sums }: { curve: readonly Point[]; sums: Analytics['monthly'] }): ReactElement {
  const [of, setOf] = useState<'return' | 'pnl'>('return');
  const months = useMemo((): readonly PeriodReturn[] => {
    if (of === 'return') return monthlyReturns(curve);
    return sums.map(({ month, pnl }) => ({ period: month, value: Number(pnl) }));
  }, [of, curve, sums]);
  const years = [...new Set(months.map(({ period }) => period.slice(0, 4)))];
  const largest = Math.max(1e-9, ...months.map(({ value }) => Math.abs(value)));
  const valueOf = (period: string): number | null =>
    months.find((month) => month.period === period)?.value ?? null;
  const total = (year: string): number => {
    const values = months.filter(({ period }) => period.startsWith(year)).map(({ value }) => value);
    if (of === 'pnl') return values.reduce((sum, value) => sum + value, 0);
    return values.reduce((factor, value) => factor * (1 + value), 1) - 1;
  };
  const scale = of === 'return' ? 100 : 1;
  return (
    <Panel
      title="By month"
      hint={of === 'return' ? 'return of the equity in percent' : 'PnL of closed trades in USD'}
      flush
      actions={
        <Segments
          label="What of each month"
          value={of}
          options={[
            ['return', 'Return'],
            ['pnl', 'PnL'],
          ]}
          onChange={setOf}
        />
      }
    >
      <div className="table-scroll heat-scroll" tabIndex={0} role="region" aria-label="By month">
        <table className="heat">
          <thead>
            <tr>
              <th scope="col">Year</th>
              {MONTHS.map((month) => (
                <th key={month} scope="col">
                  {month}
                </th>
              ))}
              <th scope="col">Year</th>
            </tr>
          </thead>
          <tbody>
            {years.map((year) => (
              <tr key={year}>
                <th scope="row">{year}</th>
                {MONTHS.map((month, index) => (
                  <Heat
                    key={month}
                    value={valueOf(`${year}-${String(index + 1).padStart(2, '0')}`)}
                    largest={largest}
                    scale={scale}
                  />
                ))}
                <Heat value={total(year)} largest={largest} scale={scale} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function Heat({
  value,
  largest,
  scale,
}: {
  value: number | null;
  largest: number;
  scale: number;
}): ReactElement {
  if (value === null) return <td />;
  const share = Math.min(1, Math.abs(value) / largest);
  const text = (value * scale).toFixed(1);
  const shown = value > 0 ? `+${text}` : text.replace('-', '\u2212');
  return (
    <td className={value < 0 ? 'loss' : 'gain'} style={{ '--heat': share } as React.CSSProperties}>
      {shown}
    </td>
  );
}

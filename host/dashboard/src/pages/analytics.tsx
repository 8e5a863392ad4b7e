import { useMemo, useState, type ReactElement, type ReactNode } from 'react';
import { path } from '../api/client';
import type { Equity, Trade } from '../api/documents';
import type { Point } from '../charts/equity-points';
import { chartTime } from '../charts/time';
import { Segments, Status } from '../components/controls';
import { Empty, ProblemNote, Skeleton } from '../components/feedback';
import { Count, Gain, Money, Percent } from '../components/figures';
import { PageHead } from '../components/page-head';
import { Panel } from '../components/panel';
import { StrategyTag } from '../components/strategy-tag';
import { Table } from '../components/table';
import * as decimal from '../format/decimal';
import { duration } from '../format/time';
import { useStream } from '../live/live';
import type { StreamState } from '../live/stream';
import { allPages } from '../paged';
import { useResource } from '../resource';
import {
  curveFigures,
  dailyReturns,
  figuresBy,
  figuresOf,
  histogram,
  monthlyReturns,
  type PeriodReturn,
  type TradeFigures,
} from './statistics';

/** Pages of 1,000 rows that are read of trades and of the equity history. */
const MOST_PAGES = 50;

interface Basis {
  readonly trades: readonly Trade[];
  readonly curve: readonly Point[];
}

async function basisOf(account: string): Promise<Basis> {
  const [trades, equity] = await Promise.all([
    allPages<Trade>(path('accounts', account, 'trades'), {}, MOST_PAGES),
    allPages<Equity>(path('accounts', account, 'equity'), {}, MOST_PAGES),
  ]);
  const curve = equity.flatMap((row) => {
    const time = chartTime(row.time);
    return time === null ? [] : [{ time, value: Number(row.equity) }];
  });
  return { trades, curve };
}

export function AnalyticsPage({ account }: { account: string }): ReactElement {
  const basis = useResource(`analytics ${account}`, () => basisOf(account));
  return (
    <div className="page analytics">
      <PageHead
        title="Analytics"
        hint="Closed trades after fees, and the equity curve, over the life of the account; shadows don’t count."
      />
      {basis.loading && <Skeleton height={420} />}
      {basis.problem && !basis.data && <ProblemNote problem={basis.problem} retry={basis.reload} />}
      {basis.data?.trades.length === 0 && (
        <Empty title="No trade was closed yet" icon="analytics">
          The figures appear with the first closed trade.
        </Empty>
      )}
      {basis.data && basis.data.trades.length > 0 && <Figures basis={basis.data} />}
    </div>
  );
}

const shadowsOf = (state: StreamState): string =>
  (state.view?.strategies ?? [])
    .filter(({ mode }) => mode === 'shadow')
    .map(({ name }) => name)
    .join('\n');

function Figures({ basis }: { basis: Basis }): ReactElement {
  const { trades: all, curve } = basis;
  const shadows = useStream(shadowsOf);
  // A shadow trades make-believe money, which is in no sum.
  const trades = useMemo(() => {
    const names = shadows.split('\n');
    return all.filter(({ strategy }) => !names.includes(strategy));
  }, [all, shadows]);
  const overall = useMemo(() => figuresOf(trades), [trades]);
  const shape = useMemo(() => curveFigures(curve), [curve]);
  const byStrategy = useMemo(() => figuresBy(all, ({ strategy }) => strategy), [all]);
  const byInstrument = useMemo(() => figuresBy(trades, ({ instrument }) => instrument), [trades]);
  const months = useMemo(() => monthlyReturns(curve), [curve]);
  const figures: readonly (readonly [string, ReactNode, string])[] = [
    ['Return', <Gain key="0" value={shape.totalReturn} percent />, 'equity, start to end'],
    ['Max drawdown', <Percent key="1" value={shape.maxDrawdown} />, 'deepest fall from a peak'],
    ['Sharpe', <Ratio key="2" value={shape.sharpe} />, 'daily returns, annualised'],
    ['Sortino', <Ratio key="3" value={shape.sortino} />, 'daily returns, annualised'],
    ['Trades', <Count key="4" value={overall.trades} />, `${overall.wins} won, ${overall.losses} lost`],
    ['PnL of trades', <Gain key="5" value={overall.pnl} unit />, 'after fees'],
    ['Fees', <Money key="6" value={overall.fees} unit />, 'of those trades'],
    ['Win rate', <Percent key="7" value={overall.winRate} digits={1} />, 'won of all'],
    ['Profit factor', <Plain key="8" value={overall.profitFactor} />, 'profits over losses'],
    ['Expectancy', <Gain key="9" value={overall.expectancy} unit />, 'mean of a trade'],
    ['Best trade', <Gain key="10" value={overall.best} unit />, `mean win ${shortMoney(overall.averageWin)}`],
    [
      'Worst trade',
      <Gain key="11" value={overall.worst} unit />,
      `mean loss ${shortMoney(overall.averageLoss)}`,
    ],
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
        <Distribution curve={curve} trades={trades} />
        <Months months={months} />
      </div>
      <Breakdown
        title="By strategy"
        rows={byStrategy}
        name={(name) => (
          <span className="pair">
            <StrategyTag name={name} />
            {shadows.split('\n').includes(name) && <Status value="shadow" />}
          </span>
        )}
      />
      <Breakdown title="By instrument" rows={byInstrument} name={(name) => <b>{name}</b>} />
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

function Plain({ value }: { value: string | null }): ReactElement {
  const number = decimal.parse(value);
  return number ? (
    <span className="number">{decimal.format(number, { digits: 2 })}</span>
  ) : (
    <span className="none">–</span>
  );
}

function shortMoney(value: string | null): string {
  const amount = decimal.parse(value);
  return amount ? decimal.format(amount, { digits: 2 }) : '–';
}

type Row = TradeFigures & { readonly name: string };

const byText =
  (of: (row: Row) => string | null) =>
  (a: Row, b: Row): number =>
    decimal.compare(decimal.parse(of(a)) ?? decimal.ZERO, decimal.parse(of(b)) ?? decimal.ZERO);

function Breakdown({
  title,
  rows,
  name,
}: {
  title: string;
  rows: readonly Row[];
  name: (name: string) => ReactNode;
}): ReactElement {
  return (
    <Panel title={title} flush>
      <Table
        caption={title}
        rows={rows}
        rowKey={(row) => row.name}
        empty={null}
        sortedBy={{ name: 'trades', descending: true }}
        columns={[
          { name: 'name', title: 'Name', lead: true, cell: (row) => name(row.name) },
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
            order: byText(({ winRate }) => winRate),
            cell: ({ winRate }) => <Percent value={winRate} digits={1} />,
          },
          {
            name: 'factor',
            title: 'Profit factor',
            numeric: true,
            order: byText(({ profitFactor }) => profitFactor),
            cell: ({ profitFactor }) => <Plain value={profitFactor} />,
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
            order: (a, b) => (a.held ?? 0) - (b.held ?? 0),
            cell: ({ held }) => <span className="number">{held === null ? '–' : duration(held)}</span>,
          },
        ]}
      />
    </Panel>
  );
}

/** The return of each trade on what its entry cost. */
function tradeReturns(trades: readonly Trade[]): number[] {
  return trades.flatMap(({ pnl, quantity, entry_price }) => {
    const value = Number(pnl) / (Number(quantity) * Number(entry_price));
    return Number.isFinite(value) ? [value] : [];
  });
}

const BINS = 24;

function Distribution({
  curve,
  trades,
}: {
  curve: readonly Point[];
  trades: readonly Trade[];
}): ReactElement {
  const [of, setOf] = useState<'trades' | 'days'>('trades');
  const bins = useMemo(
    () =>
      histogram(of === 'trades' ? tradeReturns(trades) : dailyReturns(curve).map(({ value }) => value), BINS),
    [of, curve, trades],
  );
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const edge = (value: number): string => `${(value * 100).toFixed(1).replace('-', '\u2212')} %`;
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
        aria-label={bins
          .map(({ from, until, count }) => `${edge(from)} to ${edge(until)}: ${count}`)
          .join('; ')}
      >
        {bins.map(({ from, until, count }) => (
          <div key={from} title={`${edge(from)} to ${edge(until)}: ${count}`}>
            <span className="histogram-count">{count > 0 ? count : ''}</span>
            <span
              className={`histogram-bar ${until <= 1e-12 ? 'loss' : 'gain'}`}
              style={{ height: `${(count / most) * 100}%` }}
            />
          </div>
        ))}
      </div>
      <div className="histogram-axis number" aria-hidden="true">
        <span>{edge(bins[0]?.from ?? 0)}</span>
        <span>{edge(bins.at(-1)?.until ?? 0)}</span>
      </div>
    </Panel>
  );
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function Months({ months }: { months: readonly PeriodReturn[] }): ReactElement {
  const years = [...new Set(months.map(({ period }) => period.slice(0, 4)))];
  const largest = Math.max(1e-9, ...months.map(({ value }) => Math.abs(value)));
  const valueOf = (period: string): number | null =>
    months.find((month) => month.period === period)?.value ?? null;
  const total = (year: string): number =>
    months
      .filter(({ period }) => period.startsWith(year))
      .reduce((factor, { value }) => factor * (1 + value), 1) - 1;
  return (
    <Panel title="Return by month" hint="UTC, in percent" flush>
      <div className="table-scroll heat-scroll" tabIndex={0} role="region" aria-label="Return by month">
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
                  />
                ))}
                <Heat value={total(year)} largest={largest} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function Heat({ value, largest }: { value: number | null; largest: number }): ReactElement {
  if (value === null) return <td />;
  const share = Math.min(1, Math.abs(value) / largest);
  const text = (value * 100).toFixed(1);
  const shown = value > 0 ? `+${text}` : text.replace('-', '\u2212');
  return (
    <td className={value < 0 ? 'loss' : 'gain'} style={{ '--heat': share } as React.CSSProperties}>
      {shown}
    </td>
  );
}

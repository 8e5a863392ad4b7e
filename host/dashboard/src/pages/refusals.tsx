import type { ReactElement } from 'react';
import { get, path, type PageOf } from '../api/client';
import type { RefusalCount } from '../api/documents';
import { Empty, ProblemNote, Skeleton } from '../components/feedback';
import { Count } from '../components/figures';
import { Filters, useFilter } from '../components/filters';
import { PageHead } from '../components/page-head';
import { Panel } from '../components/panel';
import { StrategyTag } from '../components/strategy-tag';
import { Table } from '../components/table';
import { dateTime } from '../format/time';
import { useStream } from '../live/live';
import type { StreamState } from '../live/stream';
import { useResource } from '../resource';

const refusedOf = ({ counts, snapshots }: StreamState): number => (counts['refused'] ?? 0) + snapshots;

export function RefusalsPage({ account }: { account: string }): ReactElement {
  const { strategy, instrument } = useFilter();
  const version = useStream(refusedOf);
  const refusals = useResource(
    `refusals ${account}`,
    () => get<PageOf<RefusalCount>>(path('accounts', account, 'refusals')),
    version,
  );
  const rows = (refusals.data?.items ?? []).filter(
    (row) => (!strategy || row.strategy === strategy) && (!instrument || row.instrument === instrument),
  );
  const codes = new Map<string, number>();
  for (const { code, count } of rows) codes.set(code, (codes.get(code) ?? 0) + count);
  const sorted = [...codes].sort((a, b) => b[1] - a[1]);
  const most = sorted[0]?.[1] ?? 1;
  return (
    <div className="page">
      <PageHead
        title="Refusals"
        hint="What the risk gate did not let pass, by its reason, with the numbers of the last one."
      />
      <Filters account={account} days={false} />
      {refusals.loading && <Skeleton height={240} />}
      {refusals.problem && !refusals.data && (
        <ProblemNote problem={refusals.problem} retry={refusals.reload} />
      )}
      {refusals.data && rows.length === 0 && (
        <Empty title="Nothing was refused" icon="refusals">
          Every proposal passed, or none was made yet. Take a filter away to see more.
        </Empty>
      )}
      {rows.length > 0 && (
        <>
          <Panel title="By code">
            <ul className="bars codes">
              {sorted.map(([code, count]) => (
                <li key={code}>
                  <code>{code}</code>
                  <span className="bar" aria-hidden="true">
                    <span style={{ width: `${(count / most) * 100}%` }} />
                  </span>
                  <Count value={count} />
                </li>
              ))}
            </ul>
          </Panel>
          <section className="panel flush" aria-label="Refusals by code, strategy and instrument">
            <Table
              caption="Refusals by code, strategy and instrument"
              rows={rows}
              rowKey={(row) => `${row.code} ${row.strategy} ${row.instrument}`}
              sortedBy={{ name: 'count', descending: true }}
              empty={null}
              columns={[
                {
                  name: 'code',
                  title: 'Code',
                  lead: true,
                  order: (a, b) => a.code.localeCompare(b.code),
                  cell: ({ code }) => <code>{code}</code>,
                },
                { name: 'strategy', title: 'Strategy', cell: (row) => <StrategyTag name={row.strategy} /> },
                { name: 'instrument', title: 'Instrument', cell: (row) => <b>{row.instrument}</b> },
                {
                  name: 'count',
                  title: 'Count',
                  numeric: true,
                  order: (a, b) => a.count - b.count,
                  cell: ({ count }) => <Count value={count} />,
                },
                {
                  name: 'last',
                  title: 'Last (UTC)',
                  order: (a, b) => a.last_time.localeCompare(b.last_time),
                  cell: ({ last_time }) => <span className="number">{dateTime(last_time)}</span>,
                },
                {
                  name: 'facts',
                  title: 'Numbers of the last',
                  wraps: true,
                  cell: ({ last_facts }) => <Facts text={last_facts} />,
                },
              ]}
            />
          </section>
        </>
      )}
    </div>
  );
}

/** `key=value` pairs as they come from the gate. */
function Facts({ text }: { text: string }): ReactElement {
  const pairs = text.split(/\s+(?=[\w.-]+=)/).filter(Boolean);
  return (
    <span className="fact-list">
      {pairs.map((pair) => {
        const at = pair.indexOf('=');
        if (at < 0) return <span key={pair}>{pair}</span>;
        return (
          <span key={pair} className="fact">
            <span className="faint">{pair.slice(0, at)}</span>{' '}
            <span className="number">{pair.slice(at + 1)}</span>
          </span>
        );
      })}
    </span>
  );
}

import type { ReactElement } from 'react';
import { path } from '../api/client';
import type { AuditEntry } from '../api/documents';
import { Empty } from '../components/feedback';
import { ListView } from '../components/list-view';
import { PageHead } from '../components/page-head';
import { dateTime } from '../format/time';
import { useStream } from '../live/live';
import type { StreamState } from '../live/stream';
import { usePaged } from '../paged';

const KINDS = [
  'trading-state',
  'settings-changed',
  'slot-changed',
  'breaker-changed',
  'books-adjusted',
  'ignoring-changed',
  'input-refused',
];
const changesOf = ({ counts, snapshots }: StreamState): number =>
  KINDS.reduce((sum, kind) => sum + (counts[kind] ?? 0), snapshots);

/** A version's hash in full, which its beginning tells as well. */
const HASH = /\b([0-9a-f]{12})[0-9a-f]{52}\b/g;

export function AuditPage({ account }: { account: string }): ReactElement {
  const version = useStream(changesOf);
  const key = (entry: AuditEntry): string =>
    `${entry.sequence} ${entry.action} ${entry.subject} ${entry.detail}`;
  const list = usePaged<AuditEntry>(path('accounts', account, 'audit'), {}, key, version);
  return (
    <div className="page">
      <PageHead
        title="Audit"
        hint="What people and the host itself did, the newest first. Nothing is ever taken out."
      />
      <section className="panel flush" aria-label="Audit">
        <ListView
          caption="Audit"
          list={list}
          rowKey={key}
          empty={
            <Empty title="Nothing has been done yet" icon="audit">
              Halts, changed weights, new versions and whatever else is done to the account is listed here.
            </Empty>
          }
          columns={[
            {
              name: 'time',
              title: 'Time (UTC)',
              cell: ({ time }) => <span className="number">{dateTime(time)}</span>,
            },
            { name: 'actor', title: 'Who', cell: ({ actor }) => <b>{actor}</b> },
            { name: 'action', title: 'Did', lead: true, cell: ({ action }) => action.replace(/[-_]/g, ' ') },
            { name: 'subject', title: 'To', cell: ({ subject }) => subject },
            {
              name: 'detail',
              title: 'In particular',
              wraps: true,
              cell: ({ detail }) => <span title={detail}>{detail.replace(HASH, '$1\u2026') || '–'}</span>,
            },
            {
              name: 'sequence',
              title: 'Input',
              numeric: true,
              cell: ({ sequence }) => <span className="number faint">{sequence}</span>,
            },
          ]}
        />
      </section>
    </div>
  );
}

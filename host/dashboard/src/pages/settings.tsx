import { useState, type ReactElement } from 'react';
import { path } from '../api/client';
import type { Settings } from '../api/documents';
import { Badge, Button, TextField } from '../components/controls';
import { Empty, ProblemNote, Skeleton } from '../components/feedback';
import { PageHead } from '../components/page-head';
import { Panel } from '../components/panel';
import { dateTime } from '../format/time';
import { useStream } from '../live/live';
import type { StreamState } from '../live/stream';
import { usePaged } from '../paged';
import { useForbidden } from '../session';
import { DifferenceList, SettingsDialog } from './settings-dialog';
import { difference, settingsOf } from './settings-diff';

const changesOf = ({ counts, snapshots }: StreamState): number =>
  (counts['settings-changed'] ?? 0) + snapshots;

export function SettingsPage({ account }: { account: string }): ReactElement {
  const version = useStream(changesOf);
  const list = usePaged<Settings>(
    path('accounts', account, 'settings'),
    {},
    ({ sequence }) => sequence,
    version,
    50,
  );
  const [chosen, setChosen] = useState<number | null>(null);
  const [editing, setEditing] = useState(false);
  const forbidden = useForbidden('operator');
  const rows = list.rows ?? [];
  const place = Math.max(
    0,
    rows.findIndex(({ sequence }) => sequence === chosen),
  );
  const current = rows[place];
  const before = rows[place + 1];
  return (
    <div className="page settings">
      <PageHead
        title="Settings"
        hint="Each version applied between two events as a whole; an order saw one of them."
      >
        {rows[0] && (
          <Button forbidden={forbidden} onClick={() => setEditing(true)}>
            Change the settings
          </Button>
        )}
      </PageHead>
      {editing && rows[0] && (
        <SettingsDialog account={account} settings={rows[0].settings} onClose={() => setEditing(false)} />
      )}
      {list.problem && <ProblemNote problem={list.problem} retry={list.reload} />}
      {list.loading && !list.rows && <Skeleton height={320} />}
      {list.rows?.length === 0 && <Empty title="No settings have applied yet" icon="settings" />}
      {current && (
        <div className="history">
          <Panel title="History" className="history-list" flush>
            <ol>
              {rows.map((row, index) => (
                <li key={row.sequence}>
                  <button
                    type="button"
                    aria-pressed={index === place}
                    onClick={() => setChosen(row.sequence)}
                  >
                    <span className="number">{dateTime(row.time)}</span>
                    <span className="faint">
                      {row.actor}, input {row.sequence}
                    </span>
                    {index === 0 && <Badge tone="good">in force</Badge>}
                  </button>
                </li>
              ))}
            </ol>
            {list.hasMore && (
              <div className="list-foot">
                <Button onClick={list.loadMore} busy={list.loadingMore}>
                  Load more
                </Button>
              </div>
            )}
          </Panel>
          <div className="stack">
            <Panel
              title="What changed"
              hint={before ? `against ${dateTime(before.time)}` : 'the first that is known'}
              flush
            >
              <Differences before={before?.settings ?? null} after={current.settings} isFirst={!before} />
            </Panel>
            <Values settings={current.settings} />
          </div>
        </div>
      )}
    </div>
  );
}

function Differences({
  before,
  after,
  isFirst,
}: {
  before: unknown;
  after: unknown;
  isFirst: boolean;
}): ReactElement {
  if (isFirst) return <Empty title="There is no version before this one" />;
  const changes = difference(before, after);
  if (changes.length === 0) return <Empty title="Nothing differs from the version before" />;
  return <DifferenceList changes={changes} />;
}

const MOST_SHOWN = 400;

function Values({ settings }: { settings: unknown }): ReactElement {
  const [filter, setFilter] = useState('');
  const all = settingsOf(settings);
  const shown = all.filter(([name]) => name.toLowerCase().includes(filter.toLowerCase()));
  return (
    <Panel title="All of this version" hint={`${all.length} settings`}>
      <TextField label="Find" value={filter} onChange={setFilter} placeholder="risk, breakers, fees…" />
      <dl className="pairs code-pairs">
        {shown.slice(0, MOST_SHOWN).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {shown.length > MOST_SHOWN && (
        <p className="faint">{shown.length - MOST_SHOWN} more; narrow it down.</p>
      )}
    </Panel>
  );
}

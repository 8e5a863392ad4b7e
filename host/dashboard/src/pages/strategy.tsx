import { useState, type ReactElement, type ReactNode } from 'react';
import { call, change, get, path, type PageOf } from '../api/client';
import type { FaultEntry, LogEntry, PluginVersion, StrategyDetail } from '../api/documents';
import { Badge, Button, Status } from '../components/controls';
import { Empty, ProblemNote, Skeleton } from '../components/feedback';
import { compact, Count, Gain, Money, Percent } from '../components/figures';
import { Icon } from '../components/icons';
import { PageHead } from '../components/page-head';
import { Panel } from '../components/panel';
import { StrategyTag } from '../components/strategy-tag';
import { Table } from '../components/table';
import { failed, succeeded } from '../components/toasts';
import { clockTime, dateTime } from '../format/time';
import { faultText, noticeOf, strategyOf } from '../live/event-text';
import { useStream, useView } from '../live/live';
import type { StreamState } from '../live/stream';
import { useResource } from '../resource';
import { href } from '../router';
import { useForbidden } from '../session';
import { Overlay } from '../components/overlay';
import { ParametersForm, parametersOf } from './parameters-form';
import { ModeSwitch, ReleaseButton, workOf } from './strategies';
import { UploadDialog } from './upload-dialog';

const slotChanges = (state: StreamState): number => (state.counts['slot-changed'] ?? 0) + state.snapshots;

export function StrategyPage({ account, name }: { account: string; name: string }): ReactElement {
  const view = useView();
  const strategy = view?.strategies.find((each) => each.name === name);
  if (!view) return <Skeleton height={360} />;
  if (!strategy) {
    return (
      <Empty title={`There is no strategy ${name} on this account`} icon="strategies">
        <a href={href(['strategies'])}>To the strategies</a>
      </Empty>
    );
  }
  const figures: readonly (readonly [string, ReactNode])[] = [
    [strategy.mode === 'shadow' ? 'Make-believe PnL' : 'PnL', <Gain key="pnl" value={strategy.pnl} unit />],
    ['Capital', <Money key="capital" value={strategy.capital} unit />],
    ['Transferred to it', <Money key="funded" value={strategy.funded} unit />],
    ['Weight', <Percent key="weight" value={strategy.weight} digits={1} />],
    ['Fills', <Count key="fills" value={strategy.fills} />],
    ['Refusals', <Count key="refusals" value={strategy.refusals} />],
    ['Faults', <Count key="faults" value={strategy.faults} />],
    ...workOf(strategy),
  ];
  return (
    <div className="page strategy">
      <PageHead
        title={
          <>
            <a href={href(['strategies'])} className="crumb">
              Strategies
            </a>
            <StrategyTag name={name} />
          </>
        }
        hint={
          <>
            Version {strategy.version} <code title={strategy.hash}>{strategy.hash.slice(0, 12)}</code>
          </>
        }
      >
        <Status value={strategy.status} />
        <ModeSwitch account={account} strategy={strategy} />
        {strategy.status === 'quarantined' && <ReleaseButton account={account} name={name} />}
        <RemoveButton account={account} name={name} />
      </PageHead>
      <dl className="panel facts-strip">
        {figures.map(([title, value]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd className="number">{value}</dd>
          </div>
        ))}
      </dl>
      <Parameters account={account} name={name} />
      <Versions name={name} running={strategy.hash} />
      <Logs account={account} name={name} />
      <Notices account={account} name={name} />
    </div>
  );
}

function RemoveButton({ account, name }: { account: string; name: string }): ReactElement {
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const forbidden = useForbidden('operator');
  const remove = async (): Promise<void> => {
    setBusy(true);
    try {
      await change(path('accounts', account, 'strategies', name, 'remove'));
      succeeded(`${name} is removed; its positions stay guarded.`);
      setOpen(false);
    } catch (error) {
      failed(`${name} was not removed`, error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button forbidden={forbidden} onClick={() => setOpen(true)}>
        Remove
      </Button>
      {open && (
        <Overlay
          title={`Remove ${name}`}
          onClose={() => setOpen(false)}
          footer={
            <>
              <Button onClick={() => setOpen(false)}>Keep it</Button>
              <Button tone="danger" busy={busy} onClick={() => void remove()}>
                Remove {name}
              </Button>
            </>
          }
        >
          <p>
            The strategy is stopped and handed no more events. Its open positions stay, guarded by their
            exits, and its books stay readable.
          </p>
        </Overlay>
      )}
    </>
  );
}

function Parameters({ account, name }: { account: string; name: string }): ReactElement {
  const version = useStream(slotChanges);
  const document = useResource(
    `strategy ${account} ${name}`,
    () => get<StrategyDetail>(path('accounts', account, 'strategies', name, 'parameters')),
    version,
  );
  const parameters = document.data ? parametersOf(document.data) : null;
  return (
    <Panel
      title="Parameters"
      className="parameters-panel"
      hint="a change restarts the strategy and keeps its state"
    >
      {document.loading && <Skeleton lines={6} />}
      {document.problem && !document.data && (
        <ProblemNote problem={document.problem} retry={document.reload} />
      )}
      {parameters?.length === 0 && <Empty title="This strategy has no parameters" />}
      {parameters && parameters.length > 0 && (
        <ParametersForm account={account} name={name} parameters={parameters} onApplied={document.reload} />
      )}
    </Panel>
  );
}

function Versions({ name, running }: { name: string; running: string }): ReactElement {
  const version = useStream(slotChanges);
  const versions = useResource(
    'plugin-versions',
    async () => {
      const answer = await get<readonly PluginVersion[] | PageOf<PluginVersion>>('plugin-versions');
      return 'items' in answer ? answer.items : answer;
    },
    version,
  );
  const [uploading, setUploading] = useState(false);
  const [busy, setBusy] = useState<string | null>(null);
  const forbidden = useForbidden('operator', true);
  const plugin = versions.data?.find(({ hash }) => hash === running)?.name ?? name;
  const rows = versions.data?.filter((each) => each.name === plugin) ?? [];
  const rollBack = async (hash: string): Promise<void> => {
    setBusy(hash);
    try {
      await call('POST', path('plugins', name, 'rollback'), { version: hash });
      succeeded(`${name} goes back to ${hash.slice(0, 8)}.`);
      versions.reload();
    } catch (error) {
      failed(`${name} was not rolled back`, error);
    } finally {
      setBusy(null);
    }
  };
  return (
    <Panel
      title="Versions"
      className="versions-panel"
      flush
      actions={
        <Button small forbidden={forbidden} onClick={() => setUploading(true)}>
          <Icon name="upload" size={15} />
          Upload
        </Button>
      }
    >
      {versions.loading && <Skeleton lines={4} />}
      {versions.problem && !versions.data && (
        <ProblemNote problem={versions.problem} retry={versions.reload} />
      )}
      {versions.data && (
        <Table
          dense
          caption={`Versions of ${name}`}
          rows={rows}
          rowKey={({ hash }) => hash}
          empty={<Empty title="No version has run yet" />}
          columns={[
            { name: 'version', title: 'Version', cell: ({ version: text }) => <b>{text}</b> },
            {
              name: 'hash',
              title: 'Hash',
              cell: ({ hash }) => <code title={hash}>{hash.slice(0, 12)}</code>,
            },
            {
              name: 'first',
              title: 'First input',
              numeric: true,
              cell: ({ first_sequence }) => <Count value={first_sequence} />,
            },
            { name: 'bytes', title: 'Size', numeric: true, cell: ({ bytes }) => `${compact(bytes)}B` },
            {
              name: 'action',
              title: '',
              numeric: true,
              cell: ({ hash }) =>
                hash === running ? (
                  <Badge tone="good">running</Badge>
                ) : (
                  <Button
                    small
                    forbidden={forbidden}
                    busy={busy === hash}
                    onClick={() => void rollBack(hash)}
                  >
                    Roll back
                  </Button>
                ),
            },
          ]}
        />
      )}
      {uploading && <UploadDialog name={name} onClose={() => setUploading(false)} />}
    </Panel>
  );
}

const logsOf = ({ counts, snapshots }: StreamState): number => (counts['log'] ?? 0) + snapshots;
const faultsOf = ({ counts, snapshots }: StreamState): number => (counts['fault'] ?? 0) + snapshots;
const noticesOf = (state: StreamState): StreamState['notices'] => state.notices;

function Logs({ account, name }: { account: string; name: string }): ReactElement {
  const version = useStream(logsOf);
  const lines = useResource(
    `logs ${account} ${name}`,
    () => get<PageOf<LogEntry>>(path('accounts', account, 'strategies', name, 'logs')),
    version,
  );
  const items = lines.data?.items ?? [];
  return (
    <Panel title="Logs" className="logs-panel" hint="since the host started">
      {lines.loading && <Skeleton lines={5} />}
      {lines.problem && !lines.data && <ProblemNote problem={lines.problem} retry={lines.reload} />}
      {lines.data && items.length === 0 && (
        <Empty title="It has logged nothing yet">Lines appear here as the strategy writes them.</Empty>
      )}
      {items.length > 0 && (
        <ol className="log" tabIndex={0} aria-label={`Log of ${name}`}>
          {items.map(({ time, level, message }, index) => (
            <li key={`${time} ${items.length - index}`}>
              <time title={dateTime(time)}>{clockTime(time)}</time>
              <span className={`level ${level}`}>{level}</span>
              <span>{message}</span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

interface Happening {
  readonly key: string;
  readonly time: string;
  readonly kind: string;
  readonly text: string;
}

function Notices({ account, name }: { account: string; name: string }): ReactElement {
  const version = useStream(faultsOf);
  const faults = useResource(
    `faults ${account} ${name}`,
    () => get<PageOf<FaultEntry>>(path('accounts', account, 'strategies', name, 'faults')),
    version,
  );
  const seen = useStream(noticesOf);
  const happenings: Happening[] = [
    ...(faults.data?.items ?? []).map((fault, index) => ({
      key: `fault ${fault.time} ${index}`,
      time: fault.time,
      kind: 'fault',
      text: faultText(fault),
    })),
    ...seen
      .filter(({ event }) => strategyOf(event) === name && event.kind !== 'fault')
      .map(({ number, time, event }) => ({
        key: `seen ${number}`,
        time,
        kind: event.kind,
        text: noticeOf(event),
      })),
  ].sort((a, b) => b.time.localeCompare(a.time));
  return (
    <Panel title="Faults and changes" className="faults-panel">
      {faults.loading && <Skeleton lines={3} />}
      {faults.problem && !faults.data && <ProblemNote problem={faults.problem} retry={faults.reload} />}
      {faults.data && happenings.length === 0 && (
        <Empty title="No fault since the host started">Faults, restarts and new versions appear here.</Empty>
      )}
      {happenings.length > 0 && (
        <ol className="log" tabIndex={0} aria-label={`Faults and changes of ${name}`}>
          {happenings.map(({ key, time, kind, text }) => (
            <li key={key}>
              <time title={dateTime(time)}>{clockTime(time)}</time>
              <span className={`level ${kind === 'fault' ? 'error' : 'info'}`}>
                {kind.replace('slot-changed', 'slot')}
              </span>
              <span>{text}</span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

import { useState, type ReactElement } from 'react';
import { call, path } from '../api/client';
import type { AlertEntry, ChannelTest } from '../api/documents';
import { Badge, Button, Status, type BadgeTone } from '../components/controls';
import { Empty } from '../components/feedback';
import { ListView } from '../components/list-view';
import { Overlay } from '../components/overlay';
import { PageHead } from '../components/page-head';
import { failed } from '../components/toasts';
import { dateTime, shortDateTime } from '../format/time';
import { useView } from '../live/live';
import { usePaged } from '../paged';
import { useForbidden } from '../session';

const SEVERITIES: Readonly<Record<string, BadgeTone>> = { critical: 'bad', warning: 'warn', info: 'info' };
const numberOf = ({ number }: AlertEntry): number => number;

export function AlertsPage({ account }: { account: string }): ReactElement {
  const version = useView()?.alerts ?? 0;
  const list = usePaged<AlertEntry>(path('accounts', account, 'alerts'), {}, numberOf, version);
  return (
    <div className="page">
      <PageHead
        title="Alerts"
        hint="What was worth telling somebody since the host started, the newest first, and what each channel did with it."
      >
        <TestButton />
      </PageHead>
      <section className="panel flush" aria-label="Alerts">
        <ListView
          caption="Alerts"
          list={list}
          rowKey={numberOf}
          empty={
            <Empty title="Nothing was worth an alert yet" icon="alerts">
              Halts, breakers, faults, positions and whatever else people are told of is listed here.
            </Empty>
          }
          columns={[
            {
              name: 'time',
              title: 'Time (UTC)',
              cell: ({ time, noticed }) => (
                <span
                  className="number"
                  title={`${dateTime(time)}, noticed at ${dateTime(noticed)} by the machine's clock`}
                >
                  {shortDateTime(time ?? noticed)}
                </span>
              ),
            },
            {
              name: 'severity',
              title: 'Severity',
              cell: ({ severity }) => <Badge tone={SEVERITIES[severity] ?? 'quiet'}>{severity}</Badge>,
            },
            {
              name: 'title',
              title: 'What',
              lead: true,
              cell: ({ title, kind }) => <b title={kind}>{title}</b>,
            },
            {
              name: 'text',
              title: 'In particular',
              wraps: true,
              cell: ({ text, repeated }) => (
                <>
                  {text}
                  {repeated > 0 && <span className="faint"> And {repeated} more like it.</span>}
                </>
              ),
            },
            { name: 'channels', title: 'Told', wraps: true, cell: (entry) => <Told entry={entry} /> },
            {
              name: 'sequence',
              title: 'Input',
              numeric: true,
              cell: ({ sequence }) => <span className="number faint">{sequence ?? '–'}</span>,
            },
          ]}
        />
      </section>
    </div>
  );
}

function Told({ entry }: { entry: AlertEntry }): ReactElement {
  if (entry.deliveries.length === 0) return <span className="faint">nobody</span>;
  return (
    <>
      {entry.deliveries.map(({ channel, state, why }) => (
        <div key={channel} className="told">
          {channel} <Status value={state} />
          {why && <p className="faint">{why}</p>}
        </div>
      ))}
    </>
  );
}

function TestButton(): ReactElement {
  const [busy, setBusy] = useState(false);
  const [tests, setTests] = useState<readonly ChannelTest[] | null>(null);
  const forbidden = useForbidden('operator', true);
  const send = async (): Promise<void> => {
    setBusy(true);
    try {
      setTests(await call<ChannelTest[]>('POST', 'alerts/test', {}));
    } catch (error) {
      failed('No test was sent', error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button busy={busy} forbidden={forbidden} onClick={() => void send()}>
        Send a test
      </Button>
      {tests && (
        <Overlay title="What came of the test" onClose={() => setTests(null)}>
          <ul className="told-list">
            {tests.map(({ channel, delivered, problem }) => (
              <li key={channel}>
                {channel} <Status value={delivered ? 'sent' : 'failed'} />
                {problem && <p className="faint">{problem}</p>}
              </li>
            ))}
          </ul>
        </Overlay>
      )}
    </>
  );
}

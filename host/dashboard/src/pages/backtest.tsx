import { useEffect, useState, type ReactElement } from 'react';
import { call, get, path, url, type PageOf, type Schemas } from '../api/client';
import { Button, Select, Status, TextField } from '../components/controls';
import { Empty, ProblemNote, Skeleton } from '../components/feedback';
import { Gain, Money, Percent } from '../components/figures';
import { Icon } from '../components/icons';
import { PageHead } from '../components/page-head';
import { Panel } from '../components/panel';
import { failed } from '../components/toasts';
import * as decimal from '../format/decimal';
import { dateTime } from '../format/time';
import { useView } from '../live/live';
import { useResource } from '../resource';
import { useForbidden } from '../session';

type Job = Schemas['Backtest'];

const ENDED = ['done', 'failed', 'cancelled'];
const POLL = 1000;
/** Longest simulated market that the host takes. */
const MOST_DAYS = 366;

export function BacktestPage({ account }: { account: string }): ReactElement {
  const [tick, setTick] = useState(0);
  const hidden = useForbidden('viewer', true);
  const key = hidden ? null : 'backtests';
  const jobs = useResource(key, () => get<PageOf<Job>>('backtests'), tick);
  const runs = jobs.data?.items.some(({ state }) => !ENDED.includes(state)) ?? false;
  useEffect(() => {
    if (!runs) return undefined;
    const timer = setInterval(() => setTick((count) => count + 1), POLL);
    return () => clearInterval(timer);
  }, [runs]);
  return (
    <div className="page backtest">
      <PageHead
        title="Backtest"
        hint="The same component on the same events trades the same as live, bit for bit."
      />
      {jobs.problem?.isMissingRoute ? (
        <Empty title="This host runs no backtests over its API yet" icon="backtest">
          On the machine that runs the host:
          <code className="command">bulkhead backtest --help</code>
        </Empty>
      ) : (
        <div className="backtest-columns">
          <Panel title="New run">
            <BacktestForm account={account} onStarted={jobs.reload} />
          </Panel>
          <Panel title="Runs">
            {hidden && (
              <Empty title="Runs are for those who may see all accounts" icon="backtest">
                {hidden}
              </Empty>
            )}
            {jobs.loading && <Skeleton lines={5} />}
            {jobs.problem && !jobs.data && <ProblemNote problem={jobs.problem} retry={jobs.reload} />}
            {jobs.data?.items.length === 0 && (
              <Empty title="Nothing was run yet" icon="backtest">
                Choose a strategy and start a run; its progress and result appear here.
              </Empty>
            )}
            <ul className="jobs">
              {jobs.data?.items.map((job) => (
                <JobEntry key={job.id} job={job} onChanged={jobs.reload} />
              ))}
            </ul>
          </Panel>
        </div>
      )}
    </div>
  );
}

function BacktestForm({ account, onStarted }: { account: string; onStarted: () => void }): ReactElement {
  const strategies = useView()?.strategies ?? [];
  const [chosen, setChosen] = useState<string | null>(null);
  const [days, setDays] = useState('30');
  const [seed, setSeed] = useState('1');
  const [busy, setBusy] = useState(false);
  const forbidden = useForbidden('trader', true);
  const strategy = chosen ?? strategies[0]?.name ?? '';
  const isWhole = (text: string): boolean => /^\d+$/.test(text);
  const ready =
    strategy !== '' && isWhole(days) && Number(days) > 0 && Number(days) <= MOST_DAYS && isWhole(seed);
  const start = async (): Promise<void> => {
    setBusy(true);
    try {
      await call('POST', 'backtests', { account, strategy, days: Number(days), seed: Number(seed) });
      onStarted();
    } catch (error) {
      failed('The run was not started', error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready && !busy && !forbidden) void start();
      }}
    >
      <Select
        label="Strategy"
        value={strategy}
        options={strategies.map(({ name }) => [name, name] as const)}
        onChange={setChosen}
      />
      <TextField
        label="Length"
        value={days}
        onChange={setDays}
        unit="days"
        numeric
        problem={
          days && !(isWhole(days) && Number(days) <= MOST_DAYS)
            ? `A whole number up to ${MOST_DAYS} is needed.`
            : null
        }
      />
      <TextField
        label="Seed of the simulated market"
        value={seed}
        onChange={setSeed}
        numeric
        problem={seed && !isWhole(seed) ? 'A whole number is needed.' : null}
        hint="The same seed makes the same market."
      />
      <Button type="submit" tone="primary" busy={busy} disabled={!ready} forbidden={forbidden}>
        <Icon name="play" />
        {busy ? 'Starting…' : 'Start'}
      </Button>
    </form>
  );
}

function Cancel({ job, onCancelled }: { job: Job; onCancelled: () => void }): ReactElement {
  const forbidden = useForbidden('trader', true);
  const cancel = async (): Promise<void> => {
    try {
      await call('DELETE', path('backtests', job.id));
    } catch (problem) {
      failed('The backtest was not cancelled', problem);
    }
    onCancelled();
  };
  return (
    <Button small onClick={() => void cancel()} forbidden={forbidden}>
      Cancel
    </Button>
  );
}

function JobEntry({ job, onChanged }: { job: Job; onChanged: () => void }): ReactElement {
  const { request, summary } = job;
  const progress = Math.min(1, Math.max(0, job.progress));
  const what = [
    request.strategy,
    `${request.days} days`,
    request.seed === undefined ? '' : `seed ${request.seed}`,
  ];
  return (
    <li>
      <div className="job-head">
        <b>{what.filter(Boolean).join(', ')}</b>
        <Status value={job.state} />
        {!ENDED.includes(job.state) && <Cancel job={job} onCancelled={onChanged} />}
        <span className="push" />
        <span className="faint number">
          {dateTime(job.created)}, {job.by}
        </span>
      </div>
      {!ENDED.includes(job.state) && (
        <progress value={progress} max={1} aria-label="Progress">
          {(progress * 100).toFixed(0)} %
        </progress>
      )}
      {job.reason && <p className="loss">{job.reason}</p>}
      {summary && (
        <dl className="facts">
          <Fact title="Return">
            <Gain value={summary.return} percent />
          </Fact>
          <Fact title="Max drawdown">
            <Percent value={summary.max_drawdown ?? null} />
          </Fact>
          <Fact title="Sharpe">{ratio(summary.sharpe)}</Fact>
          <Fact title="Trades">{summary.trades ?? '–'}</Fact>
          <Fact title="Win rate">
            <Percent value={summary.win_rate} digits={1} />
          </Fact>
          <Fact title="Ended with">
            <Money value={summary.final_equity} unit />
          </Fact>
        </dl>
      )}
      {job.state === 'done' && (
        <a
          className="button small"
          href={url(path('backtests', job.id, 'report'))}
          target="_blank"
          rel="noreferrer"
        >
          Open the report
        </a>
      )}
    </li>
  );
}

function Fact({ title, children }: { title: string; children: React.ReactNode }): ReactElement {
  return (
    <div>
      <dt>{title}</dt>
      <dd className="number">{children}</dd>
    </div>
  );
}

function ratio(value: number | null | undefined): string {
  const number = value === null || value === undefined ? null : decimal.fromNumber(value);
  return number ? decimal.format(number, { digits: 2 }) : '–';
}

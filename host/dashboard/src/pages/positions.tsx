import { useState, type ReactElement } from 'react';
import { change, path } from '../api/client';
import { Button, Status } from '../components/controls';
import { Empty, Skeleton } from '../components/feedback';
import { Gain, Money, Price, Quantity } from '../components/figures';
import { Overlay } from '../components/overlay';
import { PageHead } from '../components/page-head';
import { StrategyTag } from '../components/strategy-tag';
import { Table } from '../components/table';
import { failed, succeeded } from '../components/toasts';
import { dateTime, duration, milliseconds } from '../format/time';
import { useView } from '../live/live';
import type { LivePosition } from '../live/messages';
import { href } from '../router';
import { useForbidden } from '../session';
import { ExitsDialog } from './exits-dialog';

export function PositionsPage({ account }: { account: string }): ReactElement {
  const view = useView();
  const now = milliseconds(view?.time) ?? 0;
  const [closing, setClosing] = useState<LivePosition | null>(null);
  const [guarding, setGuarding] = useState<LivePosition | null>(null);
  const forbidden = useForbidden('trader');
  return (
    <div className="page">
      <PageHead
        title="Positions"
        hint="Live, at average cost. Exits belong to the host and go on without the strategy."
      />
      <section className="panel flush" aria-label="Open positions">
        {!view && <Skeleton lines={6} />}
        {view && (
          <Table
            caption="Open positions"
            rows={view.positions}
            rowKey={({ strategy, instrument }) => `${strategy} ${instrument}`}
            empty={
              <Empty title="No position is open" icon="positions">
                {view.halted
                  ? 'Trading is halted: no new position is opened until it is resumed.'
                  : 'They appear here as strategies enter the market.'}
              </Empty>
            }
            columns={[
              {
                name: 'instrument',
                title: 'Instrument',
                lead: true,
                cell: ({ instrument }) => <a href={href(['market'], { instrument })}>{instrument}</a>,
              },
              {
                name: 'strategy',
                title: 'Strategy',
                cell: ({ strategy, shadow }) => (
                  <span className="pair">
                    <StrategyTag name={strategy} />
                    {shadow && <Status value="shadow" />}
                  </span>
                ),
              },
              {
                name: 'quantity',
                title: 'Quantity',
                numeric: true,
                cell: ({ quantity }) => <Quantity value={quantity} />,
              },
              { name: 'cost', title: 'Cost, USD', numeric: true, cell: ({ cost }) => <Money value={cost} /> },
              { name: 'entry', title: 'Entry', numeric: true, cell: ({ entry }) => <Price value={entry} /> },
              { name: 'last', title: 'Last', numeric: true, cell: ({ last }) => <Price value={last} /> },
              { name: 'pnl', title: 'PnL, USD', numeric: true, cell: ({ pnl }) => <Gain value={pnl} /> },
              { name: 'stop', title: 'Stop', numeric: true, cell: ({ stop }) => <Price value={stop} /> },
              {
                name: 'stop-kind',
                title: 'Kind of stop',
                cell: ({ stop_kind }) => stop_kind?.replace(/-/g, ' ') ?? '–',
              },
              {
                name: 'tier',
                title: 'Next tier',
                numeric: true,
                cell: (position) => <Price value={nextTier(position)} />,
              },
              {
                name: 'opened',
                title: 'Open for',
                numeric: true,
                cell: ({ opened, expires }) => (
                  <span
                    className="number"
                    title={`since ${dateTime(opened)}${expires ? `, until ${dateTime(expires)} at most` : ''}`}
                  >
                    {duration(now - (milliseconds(opened) ?? now))}
                  </span>
                ),
              },
              {
                name: 'close',
                title: '',
                numeric: true,
                cell: (position) => (
                  <span className="row-actions">
                    <Button small forbidden={forbidden} onClick={() => setGuarding(position)}>
                      Exits
                    </Button>
                    <Button small forbidden={forbidden} onClick={() => setClosing(position)}>
                      Close
                    </Button>
                  </span>
                ),
              },
            ]}
          />
        )}
      </section>
      {guarding && <ExitsDialog account={account} position={guarding} onClose={() => setGuarding(null)} />}
      {closing && <CloseDialog account={account} position={closing} onClose={() => setClosing(null)} />}
    </div>
  );
}

const nextTier = ({ tiers }: LivePosition): string | null => tiers.find(({ taken }) => !taken)?.price ?? null;

/** Asked once more, apart from the rows: those move while a hand is on its way. */
function CloseDialog({
  account,
  position,
  onClose,
}: {
  account: string;
  position: LivePosition;
  onClose: () => void;
}): ReactElement {
  const [busy, setBusy] = useState(false);
  const { strategy, instrument, quantity } = position;
  const close = async (): Promise<void> => {
    setBusy(true);
    try {
      await change(path('accounts', account, 'strategies', strategy, 'positions', instrument, 'close'));
      succeeded(`${instrument} of ${strategy} is being closed at the market.`);
    } catch (error) {
      failed(`${instrument} of ${strategy} was not closed`, error);
    }
    onClose();
  };
  return (
    <Overlay
      title={`Close ${instrument} of ${strategy}`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button tone="danger" busy={busy} onClick={() => void close()}>
            {busy ? 'Closing…' : 'Close at the market'}
          </Button>
        </>
      }
    >
      <p>
        All of it is sold at the market: <Quantity value={quantity} /> when this was asked.
      </p>
    </Overlay>
  );
}

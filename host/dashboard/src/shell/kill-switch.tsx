/** Stopping everything, confirmed, and going on again. */
import { useState, type ReactElement } from 'react';
import { change, path } from '../api/client';
import { Button, Segments, TextField } from '../components/controls';
import { Icon } from '../components/icons';
import { Overlay } from '../components/overlay';
import { failed, succeeded } from '../components/toasts';
import { useForbidden } from '../session';

type Action = 'stop-entries' | 'cancel-orders' | 'flatten';

const MEANING: Readonly<Record<Action, string>> = {
  'stop-entries': 'No new positions. Working orders stay; exits go on.',
  'cancel-orders': 'No new positions, and the strategies\u2019 working orders are taken back. Exits go on.',
  flatten: 'No new positions, working orders are taken back, and every position is closed at the market.',
};

export function HaltDialog({ account, onClose }: { account: string; onClose: () => void }): ReactElement {
  const [action, setAction] = useState<Action>('stop-entries');
  const [reason, setReason] = useState('');
  const [busy, setBusy] = useState(false);
  const halt = async (): Promise<void> => {
    setBusy(true);
    try {
      await change(path('accounts', account, 'halt'), { reason: reason.trim(), action });
      succeeded(`Trading on ${account} is halted.`);
      onClose();
    } catch (error) {
      failed('Trading was not halted', error);
      setBusy(false);
    }
  };
  return (
    <Overlay
      title={`Halt trading on ${account}`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep trading</Button>
          <Button tone="danger" busy={busy} disabled={!reason.trim()} onClick={() => void halt()}>
            <Icon name="stop" />
            {action === 'flatten' ? 'Halt and close all positions' : 'Halt trading'}
          </Button>
        </>
      }
    >
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (reason.trim() && !busy) void halt();
        }}
      >
        <Segments
          label="What to stop"
          value={action}
          options={[
            ['stop-entries', 'Stop entries'],
            ['cancel-orders', 'Cancel orders'],
            ['flatten', 'Flatten'],
          ]}
          onChange={setAction}
        />
        <p className="reserve-two-lines">{MEANING[action]}</p>
        <TextField
          label="Reason"
          value={reason}
          onChange={setReason}
          required
          autoFocus
          hint="Kept in the audit, and shown to whoever finds trading stopped. It stays halted, also over a restart, until somebody resumes."
        />
      </form>
    </Overlay>
  );
}

export function HaltButton({ account, large = false }: { account: string; large?: boolean }): ReactElement {
  const [open, setOpen] = useState(false);
  const forbidden = useForbidden('operator');
  return (
    <>
      <span className={large ? 'halt-large' : 'halt-small'}>
        <Button tone="danger" forbidden={forbidden} onClick={() => setOpen(true)} label="Halt trading">
          <Icon name="stop" />
          <span>Halt trading</span>
        </Button>
      </span>
      {open && <HaltDialog account={account} onClose={() => setOpen(false)} />}
    </>
  );
}

export function ResumeButton({ account }: { account: string }): ReactElement {
  const [busy, setBusy] = useState(false);
  const forbidden = useForbidden('operator');
  const resume = async (): Promise<void> => {
    setBusy(true);
    try {
      await change(path('accounts', account, 'resume'));
      succeeded(`Trading on ${account} goes on.`);
    } catch (error) {
      failed('Trading was not resumed', error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Button tone="primary" busy={busy} forbidden={forbidden} onClick={() => void resume()}>
      <Icon name="play" />
      Resume trading
    </Button>
  );
}

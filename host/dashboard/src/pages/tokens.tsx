import { useState, type ReactElement } from 'react';
import { call, get, path, type PageOf } from '../api/client';
import type { Role, Token } from '../api/documents';
import { Badge, Button, Select, Status, TextField } from '../components/controls';
import { Empty, ProblemNote, Skeleton } from '../components/feedback';
import { Icon } from '../components/icons';
import { Overlay } from '../components/overlay';
import { PageHead } from '../components/page-head';
import { Table } from '../components/table';
import { failed, succeeded } from '../components/toasts';
import { dateTime, milliseconds } from '../format/time';
import { useResource } from '../resource';
import { useForbidden } from '../session';

export function TokensPage(): ReactElement {
  const forbidden = useForbidden('admin', true);
  if (forbidden) {
    return (
      <div className="page">
        <PageHead title="Tokens" />
        <Empty title="Only admins may see tokens" icon="tokens">
          {forbidden}
        </Empty>
      </div>
    );
  }
  return <TokenList />;
}

function stateOf({ revoked, expires }: Token): string {
  if (revoked) return 'revoked';
  const end = milliseconds(expires);
  return end !== null && end < Date.now() ? 'expired' : 'valid';
}

function TokenList(): ReactElement {
  const tokens = useResource('tokens', () => get<PageOf<Token>>('tokens'));
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<string | null>(null);
  return (
    <div className="page">
      <PageHead title="Tokens" hint="Who may use the API and this page, and as what.">
        <Button tone="primary" onClick={() => setCreating(true)}>
          New token
        </Button>
      </PageHead>
      {tokens.loading && <Skeleton height={240} />}
      {tokens.problem && !tokens.data && <ProblemNote problem={tokens.problem} retry={tokens.reload} />}
      {tokens.data && (
        <section className="panel flush" aria-label="Tokens">
          <Table
            caption="Tokens"
            rows={tokens.data.items}
            rowKey={({ name }) => name}
            empty={<Empty title="There is no token" icon="tokens" />}
            columns={[
              { name: 'name', title: 'Name', lead: true, cell: ({ name }) => <b>{name}</b> },
              { name: 'role', title: 'Role', cell: ({ role }) => <Badge tone="info">{role}</Badge> },
              {
                name: 'account',
                title: 'Account',
                cell: ({ account }) => account ?? <span className="faint">all</span>,
              },
              {
                name: 'created',
                title: 'Created (UTC)',
                cell: ({ created }) => <span className="number">{dateTime(created)}</span>,
              },
              {
                name: 'expires',
                title: 'Expires (UTC)',
                cell: ({ expires }) =>
                  expires ? (
                    <span className="number">{dateTime(expires)}</span>
                  ) : (
                    <span className="faint">never</span>
                  ),
              },
              {
                name: 'used',
                title: 'Last used (UTC)',
                cell: ({ last_used }) =>
                  last_used ? (
                    <span className="number">{dateTime(last_used)}</span>
                  ) : (
                    <span className="faint">never</span>
                  ),
              },
              {
                name: 'state',
                title: 'State',
                cell: (token) =>
                  stateOf(token) === 'valid' ? (
                    <Badge tone="good">valid</Badge>
                  ) : (
                    <Status value={stateOf(token)} />
                  ),
              },
              {
                name: 'revoke',
                title: '',
                numeric: true,
                cell: (token) =>
                  stateOf(token) === 'valid' && (
                    <Button small onClick={() => setRevoking(token.name)}>
                      Revoke
                    </Button>
                  ),
              },
            ]}
          />
        </section>
      )}
      {creating && <CreateDialog onClose={() => setCreating(false)} onCreated={tokens.reload} />}
      {revoking !== null && (
        <RevokeDialog name={revoking} onClose={() => setRevoking(null)} onRevoked={tokens.reload} />
      )}
    </div>
  );
}

const ROLES: readonly (readonly [Role, string])[] = [
  ['viewer', 'viewer – reads'],
  ['trader', 'trader – also orders by hand'],
  ['operator', 'operator – also halts, weights, strategies'],
  ['admin', 'admin – also tokens'],
];

const LIFETIMES: readonly (readonly [string, string])[] = [
  ['1', '1 day'],
  ['30', '30 days'],
  ['365', '1 year'],
  ['', 'never'],
];

function CreateDialog({ onClose, onCreated }: { onClose: () => void; onCreated: () => void }): ReactElement {
  const [name, setName] = useState('');
  const [role, setRole] = useState<string>('viewer');
  const [days, setDays] = useState('30');
  const [busy, setBusy] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const create = async (): Promise<void> => {
    setBusy(true);
    try {
      const expires = days ? { expires: new Date(Date.now() + Number(days) * 86_400_000).toISOString() } : {};
      const made = await call<{ secret: string }>('POST', 'tokens', { name, role, ...expires });
      setSecret(made?.secret ?? null);
      onCreated();
    } catch (error) {
      failed('No token was made', error);
    } finally {
      setBusy(false);
    }
  };
  if (secret !== null) {
    return (
      <Overlay
        title={`Token ${name}`}
        onClose={onClose}
        footer={
          <Button tone="primary" onClick={onClose}>
            I have kept it
          </Button>
        }
      >
        <div className="stack">
          <p>This is shown once. Keep it where secrets are kept; the host stores only its hash.</p>
          <div className="secret">
            <code>{secret}</code>
            <Button
              label="Copy"
              onClick={() => {
                navigator.clipboard.writeText(secret).then(
                  () => succeeded('Copied.'),
                  () => failed('It could not be copied', new Error('select it by hand')),
                );
              }}
            >
              <Icon name="copy" />
              Copy
            </Button>
          </div>
        </div>
      </Overlay>
    );
  }
  return (
    <Overlay
      title="New token"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" busy={busy} disabled={!name.trim()} onClick={() => void create()}>
            Create
          </Button>
        </>
      }
    >
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim() && !busy) void create();
        }}
      >
        <TextField
          label="Name"
          value={name}
          onChange={setName}
          required
          autoFocus
          hint="Stands in the audit for whatever is done with it."
        />
        <Select label="Role" value={role} options={ROLES} onChange={setRole} />
        <Select label="Expires after" value={days} options={LIFETIMES} onChange={setDays} />
      </form>
    </Overlay>
  );
}

function RevokeDialog({
  name,
  onClose,
  onRevoked,
}: {
  name: string;
  onClose: () => void;
  onRevoked: () => void;
}): ReactElement {
  const [busy, setBusy] = useState(false);
  const revoke = async (): Promise<void> => {
    setBusy(true);
    try {
      await call('DELETE', path('tokens', name));
      succeeded(`Token ${name} is revoked; its sessions have ended.`);
      onRevoked();
      onClose();
    } catch (error) {
      failed(`Token ${name} was not revoked`, error);
      setBusy(false);
    }
  };
  return (
    <Overlay
      title={`Revoke ${name}`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button tone="danger" busy={busy} onClick={() => void revoke()}>
            Revoke
          </Button>
        </>
      }
    >
      <p>Whoever uses this token is shut out at once, and it can&rsquo;t be made valid again.</p>
    </Overlay>
  );
}

import { useState, type ReactElement } from 'react';
import { asProblem, type Problem } from '../api/problem';
import { Button, TextField } from '../components/controls';
import { Logo } from '../components/icons';
import { logIn } from '../session';

export function LoginPage({ why }: { why: string | null }): ReactElement {
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const submit = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await logIn(token.trim());
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="login">
      <form
        className="panel login-card"
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim()) void submit();
        }}
      >
        <div className="login-brand">
          <Logo />
          <h1>Bulkhead</h1>
        </div>
        {why && <p className="note">{why}</p>}
        <TextField
          label="Access token"
          type="password"
          value={token}
          onChange={setToken}
          autoFocus
          required
          autoComplete="current-password"
          problem={problem ? problem.message : null}
        />
        <Button type="submit" tone="primary" busy={busy} disabled={!token.trim()}>
          {busy ? 'Logging in…' : 'Log in'}
        </Button>
        <div className="login-help">
          <p>No token yet? On the machine that runs the host:</p>
          <code className="command">bulkhead token create --name me --role admin</code>
          <p>
            The token is shown once. This page trades it for a short session; it is not kept in the browser.
          </p>
        </div>
        {problem?.requestId && (
          <p className="faint">
            Request <code>{problem.requestId}</code>
          </p>
        )}
      </form>
    </main>
  );
}

import { useState, type ReactElement } from 'react';
import { asProblem, Problem } from '../api/problem';
import { Button, TextField } from '../components/controls';
import { Logo } from '../components/icons';
import { logIn, logInWithWallet } from '../session';
import { walletsHere } from '../wallet';

/** A wallet whose holder says no rejects with an error of its own kind. */
function problemOfLogin(error: unknown): Problem {
  const isOfWallet =
    typeof error === 'object' && error !== null && 'message' in error && !(error instanceof TypeError);
  if (error instanceof Problem || !isOfWallet) return asProblem(error);
  return new Problem(
    0,
    'about:blank',
    'The wallet did not sign',
    `The wallet did not sign: ${String(error.message)}`,
    null,
  );
}

export function LoginPage({ why }: { why: string | null }): ReactElement {
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const chains = walletsHere();
  const enter = async (logging: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await logging();
    } catch (error) {
      setProblem(problemOfLogin(error));
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
          if (token.trim()) void enter(() => logIn(token.trim()));
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
        {chains.map((chain) => (
          <Button key={chain} busy={busy} onClick={() => void enter(() => logInWithWallet(chain))}>
            {chain === 'evm' ? 'Sign in with an Ethereum wallet' : 'Sign in with a Solana wallet'}
          </Button>
        ))}
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

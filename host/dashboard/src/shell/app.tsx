/** The page as a whole: log in, then the shell around the page that the address names. */
import { useEffect, type ReactElement } from 'react';
import { Skeleton, ProblemNote } from '../components/feedback';
import { Toasts } from '../components/toasts';
import { LoginPage } from '../pages/login';
import { resume, session } from '../session';
import { useWhole } from '../store';
import { Shell } from './shell';

export function App(): ReactElement {
  const state = useWhole(session);
  useEffect(() => void resume(), []);
  return (
    <>
      {state.kind === 'unknown' && (
        <div className="centre">
          <Skeleton lines={3} />
        </div>
      )}
      {state.kind === 'unreachable' && (
        <div className="centre">
          <ProblemNote problem={state.problem} retry={() => void resume()} />
        </div>
      )}
      {state.kind === 'none' && <LoginPage why={state.why} />}
      {state.kind === 'open' && <Shell session={state.session} />}
      <Toasts />
    </>
  );
}

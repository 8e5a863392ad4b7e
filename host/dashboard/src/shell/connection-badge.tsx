import { useEffect, useState, type ReactElement } from 'react';
import { connection, retryNow } from '../live/live';
import { useWhole } from '../store';

/** Live, or what is being done about it. */
export function ConnectionBadge(): ReactElement {
  const state = useWhole(connection);
  const [now, setNow] = useState(() => Date.now());
  const waits = state.kind === 'reconnecting';
  useEffect(() => {
    if (!waits) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [waits, state]);
  switch (state.kind) {
    case 'live':
      return (
        <span className="connection live" role="status" title="Live updates arrive">
          <i />
          Live
        </span>
      );
    case 'stale':
      return (
        <span
          className="connection stale"
          role="status"
          title="Connected, but nothing has arrived for a while"
        >
          <i />
          Stale
        </span>
      );
    case 'reconnecting': {
      const seconds = Math.max(0, Math.ceil((state.at - now) / 1000));
      return (
        <button
          type="button"
          className="connection lost"
          title={`Connection lost: ${state.why}`}
          onClick={retryNow}
        >
          <i />
          {seconds > 0 ? `Reconnecting in ${seconds} s` : 'Reconnecting…'}
        </button>
      );
    }
    case 'connecting':
      return (
        <span className="connection stale" role="status">
          <i />
          Connecting…
        </span>
      );
    case 'ended':
      return (
        <span className="connection lost" role="status" title={state.why}>
          <i />
          Ended
        </span>
      );
  }
}

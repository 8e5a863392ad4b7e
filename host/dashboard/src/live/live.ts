/** The one live connection of the page, as stores. */
import { get, url } from '../api/client';
import { sessionEnded } from '../session';
import { createStore, useStore } from '../store';
import { LiveConnection, type Connection, type Socket } from './connection';
import type { LiveBar, LiveView } from './messages';
import { EMPTY, type StreamState } from './stream';

export const stream = createStore<StreamState>(EMPTY);
export const connection = createStore<Connection>({ kind: 'connecting' });

/** PnL of each strategy over the last minutes of this page, for sparklines. */
export interface Trace {
  readonly points: readonly number[];
}
export const traces = createStore<Readonly<Record<string, Trace>>>({});
const TRACE_POINTS = 90;
const TRACE_INTERVAL = 1000;

const barListeners = new Set<(bars: readonly LiveBar[]) => void>();

export function onBars(listener: (bars: readonly LiveBar[]) => void): () => void {
  barListeners.add(listener);
  return () => barListeners.delete(listener);
}

/** The newest bars of this connection: a chart that has just read its history takes from here what came meanwhile. */
let recentBars: LiveBar[] = [];
const RECENT_BARS = 2000;
export const barsSoFar = (): readonly LiveBar[] => recentBars;

let current: LiveConnection | null = null;

export function follow(account: string): () => void {
  stream.set(EMPTY);
  traces.set({});
  recentBars = [];
  let pending: StreamState | null = null;
  let tracedAt = 0;
  let frame = 0;
  // Many events may come between two frames; pages render once for all of them.
  const flush = (): void => {
    frame = 0;
    if (!pending) return;
    const state = pending;
    pending = null;
    stream.set(state);
    const now = performance.now();
    if (state.view && now - tracedAt >= TRACE_INTERVAL) {
      tracedAt = now;
      traces.set(traced(traces.get(), state.view));
    }
  };
  const schedule = (): void => {
    if (frame) return;
    // A hidden page gets no frames, but must not fall behind without end.
    frame = document.hidden ? window.setTimeout(flush, 1000) : requestAnimationFrame(flush);
  };
  const own = new LiveConnection(
    account,
    {
      state: (state) => {
        pending = state;
        schedule();
      },
      connection: (next) => {
        connection.set(next);
        // A browser does not say why a connection was refused. If the session is over, this finds it out.
        if (next.kind === 'reconnecting') void get('session').catch(() => undefined);
      },
      bars: (bars) => {
        recentBars = [...recentBars, ...bars].slice(-RECENT_BARS);
        barListeners.forEach((listener) => listener(bars));
      },
      sessionEnded,
    },
    {
      open: openSocket,
      now: Date.now,
      after: (milliseconds, action) => {
        const timer = setTimeout(action, milliseconds);
        return () => clearTimeout(timer);
      },
      random: Math.random,
    },
  );
  const back = (): void => own.retryNow();
  const gone = (): void => own.drop('the browser is offline');
  addEventListener('online', back);
  addEventListener('offline', gone);
  current = own;
  own.start();
  return () => {
    removeEventListener('online', back);
    removeEventListener('offline', gone);
    own.stop();
    if (current === own) current = null;
  };
}

function openSocket(path: string): Socket {
  const socket = new WebSocket(new URL(url(path), document.baseURI).href.replace(/^http/, 'ws'));
  const own: Socket = { onmessage: null, onclose: null, close: () => socket.close() };
  socket.onmessage = (event: MessageEvent<unknown>) => own.onmessage?.(event);
  socket.onclose = (event) => own.onclose?.(event);
  return own;
}

export function retryNow(): void {
  current?.retryNow();
}

function traced(before: Readonly<Record<string, Trace>>, view: LiveView): Record<string, Trace> {
  const next: Record<string, Trace> = {};
  for (const { name, pnl } of view.strategies) {
    // Coordinates of a line; what is shown in figures is the text itself.
    next[name] = { points: [...(before[name]?.points ?? []), Number(pnl)].slice(-TRACE_POINTS) };
  }
  return next;
}

export const useStream = <S>(select: (state: StreamState) => S): S => useStore(stream, select);

const viewOf = (state: StreamState): LiveView | null => state.view;
export const useView = (): LiveView | null => useStream(viewOf);

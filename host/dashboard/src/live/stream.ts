/**
 * What is known of an account from its live stream: a pure reducer, so that gaps, resumption and bounds are
 * tested without a socket.
 */
import type { LiveEvent, LiveView, Message } from './messages';

export interface SeenEvent {
  readonly sequence: number;
  /** Tells apart what has the same sequence. */
  readonly number: number;
  readonly time: string;
  readonly topic: string;
  readonly event: LiveEvent;
}

export interface StreamState {
  /** Which life of the host's stream this is; sequences of another mean nothing. */
  readonly stream: string | null;
  /** The last message's sequence; null before the first snapshot and after a gap. */
  readonly sequence: number | null;
  readonly heartbeatSeconds: number;
  readonly view: LiveView | null;
  /** The newest first, bounded per list. */
  readonly fills: readonly SeenEvent[];
  readonly refusals: readonly SeenEvent[];
  readonly notices: readonly SeenEvent[];
  readonly logs: readonly SeenEvent[];
  /** Counts up with each event of a kind, for lists that are read from the API and want to be read again. */
  readonly counts: Readonly<Record<string, number>>;
  readonly received: number;
}

export const EMPTY: StreamState = {
  stream: null,
  sequence: null,
  heartbeatSeconds: 15,
  view: null,
  fills: [],
  refusals: [],
  notices: [],
  logs: [],
  counts: {},
  received: 0,
};

const KEPT = 60;
const KEPT_LOGS = 300;

const LIST_OF_KIND: Readonly<Record<string, 'fills' | 'refusals' | 'notices' | 'logs'>> = {
  filled: 'fills',
  refused: 'refusals',
  log: 'logs',
  fault: 'notices',
  'slot-changed': 'notices',
  'trading-state': 'notices',
  'settings-changed': 'notices',
  'breaker-changed': 'notices',
  'input-refused': 'notices',
};

/** What the state becomes, and whether something was missed, so that a new snapshot is needed. */
export interface Reduced {
  readonly state: StreamState;
  readonly gap: boolean;
}

export function reduce(state: StreamState, message: Message): Reduced {
  switch (message.kind) {
    case 'hello': {
      const sameStream = message.resumed && state.stream === message.stream;
      const kept = sameStream ? state : { ...EMPTY, counts: state.counts, view: state.view };
      return {
        gap: message.resumed && !sameStream,
        state: {
          ...kept,
          stream: message.stream,
          sequence: message.resumed ? kept.sequence : null,
          heartbeatSeconds: message.heartbeat_seconds,
        },
      };
    }
    case 'snapshot':
      return { gap: false, state: { ...state, sequence: message.sequence, view: message.view } };
    case 'view':
      return chained(state, message, { view: message.view });
    case 'bars':
      return chained(state, message, {});
    case 'event':
      return chained(state, message, withEvent(state, message));
    case 'heartbeat':
    case 'lagging':
      return { state, gap: false };
  }
}

function chained(
  state: StreamState,
  message: { readonly sequence: number; readonly previous: number },
  change: Partial<StreamState>,
): Reduced {
  if (state.sequence === null || message.previous !== state.sequence) {
    return { gap: true, state: { ...state, sequence: null } };
  }
  return { gap: false, state: { ...state, ...change, sequence: message.sequence } };
}

function withEvent(state: StreamState, message: Extract<Message, { kind: 'event' }>): Partial<StreamState> {
  const received = state.received + 1;
  const { kind } = message.event;
  const counts = { ...state.counts, [kind]: (state.counts[kind] ?? 0) + 1 };
  const list = LIST_OF_KIND[kind];
  if (!list) return { received, counts };
  const seen: SeenEvent = {
    sequence: message.sequence,
    number: received,
    time: message.time,
    topic: message.topic,
    event: message.event,
  };
  return { received, counts, [list]: [seen, ...state[list]].slice(0, list === 'logs' ? KEPT_LOGS : KEPT) };
}

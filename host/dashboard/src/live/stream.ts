/**
 * What is known of an account from its live stream: a pure reducer, so that gaps, resumption and bounds are
 * tested without a socket.
 */
import type { LiveEvent, LiveView, Message, MessageOf } from './messages';

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
  /** The number of the last message; null before the first snapshot and after a gap. */
  readonly sequence: number | null;
  /** The number of the last message of each topic. */
  readonly last: Readonly<Record<string, number>>;
  readonly heartbeatSeconds: number;
  readonly view: LiveView | null;
  /** The newest first, bounded per list. */
  readonly fills: readonly SeenEvent[];
  readonly refusals: readonly SeenEvent[];
  readonly notices: readonly SeenEvent[];
  /** Counts up with each event of a kind, for lists that are read from the API and want to be read again. */
  readonly counts: Readonly<Record<string, number>>;
  readonly received: number;
  /** Counts up with each snapshot: what was read from the API before it may have missed something. */
  readonly snapshots: number;
}

export const EMPTY: StreamState = {
  stream: null,
  sequence: null,
  last: {},
  heartbeatSeconds: 15,
  view: null,
  fills: [],
  refusals: [],
  notices: [],
  counts: {},
  received: 0,
  snapshots: 0,
};

const KEPT = 60;

const LIST_OF_KIND: Readonly<Partial<Record<LiveEvent['kind'], 'fills' | 'refusals' | 'notices'>>> = {
  filled: 'fills',
  refused: 'refusals',
  fault: 'notices',
  'slot-changed': 'notices',
  'trading-state': 'notices',
  'settings-changed': 'notices',
  'breaker-changed': 'notices',
  'input-refused': 'notices',
  'books-adjusted': 'notices',
  'ignoring-changed': 'notices',
};

/** What the state becomes, and whether something was missed, so that a new snapshot is needed. */
export interface Reduced {
  readonly state: StreamState;
  readonly gap: boolean;
}

export function reduce(state: StreamState, message: Message): Reduced {
  switch (message.kind) {
    case 'hello':
      return greeted(state, message);
    case 'snapshot': {
      const view = message.view ?? state.view;
      const snapshots = state.snapshots + 1;
      return { gap: false, state: { ...state, sequence: message.sequence, view, snapshots } };
    }
    case 'event':
      return numbered(state, message, message.topic, () => withEvent(state, message));
    case 'bars':
      return numbered(state, message, 'bars', () => ({}));
    case 'view':
      if (state.sequence === null) return { state, gap: true };
      return { gap: false, state: { ...state, view: message.view } };
    case 'heartbeat':
    case 'lagging':
      return { state, gap: false };
  }
}

function greeted(state: StreamState, message: MessageOf<'hello'>): Reduced {
  const { stream, resumed, heartbeat_seconds: heartbeatSeconds } = message;
  if (resumed) {
    // What follows continues what is here, if it is of the same stream.
    const gap = state.stream !== stream || state.sequence === null;
    return { gap, state: { ...state, stream, heartbeatSeconds } };
  }
  const { counts, view, snapshots } = state;
  const last = Object.fromEntries(message.topics.map((topic, place) => [topic, message.last[place] ?? 0]));
  return { gap: false, state: { ...EMPTY, counts, view, snapshots, stream, last, heartbeatSeconds } };
}

function numbered(
  state: StreamState,
  message: { readonly sequence: number; readonly previous: number },
  topic: string,
  change: () => Partial<StreamState>,
): Reduced {
  if (state.sequence === null || message.previous !== (state.last[topic] ?? 0)) {
    return { gap: true, state: { ...state, sequence: null } };
  }
  const last = { ...state.last, [topic]: message.sequence };
  return { gap: false, state: { ...state, ...change(), last, sequence: message.sequence } };
}

function withEvent(state: StreamState, message: MessageOf<'event'>): Partial<StreamState> {
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
  return { received, counts, [list]: [seen, ...state[list]].slice(0, KEPT) };
}

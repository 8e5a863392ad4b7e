/** What the host says on `GET /api/v1/accounts/{account}/live`. */

export interface Breaker {
  readonly name: string;
  readonly state: 'closed' | 'open' | 'half-open';
  readonly reason?: string | null;
}

export interface LiveStrategy {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly mode: string;
  readonly status: string;
  readonly weight: string;
  readonly capital: string;
  readonly funded: string;
  readonly pnl: string;
  readonly realised?: string;
  /** Since the host started, as are the refusals. */
  readonly fills: number;
  readonly refusals: number;
  readonly faults: number;
  /** Events that it was told over its life. */
  readonly events?: number;
  /** Of the last calls, where the host measures it. */
  readonly fuel?: number;
  readonly latency_us?: number;
}

export interface Tier {
  readonly price: string;
  /** The part of what was bought that is sold there, 0 to 1. */
  readonly share: number;
  readonly taken: boolean;
}

export interface LivePosition {
  readonly strategy: string;
  readonly instrument: string;
  readonly shadow?: boolean;
  readonly quantity: string;
  readonly entry: string;
  readonly last: string | null;
  /** The price at which it is sold whole, the highest of its stops, and which stop that is. */
  readonly stop: string | null;
  readonly stop_kind?: string | null;
  readonly tiers: readonly Tier[];
  readonly expires: string | null;
  readonly cost: string;
  readonly pnl: string | null;
  readonly opened: string;
}

export interface Feed {
  readonly source?: string;
  readonly bars: number;
  readonly bars_per_second: number;
  readonly newest?: string | null;
  readonly rejected?: number;
  readonly gaps?: number;
}

export interface Halt {
  readonly reason: string;
  readonly actor?: string;
  readonly action?: string | null;
  readonly since?: string;
}

/** An account as it stands. */
export interface LiveView {
  readonly time: string;
  readonly equity: string;
  readonly cash: string;
  readonly reserved: string;
  readonly started_with: string;
  readonly day_start_equity: string;
  readonly peak_equity: string;
  readonly exposure: number;
  readonly halted: {
    readonly reason: string;
    readonly actor?: string;
    readonly action?: string | null;
  } | null;
  readonly breakers: readonly Breaker[];
  readonly journal: { readonly state: string; readonly why?: string | null };
  readonly feed: Feed;
  readonly strategies: readonly LiveStrategy[];
  readonly positions: readonly LivePosition[];
  readonly working_orders?: number;
  readonly settings_version?: number;
}

/** A base bar. Market data are floats. */
export interface LiveBar {
  readonly instrument: string;
  readonly time: string;
  readonly interval_seconds: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

/** Something that happened. Which keys there are depends on the kind. */
export interface LiveEvent {
  readonly kind: string;
  readonly [key: string]: unknown;
}

/** Messages with a number say which came before them in their topic, so that a gap is noticed. */
interface Numbered {
  readonly sequence: number;
  /** The number before in the topic; 0 for the first. */
  readonly previous: number;
}

export type Message =
  | {
      readonly kind: 'hello';
      readonly stream: string;
      readonly sequence: number;
      /** The number of the newest message of each topic, in their order. */
      readonly topics: readonly string[];
      readonly last: readonly number[];
      readonly resumed: boolean;
      readonly heartbeat_seconds: number;
    }
  | { readonly kind: 'snapshot'; readonly sequence: number; readonly view: LiveView | null }
  | (Numbered & {
      readonly kind: 'event';
      readonly topic: string;
      readonly time: string;
      readonly event: LiveEvent;
    })
  | (Numbered & { readonly kind: 'bars'; readonly bars: readonly LiveBar[] })
  | { readonly kind: 'view'; readonly sequence: number; readonly view: LiveView }
  | { readonly kind: 'heartbeat'; readonly sequence: number }
  | { readonly kind: 'lagging' };

/** Close codes of the host's own. */
export const CLOSED_SESSION_ENDED = 4001;
export const CLOSED_TOO_SLOW = 4008;

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
  readonly fills: number;
  readonly refusals: number;
  readonly faults: number;
  readonly calls: number;
  readonly fuel: number;
  readonly latency_us: number;
}

export interface Tier {
  readonly price: string;
  readonly fraction: string;
  readonly taken: boolean;
}

export interface LivePosition {
  readonly strategy: string;
  readonly instrument: string;
  readonly quantity: string;
  readonly entry: string;
  readonly last: string | null;
  readonly stop: string | null;
  readonly trailing: string | null;
  readonly tiers: readonly Tier[];
  readonly expires: string | null;
  readonly cost: string;
  readonly pnl: string | null;
  readonly opened: string;
}

export interface Feed {
  readonly bars: number;
  readonly bars_per_second: number;
  readonly rejected: number;
  readonly gaps: number;
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

interface Chained {
  readonly sequence: number;
  /** The sequence of the message before it on this connection. */
  readonly previous: number;
}

export type Message =
  | {
      readonly kind: 'hello';
      readonly stream: string;
      readonly sequence: number;
      readonly resumed: boolean;
      readonly heartbeat_seconds: number;
    }
  | { readonly kind: 'snapshot'; readonly sequence: number; readonly view: LiveView }
  | (Chained & {
      readonly kind: 'event';
      readonly topic: string;
      readonly time: string;
      readonly event: LiveEvent;
    })
  | (Chained & { readonly kind: 'view'; readonly view: LiveView })
  | (Chained & { readonly kind: 'bars'; readonly bars: readonly LiveBar[] })
  | { readonly kind: 'heartbeat'; readonly sequence: number; readonly time: string }
  | { readonly kind: 'lagging' };

/** Close codes of the host's own. */
export const CLOSED_SESSION_ENDED = 4001;
export const CLOSED_TOO_SLOW = 4008;

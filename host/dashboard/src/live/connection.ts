/** Keeps one WebSocket to an account's live stream, resumes it after a drop and starts anew after a gap. */
import { waitBeforeAttempt } from './backoff';
import { CLOSED_SESSION_ENDED, type LiveBar, type Message } from './messages';
import { EMPTY, reduce, type StreamState } from './stream';

export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** Connected, but nothing has been heard for longer than it should take. */
  | { readonly kind: 'stale' }
  | { readonly kind: 'reconnecting'; readonly at: number; readonly why: string }
  | { readonly kind: 'ended'; readonly why: string };

/** What a connection needs of the browser; tests give it their own. */
export interface Surroundings {
  open(path: string): Socket;
  now(): number;
  after(milliseconds: number, action: () => void): () => void;
  random(): number;
}

export interface Socket {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  close(): void;
}

export interface Listener {
  state(state: StreamState): void;
  connection(connection: Connection): void;
  bars(bars: readonly LiveBar[]): void;
  /** The session is over: the person must log in again. */
  sessionEnded(): void;
}

/** Silence is stale after this many heartbeats. */
const STALE_HEARTBEATS = 1.25;

export class LiveConnection {
  private readonly account: string;
  private readonly listener: Listener;
  private readonly surroundings: Surroundings;
  private socket: Socket | null = null;
  private state: StreamState = EMPTY;
  private attempt = 0;
  private cancelTimer: () => void = () => undefined;
  private cancelSilence: () => void = () => undefined;
  private stopped = false;
  private connection: Connection = { kind: 'connecting' };

  constructor(account: string, listener: Listener, surroundings: Surroundings) {
    this.account = account;
    this.listener = listener;
    this.surroundings = surroundings;
  }

  start(): void {
    this.stopped = false;
    this.open();
  }

  stop(): void {
    this.stopped = true;
    this.abandon();
    this.cancelTimer();
  }

  /** Connects at once, e.g. when the browser says that the network is back. */
  retryNow(): void {
    if (this.stopped || this.connection.kind !== 'reconnecting') return;
    this.cancelTimer();
    this.open();
  }

  /** Drops the connection as a failing network would; it comes back by itself. */
  drop(why: string): void {
    if (this.stopped || this.connection.kind === 'reconnecting') return;
    this.abandon();
    this.reconnect(why);
  }

  private open(): void {
    this.abandon();
    if (this.attempt === 0) this.show({ kind: 'connecting' });
    const socket = this.surroundings.open(this.path());
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      if (this.socket === socket && typeof data === 'string') this.receive(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.socket !== socket) return;
      this.abandon();
      if (code === CLOSED_SESSION_ENDED) {
        this.show({ kind: 'ended', why: 'the session has ended' });
        this.listener.sessionEnded();
        return;
      }
      this.reconnect(reason || (code === 1006 ? 'the host does not answer' : `closed with code ${code}`));
    };
    this.expectSignOfLife();
  }

  private path(): string {
    const { stream, sequence } = this.state;
    const account = encodeURIComponent(this.account);
    const resume =
      stream !== null && sequence !== null ? `?after=${sequence}&stream=${encodeURIComponent(stream)}` : '';
    return `accounts/${account}/live${resume}`;
  }

  private receive(data: string): void {
    let message: Message;
    try {
      message = JSON.parse(data) as Message;
    } catch {
      this.drop('the host sent something that is not JSON');
      return;
    }
    this.expectSignOfLife();
    const { state, gap } = reduce(this.state, message);
    const changed = state !== this.state;
    this.state = state;
    if (gap) {
      // Something was missed: without a sequence to resume from, the host sends a new snapshot.
      this.state = { ...state, sequence: null };
      this.drop('a message was missed; starting with a new snapshot');
      return;
    }
    if (message.kind === 'bars') this.listener.bars(message.bars);
    if (changed) this.listener.state(state);
    if (state.sequence !== null) {
      this.attempt = 0;
      this.show({ kind: 'live' });
    }
  }

  private expectSignOfLife(): void {
    this.cancelSilence();
    const limit = this.state.heartbeatSeconds * 1000 * STALE_HEARTBEATS;
    this.cancelSilence = this.surroundings.after(limit, () => {
      this.show({ kind: 'stale' });
      this.cancelSilence = this.surroundings.after(limit, () => this.drop('the host has fallen silent'));
    });
  }

  private reconnect(why: string): void {
    if (this.stopped) return;
    const wait = waitBeforeAttempt(this.attempt, () => this.surroundings.random());
    this.attempt += 1;
    this.show({ kind: 'reconnecting', at: this.surroundings.now() + wait, why });
    this.cancelTimer = this.surroundings.after(wait, () => this.open());
  }

  private abandon(): void {
    this.cancelSilence();
    const { socket } = this;
    this.socket = null;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  private show(connection: Connection): void {
    if (connection.kind === this.connection.kind && connection.kind === 'live') return;
    this.connection = connection;
    this.listener.connection(connection);
  }
}

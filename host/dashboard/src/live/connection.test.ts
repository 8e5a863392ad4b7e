import { describe, expect, it } from 'vitest';
import { waitBeforeAttempt } from './backoff';
import { LiveConnection, type Connection, type Socket } from './connection';
import type { LiveEvent, LiveView, Message } from './messages';

/** A browser whose clock and sockets the test moves. */
class FakeBrowser {
  time = 0;
  paths: string[] = [];
  sockets: Socket[] = [];
  timers: { at: number; action: () => void; live: boolean }[] = [];
  shown: Connection[] = [];
  sessionEnded = false;

  connection = new LiveConnection(
    'main',
    {
      state: () => undefined,
      connection: (connection) => this.shown.push(connection),
      bars: () => undefined,
      sessionEnded: () => (this.sessionEnded = true),
    },
    {
      open: (path) => {
        this.paths.push(path);
        const socket: Socket = { onmessage: null, onclose: null, close: () => undefined };
        this.sockets.push(socket);
        return socket;
      },
      now: () => this.time,
      after: (milliseconds, action) => {
        const timer = { at: this.time + milliseconds, action, live: true };
        this.timers.push(timer);
        return () => (timer.live = false);
      },
      random: () => 1,
    },
  );

  get socket(): Socket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error('nothing was opened');
    return socket;
  }

  say(message: Message): void {
    this.socket.onmessage?.({ data: JSON.stringify(message) });
  }

  begin(): void {
    this.connection.start();
    this.say({
      kind: 'hello',
      stream: 's 1',
      sequence: 5,
      resumed: false,
      topics: ['fills'],
      last: [5],
      heartbeat_seconds: 2,
    });
    this.say({ kind: 'snapshot', sequence: 5, view: {} as LiveView });
  }

  pass(milliseconds: number): void {
    const until = this.time + milliseconds;
    for (;;) {
      const due = this.timers
        .filter((timer) => timer.live && timer.at <= until)
        .sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      due.live = false;
      this.time = due.at;
      due.action();
    }
    this.time = until;
  }

  last(): Connection | undefined {
    return this.shown.at(-1);
  }
}

describe('the live connection', () => {
  it('is live after the snapshot', () => {
    const browser = new FakeBrowser();
    browser.begin();
    expect(browser.paths).toEqual(['accounts/main/live']);
    expect(browser.last()).toEqual({ kind: 'live' });
  });

  it('comes back after a drop and resumes where it was', () => {
    const browser = new FakeBrowser();
    browser.begin();
    browser.socket.onclose?.({ code: 1006, reason: '' });
    expect(browser.last()).toMatchObject({ kind: 'reconnecting', at: 500 });
    browser.pass(600);
    expect(browser.paths.at(-1)).toBe('accounts/main/live?after=5&stream=s%201');
    browser.say({
      kind: 'hello',
      stream: 's 1',
      sequence: 5,
      resumed: true,
      topics: ['fills'],
      last: [5],
      heartbeat_seconds: 2,
    });
    expect(browser.last()).toEqual({ kind: 'live' });
  });

  it('asks for a new snapshot after a gap', () => {
    const browser = new FakeBrowser();
    browser.begin();
    browser.say({
      kind: 'event',
      sequence: 9,
      previous: 8,
      topic: 'fills',
      time: '',
      input: 9,
      event: { kind: 'filled' } as LiveEvent,
    });
    expect(browser.last()?.kind).toBe('reconnecting');
    browser.pass(600);
    expect(browser.paths.at(-1)).toBe('accounts/main/live');
  });

  it('waits longer with each attempt that fails', () => {
    const browser = new FakeBrowser();
    browser.begin();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 7; attempt += 1) {
      browser.socket.onclose?.({ code: 1006, reason: '' });
      const last = browser.last();
      if (last?.kind !== 'reconnecting') throw new Error('it gave up');
      waits.push(last.at - browser.time);
      browser.pass(last.at - browser.time);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  });

  it('does not wait when told that the network is back', () => {
    const browser = new FakeBrowser();
    browser.begin();
    browser.socket.onclose?.({ code: 1006, reason: '' });
    browser.connection.retryNow();
    expect(browser.paths).toHaveLength(2);
    browser.pass(10_000);
    expect(browser.paths.length).toBeLessThanOrEqual(3);
  });

  it('shows silence as stale, and then connects anew', () => {
    const browser = new FakeBrowser();
    browser.begin();
    browser.pass(3_000);
    expect(browser.last()).toEqual({ kind: 'stale' });
    browser.say({ kind: 'heartbeat', sequence: 5 });
    expect(browser.last()).toEqual({ kind: 'live' });
    browser.pass(5_100);
    expect(browser.last()?.kind).toBe('reconnecting');
  });

  it('does not come back when the session is over', () => {
    const browser = new FakeBrowser();
    browser.begin();
    browser.socket.onclose?.({ code: 4001, reason: '' });
    browser.pass(60_000);
    expect(browser.sessionEnded).toBe(true);
    expect(browser.paths).toHaveLength(1);
  });

  it('is quiet once it is stopped', () => {
    const browser = new FakeBrowser();
    browser.begin();
    browser.connection.stop();
    browser.pass(120_000);
    expect(browser.paths).toHaveLength(1);
  });
});

describe('the wait before an attempt', () => {
  it('is at least half of the longest', () => {
    expect(waitBeforeAttempt(3, () => 0)).toBe(2000);
    expect(waitBeforeAttempt(50, () => 0)).toBe(7500);
  });
});

import { describe, expect, it } from 'vitest';
import type { LiveEvent, LiveView, Message } from './messages';
import { EMPTY, reduce, type StreamState } from './stream';

const view = (equity: string): LiveView => ({ equity }) as LiveView;

const hello = (stream: string, resumed = false): Message => ({
  kind: 'hello',
  stream,
  sequence: 10,
  topics: ['fills', 'bars'],
  last: [10, 9],
  resumed,
  heartbeat_seconds: 5,
});

const event = (sequence: number, previous: number, kind: string): Message => ({
  kind: 'event',
  sequence,
  previous,
  topic: 'fills',
  time: '2026-01-01T00:00:00Z',
  input: sequence,
  event: { kind } as LiveEvent,
});

/** Applies messages; fails at a gap. */
function after(state: StreamState, ...messages: Message[]): StreamState {
  let current = state;
  for (const message of messages) {
    const { state: next, gap } = reduce(current, message);
    expect(gap).toBe(false);
    current = next;
  }
  return current;
}

const started = (): StreamState =>
  after(EMPTY, hello('a'), { kind: 'snapshot', sequence: 10, view: view('100') });

describe('the live stream', () => {
  it('starts with a snapshot and follows the chain of each topic', () => {
    const state = after(
      started(),
      event(12, 10, 'filled'),
      { kind: 'bars', sequence: 13, previous: 9, bars: [] },
      event(14, 12, 'filled'),
      { kind: 'view', sequence: 14, view: view('101') },
    );
    expect(state.view?.equity).toBe('101');
    expect(state.fills).toHaveLength(2);
    expect(state.sequence).toBe(14);
  });

  it('counts the first message of a topic that was silent so far', () => {
    const first: Message = { ...event(11, 0, 'refused'), topic: 'refusals' } as Message;
    expect(after(started(), first).refusals).toHaveLength(1);
  });

  it('keeps the view that it has when the host has none yet', () => {
    const state = after(started(), hello('b'), { kind: 'snapshot', sequence: 0, view: null });
    expect(state.view?.equity).toBe('100');
  });

  it('takes a break in the chain for a gap and applies nothing of it', () => {
    const { state, gap } = reduce(started(), event(14, 12, 'filled'));
    expect(gap).toBe(true);
    expect(state.fills).toHaveLength(0);
    expect(state.sequence).toBeNull();
  });

  it('takes messages before a snapshot for a gap', () => {
    const { gap } = reduce(after(EMPTY, hello('a')), event(11, 10, 'filled'));
    expect(gap).toBe(true);
  });

  it('keeps what it has when the host resumes the same stream', () => {
    const before = after(started(), event(12, 10, 'filled'));
    const state = after(before, hello('a', true), event(15, 12, 'filled'));
    expect(state.fills).toHaveLength(2);
    expect(state.view?.equity).toBe('100');
  });

  it('begins anew on another stream, and shows the old view until the snapshot comes', () => {
    const before = after(started(), event(12, 10, 'filled'));
    const state = after(before, hello('b'));
    expect(state.fills).toHaveLength(0);
    expect(state.view?.equity).toBe('100');
    expect(state.sequence).toBeNull();
    expect(after(state, { kind: 'snapshot', sequence: 3, view: view('7') }).view?.equity).toBe('7');
  });

  it('does not believe a resumption of a stream that it does not know', () => {
    expect(reduce(started(), hello('b', true)).gap).toBe(true);
  });

  it('is not moved by heartbeats', () => {
    const state = started();
    expect(reduce(state, { kind: 'heartbeat', sequence: 99 }).state).toBe(state);
  });

  it('bounds its lists, the newest first', () => {
    let state = started();
    for (let number = 11; number < 111; number += 1)
      state = after(state, event(number, number - 1, 'refused'));
    expect(state.refusals).toHaveLength(60);
    expect(state.refusals[0]?.sequence).toBe(110);
    expect(state.counts['refused']).toBe(100);
  });

  it('counts kinds that it does not know', () => {
    const state = after(started(), event(11, 10, 'something-new'));
    expect(state.counts['something-new']).toBe(1);
  });
});

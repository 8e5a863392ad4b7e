import { describe, expect, it } from 'vitest';
import * as time from './time';

describe('times', () => {
  it('are read with nanoseconds and shown in UTC', () => {
    expect(time.dateTime('2026-05-03T14:05:09.123456789Z')).toBe('2026-05-03 14:05:09');
    expect(time.dateTime('2026-05-03T14:05:09+02:00')).toBe('2026-05-03 12:05:09');
    expect(time.shortDateTime('2026-05-03T14:05:09Z')).toBe('05-03 14:05:09');
  });

  it('say when something was before the first event', () => {
    expect(time.dateTime('1970-01-01T00:00:00Z')).toBe('at the start');
    expect(time.shortDateTime('1970-01-01T00:00:00.000000000Z')).toBe('at the start');
  });

  it('are a dash when there is none', () => {
    expect(time.dateTime('')).toBe('\u2013');
    expect(time.shortDateTime(null)).toBe('\u2013');
    expect(time.clockTime('soon')).toBe('\u2013');
  });
});

describe('durations', () => {
  it('name their two largest units', () => {
    expect(time.duration(0)).toBe('0 s');
    expect(time.duration(61_000)).toBe('1 m 1 s');
    expect(time.duration(3_600_000)).toBe('1 h');
    expect(time.duration(90_061_000)).toBe('1 d 1 h');
  });
});

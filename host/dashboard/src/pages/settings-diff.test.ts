import { describe, expect, it } from 'vitest';
import { difference, settingsOf } from './settings-diff';

describe('settings', () => {
  it('differ where a value was changed, added or taken away', () => {
    const before = { risk: { max_order: '0.2', cooldown: 60 }, breakers: [{ name: 'a' }] };
    const after = { risk: { max_order: '0.1', max_position: '0.3' }, breakers: [{ name: 'a' }] };
    expect(difference(before, after)).toEqual([
      { path: 'risk.cooldown', before: '60', after: null },
      { path: 'risk.max_order', before: '0.2', after: '0.1' },
      { path: 'risk.max_position', before: null, after: '0.3' },
    ]);
  });

  it('are the same when only their order differs', () => {
    expect(difference({ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 })).toEqual([]);
  });

  it('name the elements of lists, and show lengths of time as such', () => {
    const settings = {
      faults: { window: 3_600_000_000_000 },
      instruments: [{ symbol: 'BTC-USD', cluster: '' }],
    };
    expect(settingsOf(settings)).toEqual([
      ['faults.window', '1 h'],
      ['instruments.BTC-USD.cluster', '\u2013'],
      ['instruments.BTC-USD.symbol', 'BTC-USD'],
    ]);
  });

  it('are listed by their path', () => {
    expect(settingsOf({ b: { c: null }, a: ['x', 'y'] })).toEqual([
      ['a', '["x","y"]'],
      ['b.c', 'null'],
    ]);
  });
});

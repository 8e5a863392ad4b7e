import { describe, expect, it } from 'vitest';
import type { LivePosition } from '../live/messages';
import { bodyOf, typedOf, type TypedExits } from './exits';

const position = {
  entry: '100',
  stop: '85.5',
  stop_kind: 'stop-loss',
  opened: '2026-01-01T00:00:00Z',
  expires: '2026-01-01T04:30:00Z',
  tiers: [{ price: '115', share: 0.33, taken: false }],
} as unknown as LivePosition;

const none: TypedExits = { stopLoss: '', breakeven: '', trailing: '', hours: '', tiers: [] };

describe('exits', () => {
  it('are read from the prices of a position', () => {
    expect(typedOf(position)).toEqual({
      stopLoss: '14.5',
      breakeven: '',
      trailing: '',
      hours: '4.5',
      tiers: [{ gain: '15', share: '33' }],
    });
  });

  it('become fractions and seconds', () => {
    expect(bodyOf({ ...typedOf(position), trailing: '20' })).toEqual({
      stop_loss: 0.145,
      breakeven: null,
      trailing: 0.2,
      max_holding_seconds: 16_200,
      take_profits: [{ gain: 0.15, share: 0.33 }],
    });
  });

  it('may all be left out', () => {
    expect(bodyOf(none)).toMatchObject({ stop_loss: null, take_profits: [] });
  });

  it('are refused with what is wrong', () => {
    expect(() => bodyOf({ ...none, stopLoss: 'x' })).toThrow('is no number');
    expect(() => bodyOf({ ...none, stopLoss: '120' })).toThrow('at most 100 %');
    expect(() => bodyOf({ ...none, tiers: [{ gain: '10', share: '' }] })).toThrow('needs a gain and a share');
    expect(() => bodyOf({ ...none, hours: '-1' })).toThrow('more than 0 hours');
  });
});

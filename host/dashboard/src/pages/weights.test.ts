import { describe, expect, it } from 'vitest';
import { fromTenths, shareOf, tenthsOfPercent, toTenths } from './weights';

describe('weights', () => {
  it('come back as they were', () => {
    for (const weight of ['0', '0.25', '0.333', '1']) expect(fromTenths(toTenths(weight))).toBe(weight);
    expect(toTenths('0.50')).toBe(500);
  });

  it('are read from percentages within bounds', () => {
    expect(tenthsOfPercent('12.5')).toBe(125);
    expect(tenthsOfPercent('12,5')).toBe(125);
    expect(tenthsOfPercent('100')).toBe(1000);
    expect(tenthsOfPercent('101')).toBeNull();
    expect(tenthsOfPercent('-1')).toBeNull();
    expect(tenthsOfPercent('a')).toBeNull();
  });

  it('share the equity exactly', () => {
    expect(shareOf('10000.01', 250)).toBe('2500.0025');
  });
});

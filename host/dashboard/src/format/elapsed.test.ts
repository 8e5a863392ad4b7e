import { expect, test } from 'vitest';
import { elapsed } from './elapsed';

test('short times have three digits and the unit that fits', () => {
  expect(elapsed(0)).toBe('0\u2009ns');
  expect(elapsed(8.5e-7)).toBe('850\u2009ns');
  expect(elapsed(0.0000123)).toBe('12.3\u2009µs');
  expect(elapsed(0.00456)).toBe('4.56\u2009ms');
  expect(elapsed(0.25)).toBe('250\u2009ms');
  expect(elapsed(2)).toBe('2.00\u2009s');
  expect(elapsed(null)).toBe('–');
});

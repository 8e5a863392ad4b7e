import { expect, it } from 'vitest';
import { base58 } from './base58';

it('writes bytes in base58', () => {
  expect(base58(new TextEncoder().encode('Hello World!'))).toBe('2NEpo7TZRRrLZSi2U');
  expect(base58(Uint8Array.of(0, 0, 0x28, 0x7f, 0xb4, 0xcd))).toBe('11233QC4');
  expect(base58(Uint8Array.of(0, 0))).toBe('11');
});

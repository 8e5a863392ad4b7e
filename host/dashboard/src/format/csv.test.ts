import { expect, it } from 'vitest';
import { csv } from './csv';

it('quotes what has to be, and lets no text become a formula', () => {
  const text = csv(
    ['a', 'b'],
    [
      ['1,5', 'say "so"'],
      ['-2.50', '=SUM(A1)'],
    ],
  );
  expect(text).toBe('a,b\r\n"1,5","say ""so"""\r\n-2.50,\'=SUM(A1)\r\n');
});

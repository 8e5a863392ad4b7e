import { describe, expect, it } from 'vitest';
import { withFirstPage } from './paged';

const keyOf = (row: number): number => row;

describe('a first page that is read again', () => {
  it('stands before the older rows that it overlaps with', () => {
    const known = { rows: [5, 4, 3, 2, 1], next: 'x' };
    expect(withFirstPage({ items: [6, 5, 4], next: 'y' }, known, keyOf)).toEqual({
      rows: [6, 5, 4, 3, 2, 1],
      next: 'x',
    });
  });

  it('takes the place of rows that it does not reach, rather than leaving a hole', () => {
    const known = { rows: [5, 4, 3], next: 'x' };
    expect(withFirstPage({ items: [90, 89], next: 'y' }, known, keyOf)).toEqual({
      rows: [90, 89],
      next: 'y',
    });
  });

  it('is all there is when nothing was known, or when it is empty', () => {
    expect(withFirstPage({ items: [2, 1] }, null, keyOf)).toEqual({ rows: [2, 1], next: null });
    expect(withFirstPage({ items: [], next: null }, { rows: [1], next: null }, keyOf)).toEqual({
      rows: [],
      next: null,
    });
  });
});

import { describe, expect, it } from 'vitest';
import type { Parameter } from '../api/documents';
import { kindOf, parametersOf, read } from './parameters';

const bars: Parameter = { name: 'bars', meaning: '', type: 'integer', default: 10, minimum: 2, maximum: 100 };

describe('parameters', () => {
  it('have what is set beside what is usual', () => {
    const detail = { parameters: [{ name: 'bars', meaning: '', type: 'integer', default: 10, value: 12 }] };
    expect(parametersOf(detail)[0]).toMatchObject({ name: 'bars', default: 10, value: 12 });
  });

  it('are read within their bounds', () => {
    expect(read(bars, '12')).toEqual({ value: 12 });
    expect(read(bars, '1.5')).toHaveProperty('wrong');
    expect(read(bars, '1')).toEqual({ wrong: 'It must be 2 or more.' });
    expect(read(bars, '101')).toEqual({ wrong: 'It must be 100 or less.' });
    expect(read(bars, '')).toHaveProperty('wrong');
  });

  it('take their kind from the default when none is told', () => {
    expect(kindOf({ name: 'a', meaning: '', default: true })).toBe('flag');
    expect(kindOf({ name: 'a', meaning: '', default: 0.5 })).toBe('number');
    expect(kindOf({ name: 'a', meaning: '', default: 'x' })).toBe('text');
  });
});

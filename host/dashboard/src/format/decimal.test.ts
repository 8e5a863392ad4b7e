import { describe, expect, it } from 'vitest';
import * as decimal from './decimal';

const of = (text: string): decimal.Decimal => {
  const value = decimal.parse(text);
  if (!value) throw new Error(`${text} is no decimal`);
  return value;
};

describe('decimals', () => {
  it('are exact where floats are not', () => {
    expect(decimal.text(decimal.add(of('0.1'), of('0.2')))).toBe('0.3');
    expect(decimal.text(decimal.multiply(of('1.15'), of('100')))).toBe('115');
    expect(decimal.format(of('9007199254740993.12'))).toBe('9,007,199,254,740,993.12');
  });

  it('are refused when they are no numbers', () => {
    for (const text of ['', 'abc', '1.2.3', '0x10', '1,000', null, undefined, 'NaN']) {
      expect(decimal.parse(text)).toBeNull();
    }
  });

  it('are read with an exponent', () => {
    expect(decimal.text(of('1.5e-7'))).toBe('0.00000015');
    expect(decimal.text(of('2e3'))).toBe('2000');
  });

  it('round half away from zero', () => {
    expect(decimal.format(of('1.005'), { digits: 2 })).toBe('1.01');
    expect(decimal.format(of('-1.005'), { digits: 2 })).toBe('\u22121.01');
    expect(decimal.format(of('999.999'), { digits: 2 })).toBe('1,000.00');
  });

  it('show no sign on what is rounded to zero', () => {
    expect(decimal.format(of('-0.001'), { digits: 2, signed: true })).toBe('0.00');
    expect(decimal.format(of('0.001'), { digits: 2, signed: true })).toBe('0.00');
    expect(decimal.format(of('0.01'), { digits: 2, signed: true })).toBe('+0.01');
  });

  it('keep their zeros unless told otherwise, so that columns align', () => {
    expect(decimal.format(of('12'), { digits: 4 })).toBe('12.0000');
    expect(decimal.format(of('12.5000'), { digits: 4, trim: true })).toBe('12.5');
    expect(decimal.format(of('12.000'), { trim: true })).toBe('12');
  });

  it('divide to a number of digits, and not by zero', () => {
    expect(decimal.text(decimal.divide(of('1'), of('3'), 4) ?? decimal.ZERO)).toBe('0.3333');
    expect(decimal.text(decimal.divide(of('-2'), of('3'), 4) ?? decimal.ZERO)).toBe('-0.6667');
    expect(decimal.text(decimal.divide(of('0.00000001'), of('0.5'), 2) ?? decimal.ZERO)).toBe('0');
    expect(decimal.divide(of('1'), of('0'), 4)).toBeNull();
  });

  it('compare across scales', () => {
    expect(decimal.compare(of('1.10'), of('1.1'))).toBe(0);
    expect(decimal.compare(of('-1'), of('0.5'))).toBe(-1);
    expect(decimal.compare(of('10'), of('9.999'))).toBe(1);
  });

  it('give small prices more digits', () => {
    expect(decimal.priceDigits(of('65000'))).toBe(2);
    expect(decimal.priceDigits(of('142.3'))).toBe(4);
    expect(decimal.priceDigits(of('0.5'))).toBe(5);
    expect(decimal.priceDigits(of('0.0000123'))).toBe(9);
  });
});

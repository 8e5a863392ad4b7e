/** What live events say, in words and fields. Events of a host that is newer may lack keys or have others. */
import { dateTime } from '../format/time';
import type { LiveEvent } from './messages';
import type { SeenEvent } from './stream';

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';

export interface SeenRefusal {
  readonly number: number;
  readonly time: string;
  readonly strategy: string;
  readonly instrument: string;
  readonly side: string;
  readonly code: string;
  readonly facts: string;
}

export function refusalOf({ number, time, event }: SeenEvent): SeenRefusal {
  return {
    number,
    time,
    strategy: textOf(event['strategy']),
    instrument: textOf(event['instrument']),
    side: textOf(event['side']),
    code: textOf(event['code']),
    facts: textOf(event['facts']),
  };
}

export const strategyOf = (event: LiveEvent): string => textOf(event['strategy']);

/** A notice as a sentence. */
export function noticeOf(event: LiveEvent): string {
  const of = (key: string): string => textOf(event[key]);
  switch (event.kind) {
    case 'fault': {
      const next = of('restart_at') ? `starts again at ${dateTime(of('restart_at'))}` : 'quarantined';
      return [of('fault'), of('detail'), next].filter(Boolean).join(', ');
    }
    case 'slot-changed':
      return [of('change'), of('version').slice(0, 8), of('reason')].filter(Boolean).join(', ');
    case 'trading-state':
      return event['halted'] === true
        ? `halted by ${of('actor')}: ${of('reason')}`
        : `resumed by ${of('actor')}`;
    case 'breaker-changed':
      return [`${of('breaker')} is ${of('state')}`, of('reason')].filter(Boolean).join(': ');
    case 'settings-changed':
      return `settings changed by ${of('actor')}`;
    default:
      return of('reason');
  }
}

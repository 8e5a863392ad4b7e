/** What live events say, in words and fields. */
import { dateTime } from '../format/time';
import type { LiveEvent } from './messages';
import type { SeenEvent } from './stream';

export interface SeenRefusal {
  readonly number: number;
  readonly time: string;
  readonly strategy: string;
  readonly instrument: string;
  readonly side: string;
  readonly code: string;
  readonly facts: string;
}

/** A refusal as it is listed; null for another event. */
export function refusalOf({ number, time, event }: SeenEvent): SeenRefusal | null {
  if (event.kind !== 'refused') return null;
  const { strategy, instrument, side, code, facts } = event;
  return { number, time, strategy, instrument, side, code, facts };
}

export const strategyOf = (event: LiveEvent): string | null =>
  'strategy' in event ? (event.strategy ?? null) : null;

export function faultText(fault: {
  readonly fault: string;
  readonly detail: string;
  readonly restart_at?: string | null;
}): string {
  const next = fault.restart_at ? `starts again at ${dateTime(fault.restart_at)}` : 'quarantined';
  return [fault.fault.replace(/-/g, ' '), fault.detail, next].filter(Boolean).join(', ');
}

/** A notice as a sentence. */
export function noticeOf(event: LiveEvent): string {
  switch (event.kind) {
    case 'fault':
      return faultText(event);
    case 'slot-changed':
      return [event.change.replace(/-/g, ' '), event.version?.slice(0, 8), event.reason]
        .filter(Boolean)
        .join(', ');
    case 'trading-state':
      return event.halted ? `halted by ${event.actor}: ${event.reason}` : `resumed by ${event.actor}`;
    case 'breaker-changed':
      return [`${event.breaker} is ${event.state}`, event.reason].filter(Boolean).join(': ');
    case 'settings-changed':
      return `settings changed by ${event.actor}`;
    case 'books-adjusted': {
      const what = event.instrument ? `${event.quantity} ${event.instrument}` : 'cash';
      return `${what} ${event.how.replace(/-/g, ' ')} by ${event.actor}: ${event.reason}`;
    }
    case 'ignoring-changed':
      return `${event.subject} ${event.difference ? 'ignored' : 'counts again'}, says ${event.actor}: ${event.reason}`;
    case 'input-refused':
      return event.reason;
    default:
      return '';
  }
}

/** Filters that live in the page's address, so that a view can be kept and shared. */
import type { ReactElement } from 'react';
import { useView } from '../live/live';
import { useInstruments } from '../pages/market';
import { setQuery, useRoute } from '../router';
import { Select, TextField } from './controls';

export interface Filter {
  readonly strategy: string | null;
  readonly instrument: string | null;
  readonly status: string | null;
  readonly origin: string | null;
  readonly from: string | null;
  readonly until: string | null;
}

/** The filter in the address, with days as the API's moments. */
export function useFilter(): Filter {
  const { query } = useRoute();
  const day = (name: string): string | null => {
    const text = query.get(name);
    return text && /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : null;
  };
  return {
    strategy: query.get('strategy'),
    instrument: query.get('instrument'),
    status: query.get('status'),
    origin: query.get('origin'),
    from: day('from'),
    until: day('until'),
  };
}

export function Filters({
  account,
  statuses,
  origins,
  days = true,
}: {
  account: string;
  statuses?: readonly string[];
  origins?: readonly string[];
  days?: boolean;
}): ReactElement {
  const { query } = useRoute();
  const strategies = useView()?.strategies.map(({ name }) => name) ?? [];
  const instruments = useInstruments(account).data ?? [];
  const words = [...(statuses ?? []), ...(origins ?? [])];
  const options = (names: readonly string[]): (readonly [string, string])[] => [
    ['', 'All'],
    ...names.map((name) => [name, name.replace(/-/g, words.includes(name) ? ' ' : '-')] as const),
  ];
  const active = ['status', 'origin', 'strategy', 'instrument', 'from', 'until'].filter((name) =>
    query.get(name),
  ).length;
  const set = (name: string) => (value: string) => setQuery({ [name]: value || null });
  return (
    <details className="filters" open={matchMedia('(min-width: 44rem)').matches}>
      <summary>Filters{active > 0 && `, ${active} set`}</summary>
      <div role="search" aria-label="Filters">
        {statuses && (
          <Select
            label="Status"
            value={query.get('status') ?? ''}
            options={options(statuses)}
            onChange={set('status')}
          />
        )}
        {origins && (
          <Select
            label="Origin"
            value={query.get('origin') ?? ''}
            options={options(origins)}
            onChange={set('origin')}
          />
        )}
        <Select
          label="Strategy"
          value={query.get('strategy') ?? ''}
          options={options(strategies)}
          onChange={set('strategy')}
        />
        <Select
          label="Instrument"
          value={query.get('instrument') ?? ''}
          options={options(instruments)}
          onChange={set('instrument')}
        />
        {days && (
          <>
            <TextField label="From" type="date" value={query.get('from') ?? ''} onChange={set('from')} />
            <TextField label="Before" type="date" value={query.get('until') ?? ''} onChange={set('until')} />
          </>
        )}
      </div>
    </details>
  );
}

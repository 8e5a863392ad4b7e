import type { ReactElement } from 'react';
import { useStream } from '../live/live';
import type { StreamState } from '../live/stream';

const SERIES = 8;
const namesOf = (state: StreamState): string =>
  state.view?.strategies.map(({ name }) => name).join('\n') ?? '';

/** The colour that stands for a strategy on every page. */
export function useStrategyColour(): (name: string) => string {
  const names = useStream(namesOf).split('\n');
  return (name) => {
    const index = names.indexOf(name);
    return index < 0 ? 'var(--soft)' : `var(--series-${(index % SERIES) + 1})`;
  };
}

export function StrategyTag({ name }: { name: string }): ReactElement {
  const colour = useStrategyColour();
  return (
    <span className="tag">
      <i style={{ background: colour(name) }} />
      {name}
    </span>
  );
}

import type { ReactElement } from 'react';

const WIDTH = 120;
const HEIGHT = 28;

/** A line without axes. It only hints; the figure beside it is what counts. */
export function Sparkline({ points }: { points: readonly number[] }): ReactElement {
  const low = Math.min(...points);
  const high = Math.max(...points);
  const span = high - low || 1;
  const step = WIDTH / Math.max(1, points.length - 1);
  const coordinates = points.map(
    (value, index) =>
      `${(index * step).toFixed(1)},${(HEIGHT - 3 - ((value - low) / span) * (HEIGHT - 6)).toFixed(1)}`,
  );
  const rises = (points.at(-1) ?? 0) >= (points[0] ?? 0);
  return (
    <svg
      className={`sparkline ${rises ? 'gain' : 'loss'}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {points.length > 1 && (
        <polyline
          points={coordinates.join(' ')}
          fill="none"
          stroke="currentColor"
          vectorEffect="non-scaling-stroke"
        />
      )}
    </svg>
  );
}

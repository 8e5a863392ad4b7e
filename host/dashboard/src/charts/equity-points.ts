/** The equity curve and the drawdown under it. Coordinates are floats; the figures beside the chart are exact. */
export interface Point {
  readonly time: number;
  readonly value: number;
}

/** How far each point lies below the highest before it, as a negative ratio. */
export function drawdowns(points: readonly Point[]): Point[] {
  let peak = -Infinity;
  return points.map(({ time, value }) => {
    peak = Math.max(peak, value);
    return { time, value: peak > 0 ? value / peak - 1 : 0 };
  });
}

/**
 * In the order of time, one for each second, the last of it, and no more than about `most`: of each stretch the
 * first, the lowest and the highest stay, so that no peak or trough is lost.
 */
export function thinned(points: readonly Point[], most: number): Point[] {
  const rising: Point[] = [];
  for (const point of points) {
    const last = rising.at(-1);
    if (last && point.time < last.time) continue;
    if (last?.time === point.time) rising[rising.length - 1] = point;
    else rising.push(point);
  }
  if (rising.length <= most) return rising;
  const size = Math.ceil((rising.length * 3) / most);
  const kept: Point[] = [];
  for (let start = 0; start < rising.length; start += size) {
    const stretch = rising.slice(start, start + size);
    const [first] = stretch;
    if (!first) break;
    const lowest = stretch.reduce((a, b) => (b.value < a.value ? b : a));
    const highest = stretch.reduce((a, b) => (b.value > a.value ? b : a));
    kept.push(...[...new Set([first, lowest, highest])].sort((a, b) => a.time - b.time));
  }
  const end = rising.at(-1);
  if (end && kept.at(-1) !== end) kept.push(end);
  return kept;
}

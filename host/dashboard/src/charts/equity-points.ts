/**
 * The equity curve and the drawdown under it, on a grid of equal steps: the chart places its points by their number, so
 * only points in equal steps show time as it passes. Coordinates are floats; the figures beside the chart are exact.
 */
export interface Point {
  /** Seconds since 1970. */
  readonly time: number;
  readonly value: number;
}

/** A step of the grid. */
export interface Step {
  readonly time: number;
  /** The last equity of the step; null when none is known of it. */
  readonly equity: number | null;
  /** The deepest fall from the highest equity before, as a negative ratio. */
  readonly drawdown: number | null;
}

const SHORTEST_STEP = 60;
/** More steps than this are joined, two to one. */
const MOST_STEPS = 3000;

export class EquityCurve {
  private readonly known = new Map<number, { equity: number; drawdown: number }>();
  private step = SHORTEST_STEP;
  private first: number | null = null;
  private last = -Infinity;
  private peak = -Infinity;

  constructor(points: readonly Point[]) {
    for (const point of points) this.add(point);
  }

  /**
   * Adds a point that is not older than the last. Gives the steps that came with it, or all of them when the grid became
   * coarser; none for an older point.
   */
  add({ time, value }: Point): { readonly steps: readonly Step[]; readonly all: boolean } {
    if (time < this.last || !Number.isFinite(value)) return { steps: [], all: false };
    const before = this.place(this.last);
    this.first ??= time;
    this.last = time;
    this.peak = Math.max(this.peak, value);
    const drawdown = this.peak > 0 ? value / this.peak - 1 : 0;
    this.put(this.place(time), value, drawdown);
    if ((time - this.first) / this.step > MOST_STEPS) {
      this.join();
      return { steps: this.steps(), all: true };
    }
    // Each skipped step is told as well, without a value.
    const from = Number.isFinite(before)
      ? Math.max(before + this.step, this.place(this.first))
      : this.place(time);
    return { steps: this.between(Math.min(from, this.place(time)), this.place(time)), all: false };
  }

  /** The whole grid. */
  steps(): Step[] {
    return this.first === null ? [] : this.between(this.place(this.first), this.place(this.last));
  }

  private between(from: number, to: number): Step[] {
    const steps: Step[] = [];
    for (let time = from; time <= to; time += this.step) {
      const known = this.known.get(time);
      steps.push({ time, equity: known?.equity ?? null, drawdown: known?.drawdown ?? null });
    }
    return steps;
  }

  private place(time: number): number {
    return Math.floor(time / this.step) * this.step;
  }

  private put(place: number, equity: number, drawdown: number): void {
    const known = this.known.get(place);
    this.known.set(place, { equity, drawdown: Math.min(drawdown, known?.drawdown ?? 0) });
  }

  private join(): void {
    this.step *= 2;
    const before = [...this.known];
    this.known.clear();
    for (const [time, { equity, drawdown }] of before) this.put(this.place(time), equity, drawdown);
  }
}

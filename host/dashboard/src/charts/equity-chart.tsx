import {
  AreaSeries,
  createChart,
  LineStyle,
  type ChartOptions,
  type DeepPartial,
  type IChartApi,
  type ISeriesApi,
  type AreaData,
  type UTCTimestamp,
  type WhitespaceData,
} from 'lightweight-charts';
import { useEffect, useRef, type ReactElement } from 'react';
import { stream } from '../live/live';
import { colour, palette } from '../theme';
import { useWhole } from '../store';
import { EquityCurve, type Point, type Step } from './equity-points';
import { chartOptions, priceFormat } from './options';
import { chartTime } from './time';

/** Least real time between two live points. */
const LIVE_INTERVAL = 500;

const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;
type Datum = AreaData<UTCTimestamp> | WhitespaceData<UTCTimestamp>;

const datum = (time: number, value: number | null): Datum =>
  value === null ? { time: time as UTCTimestamp } : { time: time as UTCTimestamp, value };
const equityOf = ({ time, equity }: Step): Datum => datum(time, equity);
const drawdownOf = ({ time, drawdown }: Step): Datum => datum(time, drawdown);

function areaColours(name: string): { lineColor: string; topColor: string; bottomColor: string } {
  return {
    lineColor: colour(name),
    topColor: colour(`${name}-fill`),
    bottomColor: name === 'accent' ? 'transparent' : colour(`${name}-fill`),
  };
}

/** Equity over time with the drawdown below it. Live points are added without rendering. */
export function EquityChart({
  history,
  startedWith,
  span,
}: {
  history: readonly Point[];
  startedWith: number | null;
  /** Seconds to show, from the end; all when null. */
  span: number | null;
}): ReactElement {
  const container = useRef<HTMLDivElement>(null);
  const parts = useRef<{ chart: IChartApi; equity: ISeriesApi<'Area'>; drawdown: ISeriesApi<'Area'> } | null>(
    null,
  );
  const colours = useWhole(palette);

  useEffect(() => {
    if (!container.current) return undefined;
    const options = chartOptions();
    const chart = createChart(container.current, {
      ...options,
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
      timeScale: { ...options.timeScale, rightOffset: 0, minBarSpacing: 0.05 },
    });
    const equity = chart.addSeries(AreaSeries, {
      lineWidth: 2,
      priceLineVisible: false,
      priceFormat: priceFormat(2),
    });
    const drawdown = chart.addSeries(
      AreaSeries,
      {
        lineWidth: 1,
        invertFilledArea: true,
        priceLineVisible: false,
        lastValueVisible: false,
        priceFormat: { type: 'custom', formatter: percent, minMove: 0.0001 },
      },
      1,
    );
    chart.panes()[0]?.setStretchFactor(3);
    chart.panes()[1]?.setStretchFactor(1);
    parts.current = { chart, equity, drawdown };
    return () => {
      parts.current = null;
      chart.remove();
    };
  }, []);

  useEffect(() => {
    const own = parts.current;
    if (!own) return;
    const { layout, grid, crosshair } = chartOptions();
    own.chart.applyOptions({ layout, grid, crosshair } as DeepPartial<ChartOptions>);
    own.equity.applyOptions(areaColours('accent'));
    own.drawdown.applyOptions(areaColours('loss'));
  }, [colours]);

  useEffect(() => {
    const own = parts.current;
    if (!own || startedWith === null) return undefined;
    const line = own.equity.createPriceLine({
      price: startedWith,
      color: colour('line-strong'),
      lineWidth: 1,
      lineStyle: LineStyle.Dotted,
      axisLabelVisible: false,
      title: 'start',
    });
    return () => {
      if (parts.current) own.equity.removePriceLine(line);
    };
  }, [startedWith, colours]);

  useEffect(() => {
    const own = parts.current;
    if (!own) return undefined;
    const curve = new EquityCurve(history);
    const draw = (steps: readonly Step[]): void => {
      own.equity.setData(steps.map(equityOf));
      own.drawdown.setData(steps.map(drawdownOf));
    };
    draw(curve.steps());
    const first = history[0]?.time ?? 0;
    const last = history.at(-1)?.time ?? 0;
    if (span === null || last - first <= span) own.chart.timeScale().fitContent();
    else {
      const [from, to] = [last - span, last] as UTCTimestamp[];
      if (from !== undefined && to !== undefined) own.chart.timeScale().setVisibleRange({ from, to });
    }
    let shownAt = -Infinity;
    const follow = (): void => {
      const { view } = stream.get();
      const time = view && chartTime(view.time);
      if (!view || time === null || performance.now() - shownAt < LIVE_INTERVAL) return;
      shownAt = performance.now();
      const { steps, all } = curve.add({ time, value: Number(view.equity) });
      if (all) draw(steps);
      else {
        for (const step of steps) {
          own.equity.update(equityOf(step));
          own.drawdown.update(drawdownOf(step));
        }
      }
      if (span === null) own.chart.timeScale().fitContent();
    };
    follow();
    return stream.subscribe(follow);
  }, [history, span]);

  return (
    <div
      ref={container}
      className="chart equity-chart"
      role="img"
      aria-label="Equity and drawdown over time"
    />
  );
}

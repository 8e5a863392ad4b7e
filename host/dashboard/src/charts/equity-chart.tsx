import {
  AreaSeries,
  createChart,
  LineStyle,
  type IChartApi,
  type ISeriesApi,
  type UTCTimestamp,
} from 'lightweight-charts';
import { useEffect, useRef, type ReactElement } from 'react';
import { stream } from '../live/live';
import { colour, palette } from '../theme';
import { useWhole } from '../store';
import { drawdowns, thinned, type Point } from './equity-points';
import { chartOptions, priceFormat } from './options';
import { chartTime } from './time';

const MOST_POINTS = 4000;
/** Least real time between two live points. */
const LIVE_INTERVAL = 500;

const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;
const at = ({ time, value }: Point): { time: UTCTimestamp; value: number } => ({
  time: time as UTCTimestamp,
  value,
});

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
    const chart = createChart(container.current, {
      ...chartOptions(),
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
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
    own.chart.applyOptions(chartOptions());
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
    const points = thinned(history, MOST_POINTS);
    own.equity.setData(points.map(at));
    own.drawdown.setData(drawdowns(points).map(at));
    let peak = points.reduce((highest, { value }) => Math.max(highest, value), 0);
    let last = points.at(-1)?.time ?? 0;
    let shownAt = 0;
    if (span === null || points.length < 2) own.chart.timeScale().fitContent();
    else {
      const from = Math.max(points[0]?.time ?? 0, last - span);
      own.chart.timeScale().setVisibleRange({ from: from as UTCTimestamp, to: last as UTCTimestamp });
    }
    const follow = (): void => {
      const { view } = stream.get();
      const time = view && chartTime(view.time);
      if (!view || time === null || performance.now() - shownAt < LIVE_INTERVAL) return;
      const value = Number(view.equity);
      if (time < last || !Number.isFinite(value)) return;
      shownAt = performance.now();
      last = time;
      peak = Math.max(peak, value);
      own.equity.update({ time, value });
      own.drawdown.update({ time, value: peak > 0 ? value / peak - 1 : 0 });
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

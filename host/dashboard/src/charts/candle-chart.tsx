import {
  CandlestickSeries,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  LineStyle,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type MouseEventParams,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from 'lightweight-charts';
import { useEffect, useRef, type ReactElement } from 'react';
import { compact } from '../components/figures';
import * as decimal from '../format/decimal';
import { barsSoFar, onBars } from '../live/live';
import type { LiveBar, LivePosition } from '../live/messages';
import { useWhole } from '../store';
import { colour, palette } from '../theme';
import { startOf, withBar, type Candle } from './candles';
import { chartOptions, priceFormat } from './options';
import { chartTime } from './time';

/** An execution on the chart. */
export interface Mark {
  readonly key: string;
  readonly time: string;
  readonly side: string;
  /** Why it came about, when not by the strategy's own order. */
  readonly cause: string;
}

interface Parts {
  readonly chart: IChartApi;
  readonly candles: ISeriesApi<'Candlestick'>;
  readonly volume: ISeriesApi<'Histogram'>;
  readonly markers: ISeriesMarkersPluginApi<Time>;
  readonly lines: Map<string, IPriceLine>;
}

/** Candles as they were read, and until when base bars are in them, in seconds. */
export interface CandleHistory {
  readonly candles: readonly Candle[];
  readonly coveredUntil: number;
}

/** What the chart shows, for the legend and for a change of colours. */
interface Shown {
  candles: Map<number, Candle>;
  latest: Candle | null;
}

/** Pixels for each of the bars that are shown first. */
const BAR_WIDTH = 7;
/** Below this width labels on the chart would cover it. */
const WIDE = 640;

function volumeOf(candle: Candle): { time: UTCTimestamp; value: number; color: string } {
  const name = candle.close >= candle.open ? 'up-faint' : 'down-faint';
  return { time: candle.time, value: candle.volume, color: colour(name) };
}

/** The lines that belong to a position, by a key that stays. */
function linesOf(
  position: LivePosition,
): { key: string; price: number; title: string; colour: string; dashed: boolean }[] {
  const { strategy } = position;
  const lines = [
    { key: 'entry', price: position.entry, title: `${strategy} entry`, colour: 'accent', dashed: false },
  ];
  if (position.stop) {
    const kind = position.stop_kind ?? 'stop';
    const stopColour = kind === 'stop-loss' ? 'loss' : 'warn';
    lines.push({
      key: 'stop',
      price: position.stop,
      title: kind.replace('-', ' '),
      colour: stopColour,
      dashed: true,
    });
  }
  position.tiers.forEach((tier, index) => {
    if (tier.taken) return;
    const share = decimal.fromNumber(tier.share);
    const percent = share ? decimal.format(decimal.inPercent(share), { digits: 0 }) : '';
    lines.push({
      key: `tier ${index}`,
      price: tier.price,
      title: `take ${percent} %`,
      colour: 'gain',
      dashed: true,
    });
  });
  return lines.map((line) => ({ ...line, key: `${strategy} ${line.key}`, price: Number(line.price) }));
}

/** Candles with volume, executions and the lines of open positions. Live bars go to the chart, not to React. */
export function CandleChart({
  instrument,
  interval,
  history,
  marks,
  positions,
}: {
  instrument: string;
  interval: number;
  history: CandleHistory | null;
  marks: readonly Mark[];
  positions: readonly LivePosition[];
}): ReactElement {
  const container = useRef<HTMLDivElement>(null);
  const legend = useRef<HTMLDivElement>(null);
  const parts = useRef<Parts | null>(null);
  const shown = useRef<Shown>({ candles: new Map(), latest: null });
  const colours = useWhole(palette);

  useEffect(() => {
    if (!container.current) return undefined;
    const chart = createChart(container.current, chartOptions());
    const candles = chart.addSeries(CandlestickSeries, { borderVisible: false });
    const volume = chart.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.85, bottom: 0 } });
    parts.current = { chart, candles, volume, markers: createSeriesMarkers(candles, []), lines: new Map() };
    const onMove = ({ time }: MouseEventParams): void =>
      showLegend(legend.current, shown.current, typeof time === 'number' ? time : null);
    chart.subscribeCrosshairMove(onMove);
    return () => {
      chart.unsubscribeCrosshairMove(onMove);
      parts.current = null;
      chart.remove();
    };
  }, []);

  useEffect(() => {
    const own = parts.current;
    if (!own) return;
    own.chart.applyOptions(chartOptions());
    own.candles.applyOptions({
      upColor: colour('candle-up'),
      downColor: colour('candle-down'),
      wickUpColor: colour('candle-up'),
      wickDownColor: colour('candle-down'),
    });
    own.volume.setData([...shown.current.candles.values()].map(volumeOf));
  }, [colours]);

  useEffect(() => {
    const own = parts.current;
    if (!own || !history) return undefined;
    const { candles } = history;
    const last = candles.at(-1) ?? null;
    const price = last && decimal.fromNumber(last.close);
    const precision = price ? decimal.priceDigits(price) : 2;
    own.candles.applyOptions({ priceFormat: priceFormat(precision) });
    own.candles.setData([...candles]);
    own.volume.setData(candles.map(volumeOf));
    shown.current = { candles: new Map(candles.map((candle) => [candle.time, candle])), latest: last };
    const bars = Math.round((container.current?.clientWidth ?? WIDE) / BAR_WIDTH);
    own.chart.timeScale().setVisibleLogicalRange({ from: candles.length - bars, to: candles.length + 4 });
    showLegend(legend.current, shown.current, null);
    let current = last;
    let covered = history.coveredUntil;
    const take = (bars: readonly LiveBar[]): void => {
      for (const bar of bars) {
        if (bar.instrument !== instrument) continue;
        const result = withBar(current, bar, interval, covered);
        if (!result) continue;
        current = result.candle;
        covered = result.coveredUntil;
        own.candles.update(current);
        own.volume.update(volumeOf(current));
        shown.current.candles.set(current.time, current);
        shown.current.latest = current;
      }
      showLegend(legend.current, shown.current, null);
    };
    take(barsSoFar());
    return onBars(take);
  }, [instrument, interval, history]);

  useEffect(() => {
    const own = parts.current;
    if (!own) return;
    const isWide = (container.current?.clientWidth ?? 0) >= WIDE;
    const list: SeriesMarker<Time>[] = [];
    for (const mark of marks) {
      const time = chartTime(mark.time);
      if (time === null) continue;
      const buys = mark.side === 'buy';
      list.push({
        time: startOf(time, interval),
        position: buys ? 'belowBar' : 'aboveBar',
        shape: buys ? 'arrowUp' : 'arrowDown',
        color: colour(buys ? 'accent' : 'mark-exit'),
        text: mark.cause === 'order' || !isWide ? '' : mark.cause.replace(/-/g, ' '),
      });
    }
    own.markers.setMarkers(list.sort((a, b) => Number(a.time) - Number(b.time)));
  }, [marks, interval, colours]);

  useEffect(() => {
    const own = parts.current;
    if (!own) return;
    const isWide = (container.current?.clientWidth ?? 0) >= WIDE;
    const wanted = new Set<string>();
    for (const line of positions.flatMap(linesOf)) {
      wanted.add(line.key);
      const options = { price: line.price, title: isWide ? line.title : '', color: colour(line.colour) };
      const there = own.lines.get(line.key);
      if (there) there.applyOptions(options);
      else {
        const lineStyle = line.dashed ? LineStyle.Dashed : LineStyle.Solid;
        own.lines.set(
          line.key,
          own.candles.createPriceLine({ ...options, lineWidth: 1, lineStyle, axisLabelVisible: true }),
        );
      }
    }
    for (const [key, line] of own.lines) {
      if (wanted.has(key)) continue;
      own.candles.removePriceLine(line);
      own.lines.delete(key);
    }
  }, [positions, colours]);

  return (
    <div className="candle-frame">
      <div ref={legend} className="chart-legend number" aria-hidden="true" />
      <div
        ref={container}
        className="chart candle-chart"
        role="img"
        aria-label={`Candles of ${instrument}, with executions and the exits of open positions`}
      />
    </div>
  );
}

/** Written past React: it changes with every bar and every move of the pointer. */
function showLegend(element: HTMLDivElement | null, shown: Shown, time: number | null): void {
  if (!element) return;
  const candle = time === null ? shown.latest : shown.candles.get(time);
  if (!candle) return;
  const close = decimal.fromNumber(candle.close);
  const digits = close ? decimal.priceDigits(close) : 2;
  const priced = (value: number): string => {
    const price = decimal.fromNumber(value);
    return price ? decimal.format(price, { digits }) : '\u2013';
  };
  const rise = candle.open ? (candle.close / candle.open - 1) * 100 : 0;
  element.textContent = `O ${priced(candle.open)}  H ${priced(candle.high)}  L ${priced(candle.low)}  C ${priced(candle.close)}  ${
    rise < 0 ? '\u25bc \u2212' : '\u25b2 +'
  }${Math.abs(rise).toFixed(2)} %  Vol ${compact(candle.volume)}`;
}

/** How all charts look; colours come from the theme. */
import { ColorType, CrosshairMode, LineStyle, type ChartOptions, type DeepPartial } from 'lightweight-charts';
import * as decimal from '../format/decimal';
import { colour } from '../theme';

export function chartOptions(): DeepPartial<ChartOptions> {
  const line = {
    color: colour('chart-cross'),
    labelBackgroundColor: colour('chart-label'),
    style: LineStyle.Dashed,
  };
  return {
    autoSize: true,
    layout: {
      background: { type: ColorType.Solid, color: 'transparent' },
      textColor: colour('soft'),
      fontSize: 11,
      fontFamily: getComputedStyle(document.body).fontFamily,
      // The notice that the licence asks for stands below the navigation.
      attributionLogo: false,
      panes: { separatorColor: colour('line'), separatorHoverColor: colour('faint'), enableResize: false },
    },
    grid: { vertLines: { color: colour('chart-grid') }, horzLines: { color: colour('chart-grid') } },
    crosshair: { mode: CrosshairMode.Normal, vertLine: line, horzLine: line },
    rightPriceScale: { borderVisible: false, minimumWidth: 68 },
    timeScale: { borderVisible: false, timeVisible: true, secondsVisible: false, rightOffset: 4 },
    handleScroll: { vertTouchDrag: false },
    localization: { locale: 'en-GB' },
  };
}

/** Prices with thousands apart and as many digits as their size asks for. */
export function priceFormat(digits: number): {
  type: 'custom';
  formatter: (price: number) => string;
  minMove: number;
} {
  const formatter = (price: number): string => {
    const value = decimal.fromNumber(price);
    return value ? decimal.format(value, { digits }) : '';
  };
  return { type: 'custom', formatter, minMove: 10 ** -digits };
}

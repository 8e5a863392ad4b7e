/** How all charts look; colours come from the theme. */
import { ColorType, CrosshairMode, LineStyle, type ChartOptions, type DeepPartial } from 'lightweight-charts';
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

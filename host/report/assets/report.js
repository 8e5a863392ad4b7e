// Draws the charts and makes the table of trades sortable. All data is in the page; nothing is loaded.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const library = window.LightweightCharts;
  const darkScheme = window.matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const grouped = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 2 });
  const percent = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value * 100).toFixed(2)}%`;
  const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

  /** Redraws with the colours of the scheme that the reader has chosen. */
  const themed = [];
  darkScheme.addEventListener("change", () => themed.forEach((apply) => apply()));
  const theme = (apply) => { themed.push(apply); apply(); };

  /** Fills a line of text above a chart; texts are set as text, never as markup. */
  const legend = (element, entries) => {
    element.replaceChildren(...entries.map(([label, value, swatch]) => {
      const entry = document.createElement("span");
      if (swatch) {
        const line = document.createElement("i");
        line.style.background = swatch;
        entry.append(line);
      }
      entry.append(label ? `${label} ` : "");
      const strong = document.createElement("b");
      strong.textContent = value;
      entry.append(strong);
      return entry;
    }));
  };

  /** Labels of the time axis: a time of day says nothing where weeks are in view. */
  const WEEK = 7 * 86400;
  const tick = (chart, time, kind) => {
    const format = (options) => new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" }).format(time * 1000);
    if (kind === library.TickMarkType.Year) return format({ year: "numeric" });
    if (kind === library.TickMarkType.Month) return format({ month: "short" });
    const range = chart.timeScale().getVisibleRange();
    const wide = !range || range.to - range.from > WEEK;
    if (wide || kind === library.TickMarkType.DayOfMonth) return format({ day: "numeric", month: "short" });
    return format({ hour: "2-digit", minute: "2-digit" });
  };

  const createChart = (id) => {
    const element = document.getElementById(id);
    const chart = library.createChart(element, {
      autoSize: true,
      layout: { attributionLogo: true, fontSize: 11, fontFamily: getComputedStyle(document.body).fontFamily },
      localization: { locale: "en-GB", timeFormatter: (time) => `${moment(time)} UTC` },
      rightPriceScale: { borderVisible: false },
      timeScale: {
        borderVisible: false, timeVisible: true, secondsVisible: false, minBarSpacing: 0.02, rightOffset: 2,
        tickMarkFormatter: (time, kind) => tick(chart, time, kind),
      },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
      crosshair: { mode: library.CrosshairMode.Magnet },
    });
    theme(() => chart.applyOptions({
      layout: {
        background: { type: "solid", color: "transparent" },
        textColor: colour("soft"),
        panes: { separatorColor: colour("line"), separatorHoverColor: colour("faint") },
      },
      grid: { vertLines: { visible: false }, horzLines: { color: colour("faint") } },
      crosshair: {
        vertLine: { color: colour("benchmark"), labelBackgroundColor: colour("soft") },
        horzLine: { color: colour("benchmark"), labelBackgroundColor: colour("soft") },
      },
    }));
    // The wheel scrolls the page until the reader has clicked into the chart.
    const wheel = (on) => chart.applyOptions({ handleScale: { mouseWheel: on }, handleScroll: { mouseWheel: on } });
    element.addEventListener("pointerdown", () => wheel(true));
    element.addEventListener("pointerleave", () => wheel(false));
    addTools(id, chart);
    return chart;
  };

  const addTools = (id, chart) => {
    const scale = chart.timeScale();
    const zoom = (factor) => {
      const range = scale.getVisibleLogicalRange();
      if (!range) return;
      const middle = (range.from + range.to) / 2;
      const half = Math.max(5, ((range.to - range.from) / 2) * factor);
      scale.setVisibleLogicalRange({ from: middle - half, to: middle + half });
    };
    const move = (part) => {
      const range = scale.getVisibleLogicalRange();
      if (!range) return;
      const by = (range.to - range.from) * part;
      scale.setVisibleLogicalRange({ from: range.from + by, to: range.to + by });
    };
    const tools = document.querySelector(`.tools[data-for="${id}"]`);
    const actions = [
      ["←", "Earlier", () => move(-0.5)], ["→", "Later", () => move(0.5)],
      ["−", "Zoom out", () => zoom(2)], ["+", "Zoom in", () => zoom(0.5)], ["All", "Show all", () => scale.fitContent()],
    ];
    tools.append(...actions.map(([text, label, act]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.title = label;
      button.setAttribute("aria-label", label);
      button.addEventListener("click", act);
      return button;
    }));
    tools.hidden = false;
  };

  const drawEquity = () => {
    const { time, equity, drawdown, benchmark, rolling_sharpe: rolling } = data.equity;
    if (!time.length) return;
    const chart = createChart("equity-chart");
    const money = { type: "custom", minMove: 0.01, formatter: (value) => compact.format(value) };
    const fall = { type: "custom", minMove: 0.0001, formatter: (value) => percent(value) };
    const worth = chart.addSeries(library.AreaSeries, { lineWidth: 2, priceFormat: money, priceLineVisible: false });
    const held = chart.addSeries(library.LineSeries, { lineWidth: 1, priceFormat: money, priceLineVisible: false });
    const under = chart.addSeries(library.AreaSeries,
      { lineWidth: 1, priceFormat: fall, priceLineVisible: false, lastValueVisible: false, invertFilledArea: true }, 1);
    // The last pane is there when there are days enough for it.
    const rolls = rolling.some((value) => value !== null);
    const plain = { type: "custom", minMove: 0.01, formatter: (value) => value.toFixed(2) };
    const sharpe = rolls && chart.addSeries(library.LineSeries,
      { lineWidth: 1, priceFormat: plain, priceLineVisible: false, lastValueVisible: false }, 2);
    const last = (values) => values.findLast((value) => value !== null);
    const points = (values) => time.flatMap((t, i) => (values[i] === null ? [] : [{ time: t, value: values[i] }]));
    worth.setData(points(equity));
    held.setData(points(benchmark));
    under.setData(points(drawdown));
    if (rolls) sharpe.setData(points(rolling));
    chart.panes()[0].setStretchFactor(3);
    chart.panes()[1].setStretchFactor(1);
    if (rolls) chart.panes()[2].setStretchFactor(1);
    under.priceScale().applyOptions({ scaleMargins: { top: 0.04, bottom: 0.08 } });
    theme(() => {
      worth.applyOptions({ lineColor: colour("accent"), topColor: colour("accent-fill"), bottomColor: "transparent" });
      held.applyOptions({ color: colour("benchmark") });
      if (rolls) sharpe.applyOptions({ color: colour("accent") });
      under.applyOptions({ lineColor: colour("loss"), topColor: colour("loss-fill"), bottomColor: colour("loss-fill") });
      show();
    });
    function show(at, shown) {
      const value = (series, values) => shown?.get(series)?.value ?? (at ? undefined : last(values));
      const text = (found, format) => (found === undefined ? "–" : format(found));
      legend(document.getElementById("equity-legend"), [
        ["", `${moment(at ?? time[time.length - 1])} UTC`],
        ["Equity", text(value(worth, equity), grouped.format), colour("accent")],
        ["Buy and hold", text(value(held, benchmark), grouped.format), colour("benchmark")],
        ["Drawdown", text(value(under, drawdown), percent), colour("loss")],
        ...(rolls ? [["Sharpe, 30 days", text(value(sharpe, rolling), plain.formatter)]] : []),
      ]);
    }
    chart.subscribeCrosshairMove((event) => show(event.time, event.time ? event.seriesData : undefined));
    chart.timeScale().fitContent();
  };

  /** More marks than this at once are a blur; the reader is asked to zoom in. */
  const MOST_MARKS = 300;
  /** The chart opens with about as many marks as can be told apart: one in this many pixels. */
  const MARK_PIXELS = 20;

  const drawPrice = () => {
    if (!data.instruments.length) return;
    const chart = createChart("price-chart");
    const candles = chart.addSeries(library.CandlestickSeries, { priceLineVisible: false, borderVisible: false });
    const volume = chart.addSeries(library.HistogramSeries,
      { priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.22 } });
    const marks = library.createSeriesMarkers(candles, []);
    const [instrumentChoice, strategyChoice] = ["instrument", "strategy"].map((id) => document.getElementById(id));
    let shown = null;

    const candleAt = (times, time) => {
      let [low, high] = [0, times.length - 1];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (times[middle] <= time) low = middle; else high = middle - 1;
      }
      return low;
    };

    /** One mark for all entries, and one for all wins and losses, that fall into the same candle. */
    const collectMarks = (instrument) => {
      const wanted = strategyChoice.value;
      const found = new Map();
      const add = (index, kind) => {
        const key = index * 3 + kind;
        found.set(key, (found.get(key) ?? 0) + 1);
      };
      instrument.trades.forEach(([slot, entry, exit, pnl]) => {
        if (wanted !== "" && Number(wanted) !== slot) return;
        add(candleAt(instrument.time, entry), 0);
        add(candleAt(instrument.time, exit), pnl < 0 ? 2 : 1);
      });
      return [...found].sort((a, b) => a[0] - b[0]).map(([key, count]) => ({ index: Math.floor(key / 3), kind: key % 3, count }));
    };

    const paintMarks = () => {
      const range = chart.timeScale().getVisibleLogicalRange();
      if (!shown || !range) return;
      const inView = shown.marks.filter(({ index }) => index >= range.from && index <= range.to);
      shown.tooMany = inView.length > MOST_MARKS;
      const looks = [
        { position: "belowBar", shape: "arrowUp", color: colour("accent") },
        { position: "aboveBar", shape: "circle", color: colour("gain") },
        { position: "aboveBar", shape: "circle", color: colour("loss") },
      ];
      marks.setMarkers(shown.tooMany ? [] : inView.map(({ index, kind, count }) => (
        { time: shown.instrument.time[index], size: 1, text: count > 1 ? String(count) : undefined, ...looks[kind] })));
      describe();
    };

    function describe(at, values) {
      const { instrument, tooMany } = shown;
      const index = at === undefined ? instrument.time.length - 1 : candleAt(instrument.time, at);
      const price = (column) => instrument[column][index].toLocaleString("en-US", { maximumFractionDigits: 8 });
      legend(document.getElementById("price-legend"), [
        ["", `${instrument.symbol} · ${instrument.interval}`],
        ["", `${moment(instrument.time[index])} UTC`],
        ["O", price("open")], ["H", price("high")], ["L", price("low")], ["C", price("close")],
        ["Volume", compact.format(instrument.volume[index])],
        ...(tooMany ? [["", "Zoom in to see the trades"]] : []),
      ]);
    }

    const paintCandles = () => {
      const { instrument } = shown;
      const [up, down] = [colour("candle-up"), colour("candle-down")];
      candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
      volume.setData(instrument.time.map((time, i) => ({
        time, value: instrument.volume[i], color: `${instrument.close[i] >= instrument.open[i] ? up : down}55` })));
      paintMarks();
    };

    const decimals = (instrument) => Math.min(8, instrument.close.slice(-200)
      .reduce((most, close) => Math.max(most, (String(close).split(".")[1] ?? "").length), 0));

    const choose = () => {
      const instrument = data.instruments[Number(instrumentChoice.value)];
      const precision = decimals(instrument);
      shown = { instrument, marks: collectMarks(instrument), tooMany: false };
      const price = new Intl.NumberFormat("en-US", { minimumFractionDigits: precision, maximumFractionDigits: precision });
      candles.applyOptions({ priceFormat: { type: "custom", minMove: 10 ** -precision, formatter: price.format } });
      candles.setData(instrument.time.map((time, i) => ({
        time, open: instrument.open[i], high: instrument.high[i], low: instrument.low[i], close: instrument.close[i] })));
      paintCandles();
      const atFirst = Math.max(10, Math.floor(document.getElementById("price-chart").clientWidth / MARK_PIXELS));
      const first = shown.marks.at(-atFirst);
      const end = instrument.time.length - 1;
      if (shown.marks.length <= atFirst) chart.timeScale().fitContent();
      else chart.timeScale().setVisibleLogicalRange({ from: Math.min(first.index, end - 40) - 2, to: end + 2 });
    };

    instrumentChoice.addEventListener("change", choose);
    strategyChoice.addEventListener("change", () => { shown.marks = collectMarks(shown.instrument); paintMarks(); });
    chart.timeScale().subscribeVisibleLogicalRangeChange(paintMarks);
    chart.subscribeCrosshairMove((event) => shown && describe(event.time));
    choose();
    theme(paintCandles);
  };

  /** Puts a button into each heading; a click sorts by that column, the next one the other way round. */
  const makeSortable = (table) => {
    const body = table.tBodies[0];
    const headings = [...table.tHead.rows[0].cells];
    const key = (row, column, numeric) => {
      const text = row.cells[column].textContent;
      if (!numeric) return text;
      const value = Number(text.replace(/[,+%]/g, "").replace("−", "-"));
      return Number.isNaN(value) ? -Infinity : value;
    };
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        const numeric = heading.classList.contains("n");
        const rising = heading.getAttribute("aria-sort") !== "ascending";
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => [key(row, column, numeric), row]);
        rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (rising ? 1 : -1));
        body.append(...rows.map(([, row]) => row));
      });
    });
  };

  document.querySelectorAll("table.sortable").forEach(makeSortable);
  if (library) {
    drawEquity();
    drawPrice();
  }
})();

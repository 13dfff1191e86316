// The speeds of the last minutes as lines, drawn by uPlot, which is loaded when the first chart is shown.

import { html, useEffect, useRef } from "../core/view.js";
import { colour } from "../core/colour.js";
import { speed } from "../core/format.js";
import { history, statistics } from "../core/store.js";
import { theme } from "../core/theme.js";
import { t } from "../core/words.js";

const HEIGHT = 180;
const SECONDS = 180;

export function SpeedChart() {
  const box = useRef(null);
  const chart = useRef(null);
  useEffect(() => {
    let gone = false;
    let watch = null;
    load().then((uPlot) => {
      if (gone) return;
      chart.current = new uPlot(options(box.current), points(history.value), box.current);
      watch = new ResizeObserver(() => box.current && chart.current?.setSize({ width: box.current.clientWidth, height: HEIGHT }));
      watch.observe(box.current);
    });
    return () => {
      gone = true;
      watch?.disconnect();
      chart.current?.destroy();
      chart.current = null;
    };
  }, [theme.value]);
  useEffect(() => chart.current?.setData(points(history.value)), [history.value]);
  const { rate_down: down, rate_up: up } = statistics.value;
  return html`<figure class="chart">
    <div ref=${box} class="chart-box" role="img" aria-label=${t("chart.label", { down: speed(down), up: speed(up) })}></div>
    <figcaption class="row wrap small">
      <span class="key down">${t("chart.down")} <strong class="number">${speed(down)}</strong></span>
      <span class="key up">${t("chart.up")} <strong class="number">${speed(up)}</strong></span>
    </figcaption>
  </figure>`;
}

let loading = null;
function load() {
  loading ??= import("../vendor/uplot.js").then((module) => {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = new URL("../vendor/uplot.css", import.meta.url);
    document.head.append(sheet);
    return module.default;
  });
  return loading;
}

/** uPlot's columns: times and both speeds; a chart always shows the same stretch of time. */
function points(list) {
  const now = list.at(-1)?.time ?? Date.now() / 1000;
  const rows = [[now - SECONDS, null, null], ...list.map(({ time, rate_down: down, rate_up: up }) => [time, down, up])];
  return [0, 1, 2].map((column) => rows.map((row) => row[column]));
}

function options(box) {
  const [down, up, ink, line] = ["--down", "--up", "--ink-2", "--line"].map((name) => colour(box, name));
  const font = `12px ${getComputedStyle(box).fontFamily}`;
  const axis = { stroke: ink, font, ticks: { show: false } };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 24, 0, 0],
    scales: { y: { range: (_, _low, high) => [0, Math.max(high * 1.1, 10_000)] } },
    series: [
      {},
      { stroke: down, fill: `color-mix(in srgb, ${down} 14%, transparent)`, width: 2, points: { show: false } },
      { stroke: up, width: 2, points: { show: false } },
    ],
    axes: [
      { ...axis, grid: { show: false }, size: 28, splits: marks, values: (plot, times) => times.map((time) => before(plot.scales.x.max - time)) },
      { ...axis, grid: { stroke: line, width: 1 }, values: (_, rates) => rates.map((rate) => (rate ? speed(rate) : "0")), size: 78, space: 40 },
    ],
  };
}

/** A mark for each whole minute before now. */
const marks = (plot) => [3, 2, 1, 0].map((minutes) => plot.scales.x.max - 60 * minutes);

const before = (seconds) => (seconds < 1 ? t("chart.now") : `−${t("time.minutes", { n: Math.round(seconds / 60) })}`);

// Charts of depth, rates and age over time, for one queue or for all.
//
// Owns how they look and that they follow the colours and the width of the page. uPlot draws them; it is
// loaded with the first chart.

import { clock, count, duration, hour, rate } from "./format.js";
import { el, set, setText } from "./dom.js";
import { History, SPANS } from "./history.js";

const HEIGHT = 168;
const RETRY = 3000;
const CHARTS = [
  { title: "Depth", unit: "items that wait", series: [["Depth", "--chart-1", 1]], text: count },
  {
    title: "Rates",
    unit: "items a second",
    series: [
      ["In", "--chart-2", 2],
      ["Out", "--chart-3", 3],
    ],
    text: rate,
  },
  {
    title: "Age",
    unit: "of the oldest item",
    series: [["Age", "--chart-4", 4]],
    text: (value) => duration(value === null || value === undefined ? undefined : value * 1000),
    steps: [
      1,
      2,
      5,
      10,
      20,
      30,
      60,
      120,
      300,
      600,
      1200,
      1800,
      3600,
      7200,
      14400,
      21600,
      43200,
      ...[1, 2, 5, 10, 20, 50, 100].map((days) => days * 86400),
    ],
  },
];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Charts {
  /** queue: its encoded name, null for the whole server. chosen: told when another span was. */
  constructor(queue, span, chosen) {
    this.chosen = chosen;
    this.plots = [];
    this.closed = new AbortController();
    this.history = new History(queue, span in SPANS ? span : "10m");
    this.note = el("p", { class: "hint" });
    this.buttons = Object.entries(SPANS).map(([key, { label }]) =>
      el("button", { type: "button", "aria-pressed": "false", onclick: () => this.choose(key) }, label),
    );
    this.figures = CHARTS.map((chart) => {
      const place = el("div", { class: "plot", "aria-hidden": "true" });
      const words = el("span", { class: "unseen" });
      const caption = el("figcaption", {}, el("strong", {}, chart.title), ` ${chart.unit}`, words);
      return { chart, place, words, element: el("figure", { class: "chart" }, caption, place) };
    });
    this.element = el(
      "section",
      { class: "charts panel", "aria-labelledby": "charts" },
      el(
        "div",
        { class: "panel-head" },
        el("h2", { id: "charts" }, "History"),
        el("div", { class: "segmented", role: "group", "aria-label": "Span of the charts" }, this.buttons),
      ),
      this.note,
      el(
        "div",
        { class: "figures" },
        this.figures.map((figure) => figure.element),
      ),
    );
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => this.plot(), { signal: this.closed.signal });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.element);
    this.load();
  }

  choose(span) {
    this.history = new History(this.history.queue, span);
    this.chosen(span);
    this.load();
  }

  async load() {
    const { history } = this;
    Object.keys(SPANS).forEach((key, at) =>
      set(this.buttons[at], "aria-pressed", String(key === history.span)),
    );
    clearTimeout(this.timer);
    let again = RETRY;
    try {
      const [module] = await Promise.all([import("./vendor/uPlot.esm.js"), history.load(this.closed.signal)]);
      this.uPlot = module.default;
      if (history !== this.history || this.closed.signal.aborted) return;
      this.coarseness();
      this.plot();
      again = history.again;
    } catch (error) {
      if (history !== this.history || this.closed.signal.aborted) return;
      setText(this.note, `The history cannot be shown: ${error.message}`);
    }
    this.timer = setTimeout(() => this.load(), again);
  }

  /** What is kept depends on how busy a queue is beside the others. */
  coarseness() {
    const { detail, step } = this.history;
    const notes = {
      coarse: `Kept more coarsely, since other queues are busier: a point is ${duration(step * 1000)}.`,
      depth: "Only the depth is kept, and only of the last minute, since other queues are busier.",
      none: "Nothing is kept of this queue, since other queues are busier; the charts begin now.",
    };
    setText(this.note, notes[detail] ?? "");
  }

  /** A moment more, as of the stream: { time, items, puts, gets, age }, in seconds. */
  add(values) {
    if (!this.plots.length || !this.history.add(values)) return;
    this.show();
  }

  show() {
    const [times] = this.history.columns;
    const now = times.at(-1) ?? Date.now() / 1000;
    const scale = { min: now - SPANS[this.history.span].seconds, max: now };
    this.plots.forEach((plot, at) => {
      const { chart, words } = this.figures[at];
      plot.batch(() => {
        plot.setData(this.data(chart), false);
        plot.setScale("x", scale);
      });
      if (plot.cursor.idx === null || plot.cursor.idx === undefined)
        plot.setLegend({ idx: times.length - 1 }, false);
      setText(words, `: ${this.words(chart)}`);
    });
  }

  data(chart) {
    return [this.history.columns[0], ...chart.series.map(([, , column]) => this.history.columns[column])];
  }

  words(chart) {
    return chart.series
      .map(([label, , column]) => {
        const values = this.history.columns[column].filter((value) => value !== null);
        if (!values.length) return `${label} is not known`;
        const most = values.reduce((a, b) => Math.max(a, b));
        return `${label} now ${chart.text(values.at(-1))}, at most ${chart.text(most)}`;
      })
      .join("; ");
  }

  plot() {
    if (!this.uPlot) return;
    for (const plot of this.plots) plot.destroy();
    const axis = {
      stroke: colour("--muted"),
      grid: { stroke: colour("--grid"), width: 1 },
      ticks: { show: false },
    };
    const font = `11px ${colour("--font") || "system-ui, sans-serif"}`;
    this.plots = this.figures.map(({ chart, place }) => {
      place.replaceChildren();
      const options = {
        width: place.clientWidth || 320,
        height: HEIGHT,
        cursor: { sync: { key: "charts" }, points: { size: 6 }, drag: { x: false, y: false } },
        legend: { live: true, markers: { width: 0, fill: (u, at) => u.series[at].stroke() } },
        scales: { x: { time: true }, y: { range: (u, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
        axes: [
          {
            ...axis,
            font,
            size: 26,
            space: 64,
            values: (u, ticks) => ticks.map((value) => hour(value * 1000)),
          },
          {
            ...axis,
            font,
            size: 58,
            space: 32,
            incrs: chart.steps,
            values: (u, ticks) => ticks.map((value) => chart.text(value)),
          },
        ],
        series: [
          { value: (u, value) => clock(value ? value * 1000 : undefined) },
          ...chart.series.map(([label, name]) => ({
            label,
            stroke: colour(name),
            fill: chart.series.length === 1 ? colour(`${name}-fill`) : undefined,
            width: 1.5,
            points: { show: false },
            value: (u, value) => chart.text(value ?? undefined),
          })),
        ],
      };
      return new this.uPlot(options, this.data(chart), place);
    });
    this.show();
  }

  resize() {
    this.plots.forEach((plot, at) => {
      const width = this.figures[at].place.clientWidth;
      if (width && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    });
  }

  close() {
    this.closed.abort();
    clearTimeout(this.timer);
    this.observer.disconnect();
    for (const plot of this.plots) plot.destroy();
    this.plots = [];
  }
}

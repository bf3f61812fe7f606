// Bars a day, drawn by uPlot on a canvas; beside it the same as a sentence and as a table.

import uPlot from "../uplot/uplot.js";
import { h, replace, say } from "../dom.js";
import { dayName } from "../format.js";
import { t } from "../language.js";

const HEIGHT = 190;
const FONT = "12px system-ui, sans-serif";

const dark = matchMedia("(prefers-color-scheme: dark)");

/**
 * A chart whose `series` are `{ key, label, color }`, from the axis up; `color` is a custom property of the
 * style sheet. `sentence` says the chart in words, `format` writes a value.
 */
export function chart({ title, series, format, sentence, total }) {
  const plotted = h("div", { class: "plot", role: "img" });
  // Follows the pointer, which the table makes up for.
  const readout = h("p", { class: "readout", "aria-hidden": "true" });
  const body = h("tbody");
  const table = h(
    "table",
    {},
    h("caption", { class: "hidden" }, title),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, t("column.day")),
        ...series.map(({ label }) => h("th", { scope: "col", class: "number" }, label)),
      ),
    ),
    body,
  );
  const node = h(
    "figure",
    { class: "card chart" },
    h("figcaption", {}, h("h2", {}, title), series.length > 1 && legend(series)),
    plotted,
    readout,
    h(
      "details",
      {},
      h("summary", {}, t("chart.table")),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, table),
    ),
  );
  let plot;
  let days = [];

  /** What a day has in all. */
  const sum = (day) => series.reduce((whole, { key }) => whole + day.values[key], 0);

  function point(index) {
    const day = days[index];
    if (day === undefined)
      return say(readout, t("chart.total", { total: total(days.reduce((whole, one) => whole + sum(one), 0)) }));
    const parts =
      series.length > 1
        ? series.filter(({ key }) => day.values[key] > 0).map(({ key, label }) => `${label} ${format(day.values[key])}`)
        : [];
    say(readout, [`${dayName(day.startedAt, true)}: ${format(sum(day))}`, ...parts].join(" · "));
  }

  function draw() {
    const isEmpty = days.every((day) => sum(day) === 0);
    node.classList.toggle("is-empty", isEmpty);
    if (isEmpty) {
      plot?.destroy();
      plot = undefined;
      replace(plotted, h("p", { class: "empty" }, t("chart.empty")));
      return;
    }
    const data = stacked(days, series);
    if (plot === undefined) {
      plotted.replaceChildren();
      plot = new uPlot(options({ series, days: () => days, format, point, width: plotted.clientWidth }), data, plotted);
    } else {
      plot.setData(data);
    }
  }

  const resize = new ResizeObserver(() => {
    const width = plotted.clientWidth;
    if (plot !== undefined && width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
  });
  resize.observe(plotted);
  // Colours are asked of the style sheet at each drawing.
  const recolor = () => plot?.redraw(true, true);
  dark.addEventListener("change", recolor);

  return {
    node,
    /** Shows these days, oldest first: `{ startedAt, values }`. */
    update(shown) {
      days = shown;
      plotted.setAttribute("aria-label", `${title}. ${sentence(days.map((day) => ({ ...day, sum: sum(day) })))}`);
      draw();
      point(undefined);
      replace(
        body,
        [...days]
          .reverse()
          .map((day) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, dayName(day.startedAt)),
              ...series.map(({ key }) => h("td", { class: "number" }, format(day.values[key]))),
            ),
          ),
      );
    },
    close() {
      resize.disconnect();
      dark.removeEventListener("change", recolor);
      plot?.destroy();
    },
  };
}

function legend(series) {
  return h(
    "ul",
    { class: "legend" },
    ...series.map(({ key, label }) =>
      h("li", {}, h("span", { class: `swatch of-${key}`, "aria-hidden": "true" }), label),
    ),
  );
}

// Bars are drawn over each other, so each series is the sum of itself and those below it, the tallest first.
function stacked(days, series) {
  const sums = days.map(() => 0);
  const layers = series.map(({ key }) => days.map((day, index) => (sums[index] += day.values[key])));
  return [days.map((_, index) => index), ...layers.reverse()];
}

function options({ series, days, format, point, width }) {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = {
    stroke: () => css("--muted"),
    font: FONT,
    ticks: { show: false },
    grid: { stroke: () => css("--line"), width: 1 },
  };
  return {
    width,
    height: HEIGHT,
    padding: [8, 22, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: () => [-0.7, days().length - 0.3] },
      y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.08 : 1] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 26,
        gap: 6,
        splits: (plot) => labelled(days().length, plot.width),
        values: (_plot, splits) => splits.map((index) => (days()[index] ? dayName(days()[index].startedAt) : "")),
      },
      {
        ...axis,
        gap: 6,
        values: (_plot, splits) =>
          splits.map((value) => (Number.isInteger(value) || series.length === 1 ? format(value) : "")),
        size: (_plot, labels) => 14 + Math.max(16, ...(labels ?? []).map((label) => label.length * 6.6)),
      },
    ],
    series: [
      {},
      ...[...series].reverse().map(({ label, color }) => ({
        label,
        fill: () => css(color),
        stroke: () => css(color),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars({ size: [0.72, 26], radius: 0.08 }),
      })),
    ],
    hooks: { setCursor: [(plot) => point(plot.cursor.idx ?? undefined)] },
  };
}

// From today back, so that today always has its name.
function labelled(length, width) {
  const step = Math.max(1, Math.ceil(length / Math.max(2, Math.floor(width / 90))));
  const marks = [];
  for (let index = length - 1; index >= 0; index -= step) marks.unshift(index);
  return marks;
}

// Overview: what was spent, how the model's switch stands, and thirty days of traffic.

import * as api from "../api.js";
import { h, replace } from "../dom.js";
import { clock, count, dayName, money, percent, until } from "../format.js";
import { named, t } from "../language.js";
import { chart } from "../parts/chart.js";
import { killSwitch } from "../parts/killswitch.js";
import { alarm, bar, cell, table } from "../parts/table.js";
import { OUTCOMES, REFUSALS, SOURCES, thirtyDays, totals } from "../usage.js";

const COLORS = { rules: "--of-rules", cache: "--of-cache", model: "--of-model", none: "--of-none" };

/** The view. */
export function overview({ changed }) {
  const welcome = h("div");
  const spend = h("div", { class: "stack" });
  const today = h("dl", { class: "figures" });
  const gauges = h("ul", { class: "gauges" });
  const kill = killSwitch({ changed });
  const spending = chart({
    title: t("chart.spend"),
    series: [{ key: "spent", label: t("column.spent"), color: "--accent" }],
    format: money,
    total: money,
    sentence: (days) => inWords("chart.spend.text", days, money),
  });
  const requests = chart({
    title: t("chart.requests"),
    series: SOURCES.map((key) => ({ key, label: t(`source.${key}`), color: COLORS[key] })),
    format: count,
    total: count,
    sentence: (days) => inWords("chart.requests.text", days, count),
  });
  const sources = breakdown("source", SOURCES, t("sources.title"));
  const outcomes = breakdown("outcome", OUTCOMES, t("outcomes.title"));
  const refusals = breakdown("refusal", REFUSALS, t("refusals.title"));
  const columns = [
    { label: t("column.plan") },
    { label: t("column.requests"), number: true, wide: true },
    { label: t("column.spent"), number: true },
    { label: t("column.cap"), number: true },
    { label: t("column.share"), wide: true },
  ];
  const plans = table({ caption: t("spend.plans"), columns });

  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, t("overview.title")),
    welcome,
    h(
      "div",
      { class: "grid" },
      h(
        "section",
        { class: "card span-2", "aria-labelledby": "spend-title" },
        h("h2", { id: "spend-title" }, t("spend.title")),
        spend,
        plans.node,
      ),
      kill.node,
      h(
        "section",
        { class: "card span-3", "aria-labelledby": "today-title" },
        h("h2", { id: "today-title" }, t("today.title")),
        today,
      ),
    ),
    h("div", { class: "grid halves" }, spending.node, requests.node),
    h(
      "div",
      { class: "grid halves" },
      sources.node,
      outcomes.node,
      refusals.node,
      h(
        "section",
        { class: "card", "aria-labelledby": "gauges-title" },
        h("h2", { id: "gauges-title" }, t("gauges.title")),
        h("p", { class: "muted" }, t("gauges.text")),
        gauges,
      ),
    ),
  );

  function showSpend(usage) {
    const { spent_usd: spent, cap_usd: cap } = usage.service;
    const left = Math.max(0, Number(cap) - Number(spent));
    replace(
      spend,
      h(
        "p",
        { class: "headline" },
        h("strong", { title: `$${spent}` }, money(spent)),
        " ",
        h("span", { class: "muted" }, t("spend.of", { cap: money(cap) })),
      ),
      bar(Number(spent), Number(cap), alarm(Number(spent), Number(cap))),
      h(
        "p",
        { class: "muted" },
        `${t("spend.left", { left: money(left), share: percent(Number(spent), Number(cap)) })} `,
        Number(usage.service.reserved_usd) > 0 &&
          `${t("spend.reserved", { amount: money(usage.service.reserved_usd) })} `,
        t("spend.resets", { time: clock(new Date(usage.resets_at)), span: until(usage.resets_at) }),
      ),
    );
    replace(
      plans.body,
      usage.plans.map(({ plan, requests: admitted, spent_usd, cap_usd }) => {
        const [, admittedIn, spentIn, capIn, share] = columns;
        const capped = cap_usd !== null && cap_usd !== undefined;
        const of = capped ? cap_usd : cap;
        return h(
          "tr",
          {},
          h("th", { scope: "row" }, plan),
          cell(admittedIn, count(admitted)),
          cell(spentIn, money(spent_usd)),
          cell(capIn, capped ? money(cap_usd) : h("span", { class: "muted" }, t("spend.uncapped"))),
          cell(share, bar(Number(spent_usd), Number(of), alarm(Number(spent_usd), Number(of)))),
        );
      }),
    );
    plans.node.hidden = usage.plans.length === 0;
  }

  function showToday({ requests: admitted, sources: from, outcomes: ended, refusals: refused, tokens }) {
    // Whoever met a cap was admitted, and is among the outcomes.
    const turnedDown = Object.entries(refused).reduce(
      (all, [why, one]) => all + (why === "spend-cap-reached" ? 0 : one),
      0,
    );
    const free = from.rules + from.cache;
    const figure = (name, value, note) =>
      h(
        "div",
        {},
        h("dt", {}, t(`today.${name}`)),
        h("dd", {}, h("strong", {}, value), h("span", { class: "muted" }, note)),
      );
    replace(
      today,
      figure("requests", count(admitted), t("today.requests.note")),
      figure("answered", percent(ended.answered, admitted), t("today.answered.note")),
      figure("free", percent(free, admitted), t("today.free.note")),
      figure("refused", count(turnedDown), t("today.refused.note")),
      figure(
        "tokens",
        count(tokens.input + tokens.output),
        t("today.tokens.note", { input: count(tokens.input), output: count(tokens.output) }),
      ),
    );
  }

  return {
    node,
    async load({ state: asked }) {
      const [usage, state] = await Promise.all([api.usage(), asked]);
      const days = thirtyDays(usage);
      const [now, month] = [days.at(-1), totals(days)];
      const isFresh = month.requests === 0 && Object.values(month.refusals).every((one) => one === 0);
      replace(
        welcome,
        isFresh &&
          h(
            "div",
            { class: "card welcome" },
            h("h2", {}, t("empty.title")),
            h("p", {}, t("empty.text")),
            h(
              "pre",
              { tabindex: "0" },
              h("code", {}, "cargo run -q -- token mint --machine NAME --keys-file ~/gateway.production.keys"),
            ),
          ),
      );
      showSpend(usage);
      showToday(now);
      kill.update(state);
      spending.update(days.map(({ startedAt, spent }) => ({ startedAt, values: { spent } })));
      requests.update(days.map(({ startedAt, sources: values }) => ({ startedAt, values })));
      sources.update(now.sources, month.sources);
      outcomes.update(now.outcomes, month.outcomes);
      refusals.update(now.refusals, month.refusals);
      replace(
        gauges,
        usage.allowances.map(({ name, used, of }) =>
          h(
            "li",
            {},
            h("span", {}, named("gauge", name)),
            h(
              "span",
              { class: "number" },
              t("gauge.of", { used: count(used), of: count(of) }),
              " ",
              h("span", { class: "muted" }, `(${percent(used, of)})`),
            ),
            bar(used, of, alarm(used, of)),
          ),
        ),
      );
    },
    close() {
      spending.close();
      requests.close();
    },
  };
}

function inWords(key, days, format) {
  const most = days.reduce((best, day) => (day.sum > best.sum ? day : best), days.at(-1));
  const total = days.reduce((whole, day) => whole + day.sum, 0);
  return t(key, {
    total: format(total),
    today: format(days.at(-1).sum),
    day: dayName(most.startedAt),
    most: format(most.sum),
  });
}

// A card with a table of counts by name, today and in thirty days; names that this page does not know too.
function breakdown(group, names, title) {
  const columns = [
    { label: title },
    { label: t("column.today"), number: true },
    { label: t("column.month"), number: true },
    { label: t("column.share"), wide: true },
  ];
  const of = table({
    caption: title,
    columns: [
      {
        ...columns[0],
        label: t(group === "source" ? "column.source" : group === "outcome" ? "column.outcome" : "column.reason"),
      },
      ...columns.slice(1),
    ],
    isCaptionHidden: true,
  });
  const node = h("section", { class: "card" }, h("h2", {}, title), of.node);
  return {
    node,
    update(today, month) {
      const sum = Object.values(month).reduce((whole, one) => whole + one, 0);
      const all = [...names, ...Object.keys(month).filter((name) => !names.includes(name))];
      replace(
        of.body,
        all.map((name) => {
          const swatch = group === "source" && h("span", { class: `swatch of-${name}`, "aria-hidden": "true" });
          return h(
            "tr",
            {},
            h("th", { scope: "row", title: name }, swatch, named(group, name)),
            cell(columns[1], count(today[name] ?? 0)),
            cell(columns[2], count(month[name] ?? 0)),
            cell(columns[3], bar(month[name] ?? 0, sum, group === "source" ? `of-${name}` : "")),
          );
        }),
      );
    },
  };
}

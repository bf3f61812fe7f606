// Log records as a table; the time of each opens all that is known of it.

import { ofMachine } from "../address.js";
import { h, replace } from "../dom.js";
import { count, duration, moment, money, NOTHING, shortMoment } from "../format.js";
import { named, t } from "../language.js";
import { show } from "./dialog.js";
import { cell, table } from "./table.js";

const GOOD = ["answered"];
const BAD = ["upstream-failed", "upstream-timeout", "spend-cap-reached", "unsettled"];
/** Members of a record in the order in which they are shown, but for the text. */
const MEMBERS = [
  "timestamp",
  "machine_id",
  "reported_machine_id",
  "request_id",
  "plan",
  "auth",
  "outcome",
  "source",
  "model",
  "tokens",
  "cost_usd",
  "reserved_usd",
  "duration_ms",
];

/** The table. `show` puts other records into it, `add` puts more at its end. */
export function records({ caption, isOfOneMachine }) {
  const columns = [
    { label: t("column.time") },
    !isOfOneMachine && { label: t("column.machine") },
    { label: t("column.plan"), wide: true },
    { label: t("column.outcome") },
    { label: t("column.source"), wide: true },
    { label: t("column.cost"), number: true, wide: true },
    { label: t("column.duration"), number: true, wide: true },
  ].filter(Boolean);
  const list = table({ caption, columns, isCaptionHidden: true });
  const [wide, wideNumber] = [{ wide: true }, { wide: true, number: true }];

  function row(record) {
    const { timestamp, machine_id: id, plan, outcome, source, cost_usd: cost, duration_ms: took } = record;
    const kind = GOOD.includes(outcome) ? "is-on" : BAD.includes(outcome) ? "is-off" : "";
    const details = [named("source", source ?? "none"), money(cost)].join(" · ");
    return h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        h(
          "button",
          {
            type: "button",
            class: "link",
            "data-key": `record-${record.request_id}`,
            on: { click: () => open(record) },
          },
          h("time", { datetime: timestamp }, shortMoment(timestamp)),
          h("span", { class: "hidden" }, ` ${t("log.open")}`),
        ),
      ),
      !isOfOneMachine &&
        h("td", { class: "name" }, typeof id === "string" ? h("a", { href: ofMachine(id) }, id) : NOTHING),
      cell(wide, plan ?? NOTHING),
      h(
        "td",
        {},
        h("span", { class: `pill ${kind}`, title: outcome ?? false }, named("outcome", outcome)),
        h("span", { class: "narrow-only muted" }, details),
      ),
      cell(wide, named("source", source ?? "none")),
      cell(wideNumber, money(cost)),
      cell(wideNumber, duration(took)),
    );
  }

  return {
    node: list.node,
    show(found) {
      replace(list.body, found.map(row));
    },
    /** The focus goes to the first of them. */
    add(found) {
      const rows = found.map(row);
      list.body.append(...rows);
      rows[0]?.querySelector("button")?.focus();
    },
  };
}

function open(record) {
  const written = {
    ...record,
    timestamp: record.timestamp && `${moment(record.timestamp)} (${record.timestamp})`,
    outcome: record.outcome && `${named("outcome", record.outcome)} (${record.outcome})`,
    source: named("source", record.source ?? "none"),
    cost_usd: dollars(record.cost_usd),
    reserved_usd: dollars(record.reserved_usd),
    duration_ms: duration(record.duration_ms),
    tokens:
      record.usage &&
      t("record.usage", {
        input: count(record.usage.prompt_tokens),
        cached: count(record.usage.cached_tokens ?? 0),
        output: count(record.usage.completion_tokens),
      }),
  };
  const facts = MEMBERS.filter(
    (name) => written[name] !== null && written[name] !== undefined && written[name] !== "",
  ).map((name) => h("div", {}, h("dt", {}, t(`record.${name}`)), h("dd", {}, String(written[name]))));
  const text = record.error_context;
  return show({
    title: t("record.title"),
    content: h(
      "div",
      { class: "stack" },
      h("dl", { class: "facts" }, facts),
      h("h3", {}, t("record.error_context")),
      typeof text === "string"
        ? h("pre", { tabindex: "0", class: "context", role: "region", "aria-label": t("record.error_context") }, text)
        : h("p", { class: "muted" }, t("record.notext")),
    ),
  });
}

// To the last place: here somebody reckons.
function dollars(text) {
  return typeof text === "string" ? `$${text}` : undefined;
}

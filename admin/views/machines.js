// Machines: who spent most, asked most or came last.

import { ofMachine } from "../address.js";
import * as api from "../api.js";
import { freshId, h, replace } from "../dom.js";
import { ago, count, money, moment } from "../format.js";
import { t } from "../language.js";
import { cell, table } from "../parts/table.js";

const ORDERS = ["spent", "requests", "seen"];
const LIMITS = ["20", "50", "100"];

/** The view; `parameters` are of its address. */
export function machines({ go }, parameters) {
  const order = ORDERS.includes(parameters.get("order")) ? parameters.get("order") : "spent";
  const limit = LIMITS.includes(parameters.get("limit")) ? parameters.get("limit") : LIMITS[0];
  const sort = (name) => ({ on: order === name, choose: () => go("machines", { order: name, limit }) });
  const columns = [
    { label: t("column.machine") },
    { label: t("column.plan"), wide: true },
    { label: t("column.requests"), number: true, sort: sort("requests") },
    { label: t("column.spent"), number: true, sort: sort("spent") },
    { label: t("column.inflight"), number: true, wide: true },
    { label: t("column.seen"), wide: true, sort: sort("seen") },
  ];
  const list = table({ caption: t("machines.caption", { order: t(`machines.order.${order}`) }), columns });
  const empty = h("p", { class: "empty", hidden: true }, t("machines.empty"));
  const some = h("p", { class: "muted", hidden: true }, t("machines.some"));
  const limitId = freshId("limit");
  const choice = h(
    "select",
    { id: limitId, on: { change: () => go("machines", { order, limit: choice.value }) } },
    LIMITS.map((value) => h("option", { value, selected: value === limit }, value)),
  );
  const seenOrder = h(
    "button",
    {
      type: "button",
      class: "narrow-only",
      "data-key": "seen-narrow",
      "aria-pressed": String(order === "seen"),
      on: { click: () => go("machines", { order: order === "seen" ? "spent" : "seen", limit }) },
    },
    t("column.seen"),
  );

  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, t("machines.title")),
    h(
      "div",
      { class: "tools" },
      opener(),
      h("div", { class: "field inline" }, h("label", { for: limitId }, t("machines.limit")), choice),
      seenOrder,
    ),
    h("div", { class: "card" }, list.node, empty, some),
  );

  return {
    node,
    async load() {
      const { machines: found, complete } = await api.machines({ order, limit });
      some.hidden = complete !== false;
      empty.hidden = found.length > 0;
      list.node.hidden = found.length === 0;
      replace(
        list.body,
        found.map(({ machine_id: id, plan, requests, spent_usd: spent, in_flight: open, seen_at: seen }) =>
          h(
            "tr",
            {},
            h(
              "th",
              { scope: "row", class: "name" },
              h("a", { href: ofMachine(id), "data-key": `machine-${id}` }, id),
              h("span", { class: "narrow-only muted" }, `${plan} · ${ago(seen)}`),
            ),
            cell(columns[1], plan),
            cell(columns[2], count(requests)),
            cell(columns[3], h("span", { title: `$${spent}` }, money(spent))),
            cell(columns[4], count(open)),
            cell(columns[5], h("time", { datetime: seen, title: moment(seen) }, ago(seen))),
          ),
        ),
      );
    },
  };

  function opener() {
    const id = freshId("machine");
    const field = h("input", { id, name: "machine", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
    const form = h(
      "form",
      { class: "field inline", role: "search" },
      h("label", { for: id }, t("machines.open")),
      field,
      h("button", { type: "submit" }, t("machines.open.submit")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (field.value.trim() === "") field.focus();
      else go("machine", { id: field.value.trim() });
    });
    return form;
  }
}

// The log: filtered, newest first, older ones on demand. The filters are in the page's address, so that they
// can be passed on and outlive a reload.

import * as api from "../api.js";
import { freshId, h } from "../dom.js";
import { count } from "../format.js";
import { t } from "../language.js";
import { records } from "../parts/records.js";
import { OUTCOMES, SOURCES } from "../usage.js";

const FILTERS = ["machine", "plan", "outcome", "source", "from", "until"];
const PAGE = 50;

/** The view; its filters are in `parameters`. */
export function log({ go, tell, fail }, parameters) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, parameters.get(name) ?? ""]));
  const isFiltered = Object.values(filters).some((value) => value !== "");
  const list = records({ caption: t("log.caption") });
  const empty = h("p", { class: "empty", hidden: true });
  const shown = h("p", { class: "muted" });
  const older = h("button", { type: "button", hidden: true, on: { click: () => more() } }, t("log.older"));
  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, t("log.title")),
    filterForm(),
    h("p", { class: "muted" }, t("log.manual")),
    h("div", { class: "card" }, list.node, empty, h("div", { class: "more" }, shown, older)),
  );
  let cursor = null;
  let length = 0;
  let isBusy = false;

  function account() {
    list.node.hidden = length === 0;
    empty.hidden = length > 0;
    // One request reads only so much: a page may be empty and have others behind it.
    empty.textContent = t(cursor !== null ? "log.empty.sofar" : isFiltered ? "log.empty.filtered" : "log.empty");
    older.hidden = cursor === null;
    shown.textContent = length === 0 ? "" : t(cursor === null ? "log.end" : "log.shown", { count: count(length) });
  }

  async function more() {
    if (isBusy) return;
    isBusy = true;
    older.setAttribute("aria-busy", "true");
    try {
      const answer = await api.logs({ ...filters, limit: PAGE, cursor });
      cursor = answer.cursor ?? null;
      length += answer.records.length;
      account();
      list.add(answer.records);
      tell(shown.textContent || empty.textContent);
    } catch (failure) {
      fail(failure);
    } finally {
      isBusy = false;
      older.removeAttribute("aria-busy");
    }
  }

  return {
    node,
    async load({ isByItself } = {}) {
      // Each reading counts against the allowance of KV, so nobody's clock does it.
      if (isByItself && length > 0) return;
      const answer = await api.logs({ ...filters, limit: PAGE });
      cursor = answer.cursor ?? null;
      length = answer.records.length;
      list.show(answer.records);
      account();
    },
  };

  function filterForm() {
    const trouble = h("p", { class: "trouble", role: "alert" });
    const field = (name, control) => {
      control.id = freshId(name);
      control.name = name;
      return h("div", { class: "field" }, h("label", { for: control.id }, t(`log.${name}`)), control);
    };
    const text = (name) =>
      h("input", { value: filters[name], autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
    const choice = (name, group, values) =>
      h(
        "select",
        {},
        h("option", { value: "" }, t("log.any")),
        unknown(filters[name], values),
        values.map((value) => h("option", { value, selected: value === filters[name] }, t(`${group}.${value}`))),
      );
    const time = (name) => h("input", { type: "datetime-local", step: "1", value: localTime(filters[name]) });
    const form = h(
      "form",
      { class: "filters", role: "search", "aria-label": t("log.filters"), novalidate: true },
      field("machine", text("machine")),
      field("plan", text("plan")),
      field("outcome", choice("outcome", "outcome", OUTCOMES)),
      field("source", choice("source", "source", SOURCES)),
      field("from", time("from")),
      field("until", time("until")),
      trouble,
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "submit", class: "primary" }, t("log.apply")),
        h("button", { type: "button", on: { click: () => go("log") } }, t("log.clear")),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const wanted = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
      for (const name of ["from", "until"]) wanted[name] = wanted[name] && new Date(wanted[name]).toISOString();
      if (wanted.from && wanted.until && wanted.from >= wanted.until) {
        trouble.textContent = t("log.order");
        form.elements.from.focus();
        return;
      }
      trouble.textContent = "";
      go("log", wanted);
    });
    // On a small screen the records come first, unless filters say which.
    const open = isFiltered || matchMedia("(min-width: 44rem)").matches;
    return h("details", { class: "card fold", open }, h("summary", {}, t("log.filters")), form);
  }
}

// A value that came by the address and that the page does not know is asked for all the same.
function unknown(value, values) {
  return value !== "" && !values.includes(value) && h("option", { value, selected: true }, value);
}

// RFC 3339 in the form of a datetime-local field, in the reader's own zone.
function localTime(text) {
  const at = new Date(text);
  if (text === "" || Number.isNaN(at.getTime())) return "";
  const two = (value) => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

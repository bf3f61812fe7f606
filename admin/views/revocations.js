// Revocations: what is out of use, since when, by whom and why; more of them, and the way back.

import * as api from "../api.js";
import { freshId, h, replace } from "../dom.js";
import { moment, shortMoment } from "../format.js";
import { t } from "../language.js";
import { named, revoke, takeBack, target } from "../parts/revoking.js";
import { cell, table } from "../parts/table.js";

const KINDS = ["machine", "jti", "issued_before"];

/** The view. */
export function revocations({ changed }) {
  const columns = [
    { label: t("column.what") },
    { label: t("column.time"), wide: true },
    { label: t("column.by"), wide: true },
    { label: t("column.reason") },
    { label: t("column.action") },
  ];
  const list = table({ caption: t("revocations.caption"), columns });
  const empty = h("p", { class: "empty", hidden: true }, t("revocations.empty"));
  const node = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: "-1" }, t("revocations.title")),
    h("div", { class: "card" }, list.node, empty),
    revoker(),
  );

  async function act(done) {
    const told = await done;
    if (told !== undefined) changed(told);
    return told !== undefined;
  }

  return {
    node,
    async load() {
      const { revocations: found } = await api.revocations();
      empty.hidden = found.length > 0;
      list.node.hidden = found.length === 0;
      replace(
        list.body,
        found.map((revocation) => {
          const of = target(revocation);
          const { at, by, reason } = revocation;
          return h(
            "tr",
            {},
            h(
              "th",
              { scope: "row", class: "name" },
              named(of),
              h("span", { class: "narrow-only muted" }, `${shortMoment(at)} · ${by}`),
            ),
            cell(columns[1], h("time", { datetime: at, title: moment(at) }, shortMoment(at))),
            cell(columns[2], by),
            h("td", { class: "name" }, reason),
            h(
              "td",
              {},
              h(
                "button",
                {
                  type: "button",
                  "data-key": `restore-${of.kind}-${of.value}`,
                  "aria-label": `${t("restore.button")} ${named(of)}`,
                  on: { click: () => act(takeBack(of, revocation)) },
                },
                t("restore.button"),
              ),
            ),
          );
        }),
      );
    },
  };

  function revoker() {
    const [kindId, valueId, titleId, troubleId] = ["kind", "value", "title", "trouble"].map(freshId);
    const kind = h(
      "select",
      { id: kindId, name: "kind" },
      KINDS.map((value) => h("option", { value }, t(`revocations.kind.${value}`))),
    );
    const value = h("input", {
      id: valueId,
      name: "value",
      autocomplete: "off",
      spellcheck: "false",
      autocapitalize: "off",
      "aria-describedby": troubleId,
    });
    const label = h("label", { for: valueId });
    const trouble = h("p", { class: "trouble", role: "alert", id: troubleId });
    const fit = () => {
      label.textContent = t(`revocations.value.${kind.value}`);
      value.type = kind.value === "issued_before" ? "datetime-local" : "text";
    };
    fit();
    kind.addEventListener("change", fit);
    const form = h(
      "form",
      { class: "card filters", "aria-labelledby": titleId, novalidate: true },
      h("h2", { id: titleId }, t("revocations.new")),
      h("div", { class: "field" }, h("label", { for: kindId }, t("revocations.kind")), kind),
      h("div", { class: "field" }, label, value),
      trouble,
      h("div", { class: "buttons" }, h("button", { type: "submit", class: "danger" }, t("machine.revoke"))),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const text = value.value.trim();
      const isTime = kind.value === "issued_before";
      // One in the future would refuse what is made after it was said.
      const isFuture = isTime && Date.parse(text) > Date.now();
      trouble.textContent = text === "" ? t("revocations.missing") : isFuture ? t("revocations.future") : "";
      if (trouble.textContent !== "") return value.focus();
      const isDone = await act(revoke({ kind: kind.value, value: isTime ? new Date(text).toISOString() : text }));
      if (isDone) value.value = "";
    });
    return form;
  }
}

// Tables, with a caption and scoped headers; and bars beside numbers, for the eye only.

import { h } from "../dom.js";
import { t } from "../language.js";

/**
 * A table whose `columns` are `{ label, number, wide, sort }`: `wide` ones are left out on narrow screens,
 * `sort` is `{ on, choose }`. Its body is filled by whoever asked for it.
 */
export function table({ caption, columns, isCaptionHidden }) {
  const body = h("tbody");
  const captionNode = h("caption", { class: isCaptionHidden ? "hidden" : false }, caption);
  const head = columns.map((column) => {
    const { label, sort } = column;
    const content = sort
      ? h(
          "button",
          {
            type: "button",
            class: "sort",
            "data-key": `sort-${label}`,
            title: t("machines.sort", { column: label }),
            on: { click: sort.choose },
          },
          label,
          h("span", { "aria-hidden": "true" }, sort.on ? " ↓" : ""),
        )
      : label;
    return h("th", { scope: "col", class: classOf(column), "aria-sort": sort?.on ? "descending" : false }, content);
  });
  return { node: h("table", {}, captionNode, h("thead", {}, h("tr", {}, head)), body), body, caption: captionNode };
}

/** A cell of such a column. */
export function cell(column, ...content) {
  return h("td", { class: classOf(column) }, ...content);
}

function classOf({ number, wide }) {
  return [number && "number", wide && "wide"].filter(Boolean).join(" ") || false;
}

/** A bar as long as its share, of which a screen reader hears nothing: the number stands beside it. */
export function bar(part, whole, kind = "") {
  const share = whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;
  const fill = h("span", { class: `fill ${kind}` });
  // Through the object model: the policy forbids style attributes.
  fill.style.inlineSize = `${(share * 100).toFixed(2)}%`;
  return h("span", { class: "bar", "aria-hidden": "true" }, fill);
}

/** How near a limit is, as a colour. */
export function alarm(part, whole) {
  const share = whole > 0 ? part / whole : 0;
  if (share >= 0.9) return "is-high";
  return share >= 0.7 ? "is-near" : "";
}

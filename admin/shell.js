// What stands around every view: the name, the way to the views, and what concerns all of them.

import { h, replace, say } from "./dom.js";
import { moment } from "./format.js";
import { t } from "./language.js";

const TABS = ["overview", "machines", "log", "revocations"];

/** The header. */
export function shell({ operator, languages, refresh, signOut }) {
  const tabs = Object.fromEntries(TABS.map((name) => [name, h("a", { href: `#${name}` }, t(`nav.${name}`))]));
  const dated = h("span", { class: "muted dated" });
  const again = h("button", { type: "button", "data-key": "refresh", on: { click: refresh } }, t("refresh"));
  const warning = h("div", { class: "warning", role: "status", hidden: true });
  let warned = "";
  const header = h(
    "header",
    { class: "top" },
    h("p", { class: "brand" }, t("title")),
    h(
      "nav",
      { "aria-label": t("nav") },
      h(
        "ul",
        {},
        Object.values(tabs).map((tab) => h("li", {}, tab)),
      ),
    ),
    h(
      "div",
      { class: "session" },
      dated,
      again,
      languages,
      h(
        "button",
        { type: "button", title: operator && t("operator", { name: operator }), on: { click: signOut } },
        t("signout"),
      ),
    ),
    warning,
  );
  return {
    // A link to #main would change the address that names the view.
    skip: h(
      "button",
      { type: "button", class: "skip", on: { click: () => document.querySelector("main h1").focus() } },
      t("skip"),
    ),
    header,
    choose(name) {
      const tab = name === "machine" ? "machines" : name;
      for (const [of, link] of Object.entries(tabs)) {
        if (of === tab) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    },
    busy(isBusy) {
      again.setAttribute("aria-busy", String(isBusy));
      say(again, t(isBusy ? "refreshing" : "refresh"));
    },
    dated: (text) => say(dated, text),
    warn({ model, since }) {
      const text = model === "off" ? t("model.banner", { time: moment(since) }) : "";
      if (warned === text) return;
      warned = text;
      warning.hidden = text === "";
      replace(warning, text !== "" && h("p", {}, text, " ", h("a", { href: "#overview" }, t("model.banner.link"))));
    },
  };
}

// What happened, said once: results to whoever listens politely, failures at once.

import { h, replace, say } from "../dom.js";
import { clock, NOTHING } from "../format.js";
import { t } from "../language.js";

/** A failure as sentences: what it is, and what to do. */
export function explain(failure) {
  if (failure?.kind === undefined) {
    console.error(failure);
    return t("failure.strange", { status: NOTHING });
  }
  const { kind, status = NOTHING, requestId } = failure;
  const detail = failure.detail ?? failure.title ?? "";
  const said = t(`failure.${kind}`, { status, detail, seconds: failure.retryAfter ?? 60 });
  return requestId === undefined ? said : `${said} ${t("failure.request", { id: requestId })}.`;
}

/** The places for both, to stand before the view. */
export function notices() {
  const result = h("p", { class: "notice result", role: "status" });
  const trouble = h("div", { class: "notice trouble", role: "alert" });
  let shown;
  return {
    node: h("div", { class: "notices" }, result, trouble),
    tell(text) {
      say(result, text);
    },
    /** A failure to read, with the age of what is still shown; it stands until reading works again. */
    fail(failure, since, retry) {
      const text = [explain(failure), since && t("stale", { time: clock(since) })].filter(Boolean).join(" ");
      // Said once, not each minute.
      if (shown === text) return;
      shown = text;
      replace(
        trouble,
        h("p", {}, text),
        h("button", { type: "button", "data-key": "retry", on: { click: retry } }, t("retry")),
      );
    },
    calm() {
      shown = undefined;
      replace(trouble);
    },
  };
}

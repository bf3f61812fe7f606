// A question before something is done that others feel: a modal dialog that names what will happen.

import { freshId, h, say } from "../dom.js";
import { t } from "../language.js";
import { explain } from "./notices.js";

/**
 * Asks, and does it: `run` gets the reason and fails or not. Resolves to what `run` gave, or to `undefined`
 * when the operator thinks better of it. Where it fails, the dialog stays with all that was typed.
 */
export function confirm({ title, text, facts = [], confirmWord, isDangerous, wantsReason, run }) {
  const [titleId, textId, hintId] = ["title", "text", "hint"].map(freshId);
  const reason = h("textarea", {
    id: freshId("reason"),
    name: "reason",
    rows: "2",
    maxlength: "500",
    "aria-describedby": hintId,
    autofocus: true,
  });
  const trouble = h("p", { class: "trouble", role: "alert" });
  const cancel = h("button", { type: "button", autofocus: !wantsReason }, t("cancel"));
  const act = h("button", { type: "submit", class: isDangerous ? "danger" : "primary" }, confirmWord);
  const form = h(
    "form",
    { novalidate: true },
    h("h2", { id: titleId }, title),
    h("div", { id: textId }, h("p", {}, text), ...facts.map((fact) => h("p", { class: "muted" }, fact))),
    wantsReason &&
      h(
        "div",
        { class: "field" },
        h("label", { for: reason.id }, t("reason")),
        reason,
        h("p", { class: "hint", id: hintId }, t("reason.hint")),
      ),
    trouble,
    h("div", { class: "buttons" }, cancel, act),
  );
  const dialog = h("dialog", { "aria-labelledby": titleId, "aria-describedby": textId }, form);
  let outcome;
  let isBusy = false;

  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("cancel", (event) => {
    // What was sent cannot be called back by Escape.
    if (isBusy) event.preventDefault();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isBusy) return;
    const why = reason.value.trim();
    if (wantsReason && why === "") {
      say(trouble, t("reason.missing"));
      reason.focus();
      return;
    }
    isBusy = true;
    act.setAttribute("aria-busy", "true");
    say(trouble, "");
    try {
      outcome = await run(why);
      dialog.close();
    } catch (failure) {
      if (failure.kind === "signed-out") dialog.close();
      else say(trouble, explain(failure));
    } finally {
      isBusy = false;
      act.removeAttribute("aria-busy");
    }
  });
  return opened(dialog, () => outcome);
}

/** Shows something in a dialog that is only closed. */
export function show({ title, content }) {
  const titleId = freshId("title");
  const close = h("button", { type: "button", autofocus: true }, t("close"));
  const dialog = h(
    "dialog",
    { class: "wide", "aria-labelledby": titleId },
    h("h2", { id: titleId }, title),
    content,
    h("div", { class: "buttons" }, close),
  );
  close.addEventListener("click", () => dialog.close());
  return opened(dialog, () => undefined);
}

function opened(dialog, outcome) {
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(outcome());
    });
  });
}

/** Whether any dialog is open: then nothing beneath it is to be moved about. */
export function isOpen() {
  return document.querySelector("dialog[open]") !== null;
}

// The form that takes an operator's token, on a page of its own or over the page when a token has run out.

import * as api from "../api.js";
import { freshId, h, say } from "../dom.js";
import { moment } from "../format.js";
import { t } from "../language.js";
import * as session from "../session.js";
import { explain } from "./notices.js";

const MINT = "cargo run -q -- token mint --operator --machine NAME --days 1 --keys-file ~/gateway.production.keys";

/** The form; `done` is called when the session has a token that the gateway takes. */
export function signInForm({ titleId, title, why, done, more = [] }) {
  const [fieldId, hintId, troubleId] = ["token", "hint", "trouble"].map(freshId);
  const field = h("input", {
    id: fieldId,
    name: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "off",
    required: true,
    autofocus: true,
    "aria-describedby": `${troubleId} ${hintId}`,
  });
  const trouble = h("p", { class: "trouble", role: "alert", id: troubleId });
  const submit = h("button", { type: "submit", class: "primary" }, t("signin.submit"));
  const form = h(
    "form",
    { novalidate: true, class: "stack" },
    h("h1", { id: titleId }, title),
    why && h("p", {}, why),
    h(
      "div",
      { class: "field" },
      h("label", { for: fieldId }, t("signin.token")),
      field,
      h("p", { class: "hint", id: hintId }, t("signin.hint")),
    ),
    trouble,
    h("div", { class: "buttons" }, submit, ...more),
    h(
      "details",
      { open: true },
      h("summary", {}, t("signin.how")),
      h("p", {}, t("signin.how.text")),
      h("pre", { tabindex: "0" }, h("code", {}, MINT)),
      h("p", {}, t("signin.how.name")),
      h("p", {}, t("signin.how.dev")),
    ),
  );
  let isBusy = false;

  function refuse(text) {
    field.setAttribute("aria-invalid", "true");
    say(trouble, text);
    field.focus();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isBusy) return;
    // A terminal breaks long lines, and whoever copies the header takes its first word along.
    const token = field.value.replace(/^\s*Bearer\s+/i, "").replace(/\s+/g, "");
    if (token === "") return refuse(t("signin.empty"));
    if (!session.looksLikeToken(token)) return refuse(t("signin.shape"));
    isBusy = true;
    submit.setAttribute("aria-busy", "true");
    say(submit, t("signin.working"));
    field.removeAttribute("aria-invalid");
    say(trouble, "");
    try {
      await api.probe(token);
      session.keep(token);
      field.value = "";
      done();
    } catch (failure) {
      refuse(refusal(failure, token));
    } finally {
      isBusy = false;
      submit.removeAttribute("aria-busy");
      say(submit, t("signin.submit"));
    }
  });
  return form;
}

function refusal(failure, token) {
  if (failure.kind === "forbidden") return t("signin.client");
  if (failure.kind !== "unauthenticated") return explain(failure);
  const { exp } = session.claims(token);
  const isOver = Number.isFinite(exp) && exp * 1_000 < Date.now();
  return isOver ? t("signin.expired", { time: moment(new Date(exp * 1_000).toISOString()) }) : t("signin.bad");
}

/** Asks for another token over the page, which stays as it is. Resolves to whether there is one. */
export function renew() {
  const titleId = freshId("title");
  const out = h("button", { type: "button" }, t("signout"));
  const dialog = h("dialog", { "aria-labelledby": titleId });
  dialog.append(
    signInForm({
      titleId,
      title: t("signin.again"),
      why: t("signin.lost"),
      done: () => dialog.close("renewed"),
      more: [out],
    }),
  );
  out.addEventListener("click", () => dialog.close());
  // By Escape the page would be left without a token and without a word.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "renewed");
    });
  });
}

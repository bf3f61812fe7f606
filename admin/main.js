// The page: signed in or not, which view by the address's fragment, and when it is read anew.

import { address, fragment } from "./address.js";
import * as api from "./api.js";
import { freshId, h, replace, say } from "./dom.js";
import { clock } from "./format.js";
import { choose, current as language, LANGUAGES, t } from "./language.js";
import { isOpen } from "./parts/dialog.js";
import { notices } from "./parts/notices.js";
import { renew, signInForm } from "./parts/signin.js";
import * as session from "./session.js";
import { shell } from "./shell.js";
import { log } from "./views/log.js";
import { machine } from "./views/machine.js";
import { machines } from "./views/machines.js";
import { overview } from "./views/overview.js";
import { revocations } from "./views/revocations.js";

const VIEWS = { overview, machines, machine, log, revocations };
const EVERY_MS = 60_000;
/** When a dialog was open. */
const AGAIN_MS = 5_000;

const main = h("main", { id: "main", tabindex: "-1" });
let page;
let view;
let notice;
let readAt;
let reading;
let askedAt;
let timer;

/** The view that the address names, and its parameters. */
function wanted() {
  const { name, parameters } = address();
  return { name: Object.hasOwn(VIEWS, name) ? name : "overview", parameters };
}

/** Goes to a view, by its address: the browser's way back leads back. */
function go(name, parameters = {}) {
  const hash = fragment(name, parameters);
  if (location.hash === hash) refresh();
  else location.hash = hash;
}

const context = {
  go,
  tell: (text) => notice.tell(text),
  fail: (failure) => failed(failure),
  /** Something was changed: says so, and reads anew. */
  async changed(text) {
    notice.tell(text);
    // What is being read may be of before.
    await reading;
    return refresh();
  },
};

function open({ takesFocus }) {
  view?.close?.();
  const { name, parameters } = wanted();
  view = VIEWS[name](context, parameters);
  readAt = undefined;
  notice = notices();
  replace(main, notice.node, view.node);
  page.choose(name);
  document.title = `${view.node.querySelector("h1").textContent} – ${t("title")}`;
  if (takesFocus) {
    view.node.querySelector("h1").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  reading = undefined;
  return refresh();
}

/** Reads the view anew; `isByItself` when the clock wants it. */
async function refresh({ isByItself = false } = {}) {
  if (reading !== undefined) return reading;
  const of = view;
  askedAt = Date.now();
  wait(EVERY_MS);
  page.busy(true);
  view.node.classList.toggle("is-loading", readAt === undefined);
  const focused = document.activeElement;
  const state = api.killSwitch();
  reading = Promise.all([view.load({ isByItself, state }), warned(state)]).then(
    () => of === view && succeeded(focused),
    (failure) => of === view && failed(failure),
  );
  await reading;
  if (of === view) reading = undefined;
}

// That the model is off must not be overlooked in any view.
async function warned(state) {
  try {
    page.warn(await state);
  } catch (failure) {
    // The other views work without it.
    if (failure.kind !== "not-found" || wanted().name === "overview") throw failure;
  }
}

function succeeded(focused) {
  readAt = new Date();
  view.node.classList.remove("is-loading");
  notice.calm();
  page.busy(false);
  page.dated(t("updated", { time: clock(readAt) }));
  // What had the focus may be gone with what was changed.
  if (!focused.isConnected && document.activeElement === document.body) main.focus({ preventScroll: true });
}

function failed(failure) {
  page.busy(false);
  view.node.classList.remove("is-loading");
  if (failure.kind === "signed-out") return signOut();
  notice.fail(failure, readAt, () => refresh());
}

function signOut() {
  session.forget();
  view?.close?.();
  view = undefined;
  showSignIn(t("signin.out"));
}

function showSignIn(told = "") {
  const titleId = freshId("title");
  const form = signInForm({ titleId, title: t("signin.title"), done: () => showPage({ told: t("signin.done") }) });
  const status = h("p", { class: "notice result", role: "status" });
  document.title = `${t("signin.title")} – ${t("title")}`;
  replace(main, status, h("section", { class: "card signin", "aria-labelledby": titleId }, form));
  document.body.replaceChildren(
    h("header", { class: "top bare" }, h("p", { class: "brand" }, t("title")), languages()),
    main,
  );
  say(status, told);
  form.elements.token.focus();
}

function showPage({ told, takesFocus = true } = {}) {
  const name = session.claims(session.current()).sub;
  page = shell({
    operator: typeof name === "string" ? name : undefined,
    languages: languages(),
    refresh: () => refresh(),
    signOut,
  });
  document.body.replaceChildren(page.skip, page.header, main);
  open({ takesFocus });
  if (told) notice.tell(told);
}

function languages() {
  const id = freshId("language");
  const choice = h(
    "select",
    { id, "data-key": "language" },
    Object.entries(LANGUAGES).map(([name, label]) =>
      h("option", { value: name, lang: name === "zh" ? "zh-Hans" : name, selected: name === language() }, label),
    ),
  );
  choice.addEventListener("change", () => {
    choose(choice.value);
    if (session.current() === null) showSignIn();
    else showPage({ takesFocus: false });
    document.querySelector("[data-key=language]")?.focus();
  });
  return h("div", { class: "field inline language" }, h("label", { for: id, class: "hidden" }, t("language")), choice);
}

// A minute after the last time, while somebody can see it; a dialog is not disturbed.
function tick() {
  if (view === undefined || document.visibilityState !== "visible" || Date.now() - askedAt < EVERY_MS) return;
  if (isOpen()) wait(AGAIN_MS);
  else refresh({ isByItself: true });
}

function wait(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(tick, milliseconds);
}

let renewing;
api.onExpiry(() => {
  renewing ??= renew().finally(() => (renewing = undefined));
  return renewing;
});
addEventListener("hashchange", () => view !== undefined && open({ takesFocus: true }));
document.addEventListener("visibilitychange", tick);

if (session.current() === null) showSignIn();
else showPage({ takesFocus: false });

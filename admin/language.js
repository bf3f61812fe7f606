// English and Chinese: chosen by the browser's languages, changed by a switch, remembered.

import en from "./words/en.js";
import zh from "./words/zh.js";

const WORDS = { en, zh };
const KEY = "language";

/** The languages there are, each under its own name. */
export const LANGUAGES = { en: "English", zh: "简体中文" };

let language = chosen();
apply();

function chosen() {
  try {
    const kept = localStorage.getItem(KEY);
    if (kept in WORDS) return kept;
  } catch {
    // Then the browser's languages decide.
  }
  const wanted = navigator.languages ?? [navigator.language];
  return wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in WORDS) ?? "en";
}

function apply() {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
}

/** The language now: `en` or `zh`. */
export function current() {
  return language;
}

/** Changes it; the page has to be drawn anew. */
export function choose(name) {
  language = name in WORDS ? name : "en";
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // Then it is asked of the browser again next time.
  }
  apply();
}

/** How numbers and times are written: as the browser's own variety of the language has it. */
export function locale() {
  const own = (navigator.languages ?? []).find((tag) => tag.toLowerCase().startsWith(language));
  return own ?? (language === "zh" ? "zh-Hans-CN" : "en");
}

/** A sentence, with what belongs in its braces. */
export function t(key, values = {}) {
  const sentence = WORDS[language][key] ?? en[key] ?? key;
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** The word for one of the gateway's own names, such as an outcome; the name itself where there is none. */
export function named(group, name) {
  const key = `${group}.${name}`;
  return WORDS[language][key] ?? en[key] ?? String(name ?? "–");
}

// The operator's token: in memory, and in sessionStorage so that it outlives a reload of this tab and no more.

const KEY = "operator-token";

let token = read();

function read() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** The token, or `null`. */
export function current() {
  return token;
}

/** Keeps a token for this tab. */
export function keep(text) {
  token = text;
  try {
    sessionStorage.setItem(KEY, text);
  } catch {
    // Where storage is forbidden it stays in memory.
  }
}

/** Forgets it. */
export function forget() {
  token = null;
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // It was in memory only.
  }
}

/** Whether a text has the form of a token: three parts of base64url. */
export function looksLikeToken(text) {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text);
}

/** What a token says of itself, unverified: good enough to show, and to explain a refusal. */
export function claims(text) {
  try {
    const part = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const said = JSON.parse(new TextDecoder().decode(bytes));
    return typeof said === "object" && said !== null ? said : {};
  } catch {
    return {};
  }
}

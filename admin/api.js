// The gateway's interface for operators: /admin/... of openapi.json.

import * as session from "./session.js";

/** Longer than the gateway takes to give up on its ledger. */
const PATIENCE_MS = 30_000;

/**
 * Why something did not work. `kind` is `network`, `timeout`, `unauthenticated`, `forbidden`, `unavailable`,
 * `not-found`, `refused`, `strange` or `signed-out`; the rest is of the problem document, where there was one.
 */
export class Failure extends Error {
  constructor(kind, { status, title, detail, requestId, retryAfter } = {}) {
    super(detail ?? kind);
    Object.assign(this, { kind, status, title, detail, requestId, retryAfter });
  }
}

/** How to get another token when the gateway does not take this one any more; resolves to whether there is one. */
let renew = async () => false;

/** Sets what is done about a token that is not taken any more. */
export function onExpiry(ask) {
  renew = ask;
}

/** Asks for something with the session's token: once more with another one, should it have run out. */
export async function request(method, path, { query, body } = {}) {
  const token = session.current();
  if (token === null) throw new Failure("signed-out");
  try {
    return await send(token, method, path, { query, body });
  } catch (failure) {
    if (failure.kind !== "unauthenticated") throw failure;
    // Another request may have noticed it first.
    const renewed = session.current() !== token || (await renew());
    if (!renewed || session.current() === null) throw new Failure("signed-out");
    return send(session.current(), method, path, { query, body });
  }
}

/** Whether the gateway takes this token: fails if not. */
export function probe(token) {
  return send(token, "GET", "/admin/revocations", {});
}

export const usage = () => request("GET", "/admin/usage", { query: { days: 30 } });
export const killSwitch = () => request("GET", "/admin/kill-switch");
export const setKillSwitch = (body) => request("PUT", "/admin/kill-switch", { body });
export const machines = (query) => request("GET", "/admin/machines", { query });
export const machine = (id) => request("GET", `/admin/machines/${encodeURIComponent(id)}`);
export const logs = (query) => request("GET", "/admin/logs", { query });
export const revocations = () => request("GET", "/admin/revocations");
export const revoke = (body) => request("POST", "/admin/revocations", { body });
export const takeBack = (body) => request("DELETE", "/admin/revocations", { body });

async function send(token, method, path, { query, body }) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== "" && value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  const headers = { Accept: "application/json", Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  let text;
  try {
    response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      // Else the browser would ask for a password of its own where the gateway offers Basic.
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    text = await response.text();
  } catch (error) {
    throw new Failure(error.name === "TimeoutError" ? "timeout" : "network");
  }
  const content = parsed(text);
  if (response.ok && content !== undefined) return content;
  throw failureOf(response, content);
}

function parsed(text) {
  try {
    const content = JSON.parse(text);
    return typeof content === "object" && content !== null ? content : undefined;
  } catch {
    return undefined;
  }
}

function failureOf(response, problem) {
  const { status } = response;
  const seconds = Number(response.headers.get("Retry-After"));
  const kinds = { 401: "unauthenticated", 403: "forbidden", 404: "not-found", 503: "unavailable" };
  const kind = kinds[status] ?? (status >= 400 && status < 500 ? "refused" : "strange");
  const word = (name) => (typeof problem?.[name] === "string" ? problem[name] : undefined);
  return new Failure(kind, {
    status,
    title: word("title"),
    detail: word("detail"),
    requestId: word("request_id") ?? response.headers.get("X-Request-Id") ?? undefined,
    retryAfter: seconds > 0 ? seconds : undefined,
  });
}

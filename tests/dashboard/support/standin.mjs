// A stand-in for the gateway: the dashboard's files with the headers that they are deployed with, and the
// operators' interface in the shapes of openapi.json, out of plain data that a test may change.
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fresh } from "./states.mjs";

const ASSETS = new URL("../../../build/assets/", import.meta.url).pathname;
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

const running = new Set();

/** A token in form only: what it says is read by the page, and the stand-in knows it by its text. */
export function token(claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1_000);
  return `${part({ alg: "HS256", kid: "o1" })}.${part({ sub: "alice", iat: now, exp: now + 3_600, ...claims })}.c2lnbmVk`;
}

/** Starts one. `state` is what it knows; `faults` say what goes wrong. */
export async function standIn(state = fresh()) {
  const good = new Set();
  const clients = new Set();
  const asked = [];
  const faults = { status: 0, silent: false };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://stand-in");
    const file = fileOf(url.pathname);
    if (file)
      return void response
        .writeHead(200, { ...headersOf(url.pathname), "Content-Type": TYPES[extname(file)] ?? "text/plain" })
        .end(readFileSync(file));
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    asked.push({
      method: request.method,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      body: text && JSON.parse(text),
    });
    if (faults.silent) return void request.socket.destroy();
    const given = (request.headers.authorization ?? "").replace("Bearer ", "");
    const [status, content] = answer(given, request.method, url, text);
    const problem = status >= 400;
    response.writeHead(status, {
      "Content-Type": problem ? "application/problem+json" : "application/json",
      "Cache-Control": "no-store",
      ...(status === 401 && { "WWW-Authenticate": 'Bearer realm="x", Basic realm="x"' }),
      ...(status === 503 && { "Retry-After": "7" }),
    });
    response.end(JSON.stringify({ ...content, request_id: "4c0f7d1be0f94a8f8f2c8a0b6d5e3f21" }));
  });

  function answer(given, method, url, text) {
    if (faults.status)
      return [faults.status, { title: "The ledger cannot be reached", detail: "Nothing was changed." }];
    if (clients.has(given)) return [403, { detail: "Only operators come in here." }];
    if (!good.has(given)) return [401, { detail: "Send an operator's token." }];
    return routes(state, method, url, text ? JSON.parse(text) : undefined);
  }

  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  running.add(server);
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    state,
    asked,
    faults,
    /** A token that is taken until it is taken back. */
    operator(claims) {
      const made = token(claims);
      good.add(made);
      return made;
    },
    client() {
      const made = token({ sub: "build-7", jti: "client" });
      clients.add(made);
      return made;
    },
    expire: () => good.clear(),
    close: () => stop(server),
  };
}

async function stop(server) {
  running.delete(server);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** Stops all that still run. */
export async function closeAll() {
  await Promise.all([...running].map(stop));
}

function routes(state, method, url, body) {
  const path = url.pathname.replace(/^\/admin\//, "");
  const same = (one) => ["machine", "jti", "issued_before"].every((kind) => one[kind] === body?.[kind]);
  switch (`${method} ${path.replace(/^machines\/.+/, "machines/*")}`) {
    case "GET usage":
      return [200, state.usage];
    case "GET kill-switch":
      return [200, state.kill];
    case "PUT kill-switch": {
      const changed = state.kill.model !== body.model;
      if (changed)
        state.kill = { model: body.model, since: new Date().toISOString(), by: "alice", reason: body.reason ?? null };
      return [200, { ...state.kill, changed }];
    }
    case "GET machines": {
      const keys = {
        spent: ({ spent_usd }) => Number(spent_usd),
        requests: ({ requests }) => requests,
        seen: ({ seen_at }) => Date.parse(seen_at),
      };
      const key = keys[url.searchParams.get("order") ?? "spent"];
      const sorted = [...state.machines].sort((a, b) => key(b) - key(a));
      return [200, { day: state.usage.day, machines: sorted.slice(0, Number(url.searchParams.get("limit") ?? 20)) }];
    }
    case "GET machines/*": {
      const id = decodeURIComponent(path.slice("machines/".length));
      const machine = state.machines.find(({ machine_id }) => machine_id === id);
      if (!machine) return [404, { detail: "It was not seen lately." }];
      return [200, { ...machine, revoked: state.revocations.find((one) => one.machine === id) ?? null }];
    }
    case "GET logs":
      return [200, page(state.records, url.searchParams)];
    case "GET revocations":
      return [200, { revocations: state.revocations }];
    case "POST revocations": {
      const changed = !state.revocations.some(same);
      if (changed) state.revocations.push({ ...body, at: new Date().toISOString(), by: "alice" });
      return [200, { changed }];
    }
    case "DELETE revocations": {
      const before = state.revocations.length;
      state.revocations = state.revocations.filter((one) => !same(one));
      return [200, { changed: state.revocations.length < before }];
    }
    default:
      return [404, { detail: "There is nothing here." }];
  }
}

function page(records, query) {
  const fits = (record) =>
    [
      ["machine", "machine_id"],
      ["plan", "plan"],
      ["outcome", "outcome"],
      ["source", "source"],
    ].every(([name, member]) => !query.get(name) || record[member] === query.get(name)) &&
    (!query.get("from") || record.timestamp >= query.get("from")) &&
    (!query.get("until") || record.timestamp < query.get("until"));
  const found = records.filter(fits);
  const start = Number(query.get("cursor") ?? 0);
  const end = start + Number(query.get("limit") ?? 50);
  return { records: found.slice(start, end), cursor: end < found.length ? String(end) : null };
}

function fileOf(path) {
  const file = join(ASSETS, normalize(path.endsWith("/") ? `${path}index.html` : path));
  return file.startsWith(join(ASSETS, "admin/")) && statSync(file, { throwIfNoEntry: false })?.isFile()
    ? file
    : undefined;
}

// The form that Cloudflare gives `_headers`, as far as ours uses it.
function headersOf(path) {
  const headers = {};
  let applies = false;
  for (const line of readFileSync(join(ASSETS, "_headers"), "utf8").split("\n")) {
    if (/^\S/.test(line)) applies = line.endsWith("*") ? path.startsWith(line.slice(0, -1)) : path === line;
    else if (applies && line.includes(":"))
      headers[line.slice(0, line.indexOf(":")).trim()] = line.slice(line.indexOf(":") + 1).trim();
  }
  return headers;
}

// Stands before the built Worker: LOGS_KV refuses to write while there is an outage. POST /outage begins one,
// DELETE /outage ends it; GET /log tells what LOGS_KV holds and how often it was asked to write, as
// {writes, refused, values}.
import gateway, { Ledger as Built, LedgerCore } from "./index.js";

let outage = false;
let writes = 0;
let refused = 0;

const unsteady = (kv) =>
  new Proxy(kv, {
    get(target, name) {
      const member = Reflect.get(target, name, target);
      if (typeof member !== "function" || name === "constructor") return member;
      if (name !== "put") return member.bind(target);
      return (...args) => {
        writes += 1;
        if (!outage) return member.apply(target, args);
        refused += 1;
        return Promise.reject(new Error("KV PUT failed: 429 Too Many Requests"));
      };
    },
  });
const seen = (env) =>
  new Proxy(env, { get: (target, name) => (name === "LOGS_KV" ? unsteady(target[name]) : target[name]) });

async function values(kv) {
  const all = [];
  let cursor;
  do {
    const page = await kv.list({ cursor });
    for (const { name } of page.keys) all.push(await kv.get(name));
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor);
  return all;
}

export class Ledger extends Built {
  constructor(state, env) {
    super(state, env, new LedgerCore(state, seen(env)));
  }
}

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname === "/outage") {
      outage = request.method === "POST";
      return new Response(null, { status: 204 });
    }
    if (pathname !== "/log") return gateway.fetch(request, env, context);
    return Response.json({ writes, refused, values: await values(env.LOGS_KV) });
  },
};

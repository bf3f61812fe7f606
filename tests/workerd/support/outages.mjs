// Stands before the built Worker, and lets what it depends on fail. POST /outage with {fail, clock, traps, settings}
// says what does from now on: in `fail`, the names of "shards" and "treasury" of the ledger, of bindings of KV, of
// "cache" and "randomness", and "silence" for a ledger that takes messages and never answers; `clock` is how many
// milliseconds the platform's clock is off; `traps` is after how many looks at the clock, or errors on the console, the
// module runs into a trap, once, as a panic is one; `settings` are values that stand in place of those that it was
// started with, as soon as the module reads them anew; the answer's X-Trapped tells whether what was asked for before
// has led to a trap. GET /log tells what LOGS_KV holds, a page of its values at a
// time, as {values, cursor}; outages do not hold for it.
import gateway, { Ledger as Built, LedgerCore } from "./index.js";

let fail = [];
let clock = 0;
let settings = {};
let looks = Infinity;

const broken = (name) => fail.includes(name);
const refuse = (name) => Promise.reject(new Error(`${name}: out of order`));

const stub = (ledger, name) => ({
  exchange(message) {
    if (broken("silence")) return new Promise(() => {});
    return broken(name === "treasury" ? "treasury" : "shards") ? refuse(name) : ledger.getByName(name).exchange(message);
  },
});
// What the Worker is given is still of the platform's kind.
const objects = (ledger) =>
  new Proxy(ledger, {
    get: (target, member) => (member === "getByName" ? (name) => stub(target, name) : Reflect.get(target, member, target)),
  });
const unsteady = (store, name) =>
  new Proxy(store, {
    get(target, method) {
      const member = Reflect.get(target, method, target);
      if (typeof member !== "function" || method === "constructor") return member;
      return (...args) => (broken(name) ? refuse(name) : member.apply(target, args));
    },
  });
const seen = (env) =>
  new Proxy(env, {
    get(target, name) {
      if (name === "LEDGER") return objects(target.LEDGER);
      if (name === "LOGS_KV" || name === "LIMITS_KV") return unsteady(target[name], name);
      return settings[name] ?? target[name];
    },
  });

const cache = unsteady(caches.default, "cache");
Object.defineProperty(globalThis, "caches", { value: { default: cache } });

const look = () => {
  looks -= 1;
  // To the module, what this throws is a trap: it is not unwound, and no destructor runs.
  if (looks === 0) throw new WebAssembly.RuntimeError("unreachable");
};
const { now } = Date;
Date.now = () => {
  look();
  return now() + clock;
};
const { error } = console;
console.error = (...told) => {
  look();
  error(...told);
};

const getRandomValues = crypto.getRandomValues.bind(crypto);
crypto.getRandomValues = (array) => {
  if (broken("randomness")) throw new Error("out of order");
  return getRandomValues(array);
};

export class Ledger extends Built {
  constructor(state, env) {
    super(state, env, new LedgerCore(state, seen(env)));
  }
}

async function log(kv, cursor) {
  const page = await kv.list({ cursor, limit: 5 });
  const values = await Promise.all(page.keys.map(({ name }) => kv.get(name)));
  return Response.json({ values, cursor: page.list_complete ? null : page.cursor });
}

export default {
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/log") return log(env.LOGS_KV, searchParams.get("cursor") ?? undefined);
    if (pathname !== "/outage") return gateway.fetch(request, seen(env), context);
    const { traps, ...outage } = await request.json();
    const headers = { "X-Trapped": `${looks <= 0}` };
    ({ fail = [], clock = 0, settings = {} } = outage);
    looks = traps ?? Infinity;
    return new Response(null, { status: 204, headers });
  },
};

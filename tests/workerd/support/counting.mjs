// Stands before the built Worker and counts what it asks of the platform: each binding that costs
// something is replaced by one that counts and passes on. GET /counted tells, and starts again from 0;
// GET /written tells every write to KV so far, as {namespace, key, at}, the time in milliseconds.
import gateway, { Ledger as Built, LedgerCore } from "./index.js";

let counted = {};
const count = (what) => {
  counted[what] = (counted[what] ?? 0) + 1;
};

// `target` with its members seen through `look(name, member)`. Methods keep the `this` of the
// platform, which takes no other.
const seen = (target, look) =>
  new Proxy(target, {
    get(object, name) {
      const member = Reflect.get(object, name, object);
      const own = typeof member === "function" && name !== "constructor" ? member.bind(object) : member;
      return look(name, own);
    },
  });
const calls = (target, prefix) =>
  seen(target, (name, member) =>
    typeof member === "function" && name !== "constructor"
      ? (...args) => {
          count(`${prefix}.${String(name)}`);
          return member(...args);
        }
      : member,
  );

// A stub's methods are made up as they are asked for, so they are called where they stand.
const called = (stub) => ({
  exchange: (message) => {
    count("ledger.exchange");
    return stub.exchange(message);
  },
});

// When each key was written, for GET /written; a write is told of once it is done.
const written = [];
const timed = (kv, name) =>
  seen(kv, (method, member) =>
    method === "put"
      ? (key, ...rest) => {
          const at = Date.now();
          return member(key, ...rest).then(() => void written.push({ namespace: name, key, at }));
        }
      : member,
  );

const wrapped = (env) =>
  seen(env, (name, binding) => {
    if (name === "LOGS_KV" || name === "LIMITS_KV") return timed(calls(binding, "kv"), name);
    if (name !== "LEDGER") return binding;
    return seen(binding, (method, member) =>
      method === "get" || method === "getByName"
        ? (...args) => called(member(...args))
        : member,
    );
  });

const cache = calls(caches.default, "cache");
Object.defineProperty(globalThis, "caches", { value: seen(caches, (name, own) => (name === "default" ? cache : own)) });
const { fetch } = globalThis;
globalThis.fetch = (...args) => {
  count("fetch");
  return fetch(...args);
};

export class Ledger extends Built {
  constructor(state, env) {
    count("object");
    const sql = calls(state.storage.sql, "sql");
    const storage = calls(seen(state.storage, (name, own) => (name === "sql" ? sql : own)), "storage");
    const counted = seen(state, (name, own) => (name === "storage" ? storage : own));
    super(state, env, new LedgerCore(counted, wrapped(env)));
  }
}

export default {
  fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname === "/written") return Response.json(written);
    if (pathname !== "/counted") return gateway.fetch(request, wrapped(env), context);
    const told = Response.json(counted);
    counted = {};
    return told;
  },
};

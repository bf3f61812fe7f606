// Stands before the built Worker. POST /kept with {key, value, metadata} puts that into LOGS_KV, as
// somebody else may have; GET /kept tells all of it, as [{key, value, metadata}]. In place of the binding
// ANALYTICS, which workerd has no store for, is one that keeps its points for GET /points, in the isolate
// that got them; with the setting POINTS_FAIL it throws.
import gateway, { Ledger } from "./index.js";

const points = [];
const analytics = (env) => ({
  writeDataPoint(point) {
    if (env.POINTS_FAIL) throw new Error("no more points");
    points.push(point);
  },
});

async function kept(kv) {
  const entries = [];
  let cursor;
  do {
    const page = await kv.list({ cursor });
    for (const { name: key, metadata } of page.keys) entries.push({ key, metadata, value: await kv.get(key) });
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor);
  return entries;
}

// The runtime's object of bindings cannot be added to.
const withAnalytics = (env) =>
  env.POINTS ? new Proxy(env, { get: (target, name) => (name === "ANALYTICS" ? analytics(env) : target[name]) }) : env;

export { Ledger };

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname === "/points") return Response.json(points);
    if (pathname !== "/kept") return gateway.fetch(request, withAnalytics(env), context);
    if (request.method !== "POST") return Response.json(await kept(env.LOGS_KV));
    const { key, value, metadata } = await request.json();
    await env.LOGS_KV.put(key, value, { metadata });
    return new Response("kept");
  },
};

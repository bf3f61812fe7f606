// Several Workers in one workerd, each on a port of its own, all with the ledger of the first: as
// versions of a Worker stand side by side on Cloudflare while one takes the place of another. Takes
// a file with [{name, bindings, main}] and a folder for their storage; prints {name: port} once they
// listen, and runs until it is ended. `main` is a module of this folder that stands before the built
// Worker, if there is one. With "inspected" as a third argument, {collector: port} is printed too: a
// request there has the isolates collect their garbage, those of the storage's stand-ins too, and is
// answered with the bytes that each has left.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

// Wrangler's own, of Wrangler's version, and the WebSocket that Node 20 does not have.
const ofWrangler = createRequire(createRequire(import.meta.url).resolve("wrangler"));
const { Log, LogLevel, Miniflare } = ofWrangler("miniflare");
const { WebSocket } = createRequire(ofWrangler.resolve("miniflare"))("undici");

const beside = (name) => new URL(name, import.meta.url);
const built = (name) => new URL(`../../../build/${name}`, import.meta.url);
const [file, storage, inspected] = process.argv.slice(2);
const workers = JSON.parse(readFileSync(file, "utf8"));
const compatibilityDate = /^compatibility_date = "(.+)"$/m.exec(readFileSync(beside("../../../wrangler.toml"), "utf8"))[1];

const worker = [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: readFileSync(built("index_bg.wasm")) },
];
const miniflare = new Miniflare({
  log: new Log(LogLevel.WARN),
  cf: false,
  inspectorPort: inspected ? 0 : undefined,
  durableObjectsPersist: join(storage, "objects"),
  kvPersist: join(storage, "kv"),
  workers: workers.map(({ name, bindings, main }) => ({
    name,
    bindings,
    compatibilityDate,
    modules: main
      ? [{ type: "ESModule", path: main, contents: readFileSync(beside(main), "utf8") }, ...worker]
      : worker,
    durableObjects: { LEDGER: { className: "Ledger", scriptName: workers[0].name, useSQLite: true } },
    kvNamespaces: { LOGS_KV: "logs", LIMITS_KV: "limits" },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  })),
});
await miniflare.ready;
const ports = await Promise.all(
  workers.map(async ({ name }) => [name, Number((await miniflare.unsafeGetDirectURL(name)).port)]),
);

// Speaks Chrome's protocol (chromedevtools.github.io/devtools-protocol/v8) to each isolate, and tells what
// it has left on its heaps after a collection, in bytes, by its name. An isolate collects when it next runs:
// one that nobody asks for anything within five seconds has little garbage, and is not waited for.
async function collected() {
  const inspector = await miniflare.getInspectorURL();
  const isolates = await (await fetch(`http://${inspector.host}/json`)).json();
  const heaps = isolates.map(async ({ id, webSocketDebuggerUrl }) => {
    const isolate = new WebSocket(webSocketDebuggerUrl);
    await once(isolate, "open", { signal: AbortSignal.timeout(5_000) });
    const answer = (method) => {
      isolate.send(JSON.stringify({ id: 1, method }));
      return once(isolate, "message", { signal: AbortSignal.timeout(5_000) });
    };
    const didCollect = await answer("HeapProfiler.collectGarbage").then(() => true, () => false);
    const [{ data }] = await answer("Runtime.getHeapUsage");
    isolate.close();
    const { usedSize, embedderHeapUsedSize, backingStorageSize } = JSON.parse(data).result;
    return didCollect ? [[id, usedSize + embedderHeapUsedSize + backingStorageSize]] : [];
  });
  return Object.fromEntries((await Promise.all(heaps)).flat());
}

if (inspected) {
  // An isolate that is too busy to answer is no reason to end all of them.
  const heaps = () => collected().catch((error) => (console.error("not collected:", error), {}));
  const collector = createServer(async (_, response) => response.end(JSON.stringify(await heaps())));
  await once(collector.listen(0, "127.0.0.1"), "listening");
  ports.push(["collector", collector.address().port]);
}
process.stdout.write(`${JSON.stringify(Object.fromEntries(ports))}\n`);

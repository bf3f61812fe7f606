// Several Workers in one workerd, each on a port of its own, all with the ledger of the first: as
// versions of a Worker stand side by side on Cloudflare while one takes the place of another. Takes
// a file with [{name, bindings, main}] and a folder for their storage; prints {name: port} once they
// listen, and runs until it is ended. `main` is a module of this folder that stands before the built
// Worker, if there is one.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// Wrangler's own, of Wrangler's version.
const { Log, LogLevel, Miniflare } = createRequire(createRequire(import.meta.url).resolve("wrangler"))("miniflare");

const beside = (name) => new URL(name, import.meta.url);
const built = (name) => new URL(`../../../build/${name}`, import.meta.url);
const [file, storage] = process.argv.slice(2);
const workers = JSON.parse(readFileSync(file, "utf8"));
const compatibilityDate = /^compatibility_date = "(.+)"$/m.exec(readFileSync(beside("../../../wrangler.toml"), "utf8"))[1];

const worker = [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: readFileSync(built("index_bg.wasm")) },
];
const miniflare = new Miniflare({
  log: new Log(LogLevel.WARN),
  cf: false,
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
process.stdout.write(`${JSON.stringify(Object.fromEntries(ports))}\n`);

// Tells what LOGS_KV holds, through Wrangler's own door to local storage: in goes {state, copy},
// out comes a list of {key, expiration, value}, or {error}. It looks at a copy, because a second
// reader of the storage can get into the way of the Worker that writes it.
import { cp, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { getPlatformProxy } from "wrangler";

// What Wrangler tells goes where it does not mix with the answers.
console.log = console.info = console.warn = console.error;

async function look({ state, copy }) {
  await rm(copy, { recursive: true, force: true });
  await cp(`${state}/v3/kv`, `${copy}/v3/kv`, { recursive: true });
  const proxy = await getPlatformProxy({
    persist: { path: `${copy}/v3` },
    envFiles: [`${copy}/none`],
    remoteBindings: false,
  });
  try {
    const entries = [];
    let cursor;
    do {
      const page = await proxy.env.LOGS_KV.list({ cursor });
      for (const { name, expiration } of page.keys) {
        const value = await proxy.env.LOGS_KV.get(name);
        if (value === null) throw new Error(`${name} has no value`);
        entries.push({ key: name, expiration: expiration ?? null, value });
      }
      cursor = page.list_complete ? undefined : page.cursor;
    } while (cursor);
    return entries;
  } finally {
    await proxy.dispose();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await look(JSON.parse(line));
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);

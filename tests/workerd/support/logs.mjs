// Prints what LOGS_KV holds in a folder of local state, through Wrangler's own door to it:
// a JSON array of {key, expiration, value}. Looks again until it holds at least a number of
// records (lines of values) or the time is up.
//
//   node logs.mjs <state folder> <records> <seconds>
import { getPlatformProxy } from "wrangler";

const [folder, records, seconds] = process.argv.slice(2);
const proxy = await getPlatformProxy({
  persist: { path: `${folder}/v3` },
  envFiles: [`${folder}/none`],
  remoteBindings: false,
});
const deadline = Date.now() + Number(seconds) * 1000;
let entries;
for (;;) {
  entries = [];
  let cursor;
  do {
    const page = await proxy.env.LOGS_KV.list({ cursor });
    for (const { name, expiration } of page.keys) {
      const value = await proxy.env.LOGS_KV.get(name);
      if (value !== null) entries.push({ key: name, expiration: expiration ?? null, value });
    }
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor);
  const found = entries.flatMap(({ value }) => value.split("\n").filter((line) => line.trim())).length;
  if (found >= Number(records) || Date.now() > deadline) break;
  await new Promise((resolve) => setTimeout(resolve, 200));
}
process.stdout.write(JSON.stringify(entries), () => process.exit(0));

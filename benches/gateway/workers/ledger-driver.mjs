// Stands before a ledger's object and calls it as a gateway does: an admission, and the settlement of
// what was admitted. GET /N does N of each, one after the other; GET /told tells what was done so far.
// MODE says how: `ride` and `apart` speak to our `Ledger`, with settlements that travel with the next
// admission or in calls of their own, `log` is `ride` with a log record for each; `rows` speaks to the one
// that writes a row a step; `echo` to none.
import { DurableObject } from "cloudflare:workers";

export { Ledger } from "./index.js";

const MACHINES = 200;
// Nano-dollars that a failure of 3 KB can cost at most, and costs.
const WORST = 1_350_000;
const ACTUAL = 400_000;
// As much as one of our answers, so that what is left of a pair is the ledger itself.
const ECHO = "x".repeat(300);

// With the failure's text, of which records have a copy.
const RECORD = JSON.stringify({ outcome: "success", source: "model", error_context: "x".repeat(3_000) });

export class Echo extends DurableObject {
  exchange() {
    return ECHO;
  }
}

const machines = Array.from({ length: MACHINES }, (_, number) => `machine-${String(number).padStart(4, "0")}`);
let prefix;
let next = 0;
let pairs = 0;
let waiting = [];

// 32 hexadecimal digits, like a request's id.
const newId = () => {
  prefix ??= crypto.randomUUID().replaceAll("-", "").slice(0, 20);
  return prefix + (next++).toString(16).padStart(12, "0");
};
const call = async (stub, message) =>
  JSON.parse(await stub.exchange(JSON.stringify({ shard: { to: 0, of: 1, ...message } })));

async function admit(stub, subject, settled) {
  const id = newId();
  const issued = { issued_at: 1_780_000_000_000, jti: id };
  const admission = { id, subject, plan: "standard", credential: issued, worst: WORST, lifetime_ms: 35_000 };
  const { admitted } = await call(stub, { ...(settled.length > 0 && { settled }), command: { admit: admission } });
  if (admitted?.budget !== "reserved") throw new Error("not admitted");
  const { shard, epoch, record_at } = admitted;
  return { id, subject, charge: { actual: ACTUAL }, shard, epoch, record_at };
}

const modes = {
  // Settlements are plain data and no request waits for another's call, as in src/shell/ledger/client.rs.
  async ride(stub, subject) {
    const settled = waiting;
    waiting = [];
    waiting.push(await admit(stub, subject, settled));
  },
  async log(stub, subject) {
    const settled = waiting;
    waiting = [];
    waiting.push({ ...(await admit(stub, subject, settled)), record: RECORD });
  },
  async apart(stub, subject) {
    const settlement = await admit(stub, subject, []);
    if ((await call(stub, { settled: [settlement] })) !== "settled") throw new Error("not settled");
  },
  async rows(stub, subject) {
    if (!(await stub.admit(subject))) throw new Error("not admitted");
    await stub.settle(subject, ACTUAL);
  },
  async echo(stub) {
    await stub.exchange(ECHO);
  },
};

async function told(stub, mode) {
  if (mode === "echo") return { rows: 0, calls: pairs };
  if (mode === "rows") return { rows: await stub.rows(), calls: 2 * pairs };
  const { state } = await call(stub, { command: "state" });
  return { rows: state.operations.rows_written, calls: state.operations.requests };
}

export default {
  async fetch(request, env) {
    const stub = env.LEDGER.getByName("shard-0");
    const what = request.url.slice(request.url.lastIndexOf("/") + 1);
    if (what === "told") return Response.json({ pairs, ...(await told(stub, env.MODE)) });
    for (let count = Number(what); count > 0; count -= 1) {
      await modes[env.MODE](stub, machines[Math.floor(Math.random() * MACHINES)]);
      pairs += 1;
    }
    return new Response("done");
  },
};

// Stands before a ledger's object and calls it as a gateway does: an admission, and the settlement of
// what was admitted. GET /N does N of each, one after the other; GET /told tells what was done so far.
// MODE says how: `ride`, `log`, `alone` and `apart` speak to our `Ledger`: with settlements that travel with the
// next admission, and messages that travel together, as the gateway's do; the same with a log record for each;
// each message in a call of its own; and the settlements too. `rows` speaks to the one that writes a row a
// step; `echo` to none.
import { DurableObject } from "cloudflare:workers";

import { Edge } from "./edge.mjs";

export { Ledger } from "./index.js";

const NAME = "shard-0";
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
const alone = (stub) => (message) => stub.exchange(message);
const together = (edge) => (message) => edge.ledger(NAME, message);
const call = async (exchange, message) =>
  JSON.parse(await exchange(JSON.stringify({ shard: { to: 0, of: 1, ...message } })));

async function admit(exchange, subject, settled) {
  const id = newId();
  const issued = { issued_at: 1_780_000_000_000, jti: id };
  const admission = { id, subject, plan: "standard", credential: issued, worst: WORST, lifetime_ms: 35_000 };
  const { admitted } = await call(exchange, { ...(settled.length > 0 && { settled }), command: { admit: admission } });
  if (admitted?.budget !== "reserved") throw new Error("not admitted");
  return { id, subject, charge: { actual: ACTUAL }, shard: 0 };
}

// Settlements are plain data and no request waits for another's call, as in src/shell/ledger/client.rs.
async function ride(exchange, subject, record) {
  const settled = waiting;
  waiting = [];
  const settlement = await admit(exchange, subject, settled);
  waiting.push({ ...settlement, ...record });
}

const modes = {
  ride: (stub, subject, edge) => ride(together(edge), subject),
  log: (stub, subject, edge) => ride(together(edge), subject, { record: RECORD }),
  alone: (stub, subject) => ride(alone(stub), subject),
  async apart(stub, subject) {
    const settlement = await admit(alone(stub), subject, []);
    if ((await call(alone(stub), { settled: [settlement] })) !== "settled") throw new Error("not settled");
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
  const { state } = await call(alone(stub), { command: "state" });
  return { rows: state.operations.rows_written, calls: state.operations.requests, open: state.open };
}

export default {
  async fetch(request, env) {
    const stub = env.LEDGER.getByName(NAME);
    const what = request.url.slice(request.url.lastIndexOf("/") + 1);
    if (what === "told") return Response.json({ pairs, ...(await told(stub, env.MODE)) });
    const edge = new Edge(request, env);
    for (let count = Number(what); count > 0; count -= 1) {
      await modes[env.MODE](stub, machines[Math.floor(Math.random() * MACHINES)], edge);
      pairs += 1;
    }
    return new Response("done");
  },
};

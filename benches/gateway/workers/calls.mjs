// What the platform takes of a gateway that is durable and logs, whatever it is written in: the bare job, and
// as this gateway does it one message to a ledger object, which travels with others and is durable by one row
// before its answer leaves; a settlement with a log record of the failure's text, which rides with the next
// message; the headers of an answer; a line on the console. Nothing is verified, counted or decided.
import { DurableObject } from "cloudflare:workers";

import { Edge, head } from "../../../src/shell/edge.mjs";
import { analyse } from "./job.mjs";

const NAME = "shard-0";
const ROWS = 1_024;
// As large as this gateway's.
const ADMITTED = JSON.stringify({ admitted: "x".repeat(300) });
const JOURNAL = "x".repeat(200);
const ADMISSION = { id: "x".repeat(32), subject: "x".repeat(12), plan: "x".repeat(8), credential: "x".repeat(80) };
const HEADERS = ["Content-Type:application/json"];
for (let number = 0; number < 11; number += 1) HEADERS.push(`X-Header-${number}:${"x".repeat(40)}`);
const LINE = JSON.stringify({ line: "x".repeat(600) });

export class Ledger extends DurableObject {
  #sql;
  #next = 0;

  constructor(state, env) {
    super(state, env);
    this.#sql = state.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS journal (slot INTEGER PRIMARY KEY, value TEXT NOT NULL)");
  }

  exchange(messages) {
    const all = typeof messages === "string" ? [messages] : messages;
    for (const message of all) JSON.parse(message);
    const slot = this.#next++ % ROWS;
    this.#sql.exec("INSERT OR REPLACE INTO journal (slot, value) VALUES (?, ?)", slot, JOURNAL);
    return typeof messages === "string" ? ADMITTED : messages.map(() => ADMITTED);
  }
}

let waiting = [];

async function serve(edge) {
  const settled = waiting;
  waiting = [];
  JSON.parse(await edge.ledger(NAME, JSON.stringify({ settled, admit: ADMISSION })));
  const { status, suggestion, context } = await analyse(edge.request, edge.env);
  edge.reply(status ?? 200, HEADERS.join("\n"), JSON.stringify({ suggestion }));
  waiting.push({ id: ADMISSION.id, record: context });
  console.log(LINE);
}

export default {
  fetch(request, env, context) {
    return new Promise((resolve) => {
      head(request);
      context.waitUntil(serve(new Edge(request, env, resolve)));
    });
  },
};

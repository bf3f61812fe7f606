// A gateway as one would write it in JavaScript with care: `jose` verifies the token, one SQLite
// object admits and settles, each with one call and one row. No rules, cache, log, redaction or
// screening.
import { DurableObject } from "cloudflare:workers";
import { base64url, jwtVerify } from "jose";
import { analyse, reply } from "./job.mjs";

const HMAC = { name: "HMAC", hash: "SHA-256" };
const RATE_PER_SECOND = 1e6;
const BURST = 1e6;
const DAILY_NANO_USD = 1e15;
const WORST_NANO_USD = 1e6;

export class Ledger extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec(
      "CREATE TABLE IF NOT EXISTS machine (name TEXT PRIMARY KEY, tokens REAL, at INTEGER, spent INTEGER) WITHOUT ROWID",
    );
    this.machines = new Map();
    this.written = 0;
  }

  // How many were written so far.
  rows() {
    return this.written;
  }

  machine(name) {
    let machine = this.machines.get(name);
    if (machine === undefined) {
      const [row] = this.sql.exec("SELECT tokens, at, spent FROM machine WHERE name = ?", name).toArray();
      machine = row ?? { tokens: BURST, at: Date.now(), spent: 0 };
      this.machines.set(name, machine);
    }
    return machine;
  }

  keep(name, { tokens, at, spent }) {
    const row = [name, tokens, at, spent];
    this.written += this.sql.exec("INSERT OR REPLACE INTO machine VALUES (?, ?, ?, ?)", ...row).rowsWritten;
  }

  // Sets the worst cost aside, or says no.
  admit(name) {
    const machine = this.machine(name);
    const now = Date.now();
    machine.tokens = Math.min(BURST, machine.tokens + ((now - machine.at) * RATE_PER_SECOND) / 1000);
    machine.at = now;
    if (machine.tokens < 1 || machine.spent + WORST_NANO_USD > DAILY_NANO_USD) return false;
    machine.tokens -= 1;
    machine.spent += WORST_NANO_USD;
    this.keep(name, machine);
    return true;
  }

  settle(name, cost) {
    const machine = this.machine(name);
    machine.spent += cost - WORST_NANO_USD;
    this.keep(name, machine);
  }
}

let key;

export default {
  async fetch(request, env, context) {
    let claims;
    try {
      // Once an isolate; left to `jose` it would be for each token.
      key ??= await crypto.subtle.importKey("raw", base64url.decode(env.TOKEN_SECRET), HMAC, false, ["verify"]);
      const token = request.headers.get("Authorization")?.replace(/^Bearer /, "") ?? "";
      const expected = { algorithms: ["HS256"], issuer: env.ISSUER, audience: env.AUDIENCE };
      ({ payload: claims } = await jwtVerify(token, key, expected));
    } catch {
      return reply({ status: 401 });
    }
    const ledger = env.LEDGER.get(env.LEDGER.idFromName("shard-0"));
    if (!(await ledger.admit(claims.sub))) return reply({ status: 429 });
    const done = await analyse(request, env);
    const { prompt_tokens: input = 0, completion_tokens: output = 0 } = done.usage ?? {};
    context.waitUntil(ledger.settle(claims.sub, input * 280 + output * 420));
    return reply(done);
  },
};

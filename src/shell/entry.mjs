// What the runtime sees: the Worker, and the ledger's class with methods that can be called by name
// (RPC), which the generated class does not offer. worker-build writes ./gateway.js.
import { DurableObject } from "cloudflare:workers";

import { Edge, head } from "./edge.mjs";
import { Gateway, LedgerCore } from "./gateway.js";

const gateway = new Gateway();
// The generated classes are behind a Proxy, which makes their methods anew each time one is asked for. It
// also starts the module anew after a failure that left it unusable.
const serve = gateway.serve;

export default {
  fetch(request, env, context) {
    return new Promise((resolve) => {
      const edge = new Edge(request, env, resolve);
      // What was admitted is answered, settled and logged also when the client hangs up.
      context.waitUntil(Reflect.apply(serve, gateway, [head(request), edge]));
    });
  },
};

// How long an admission waits for others (`src/ledger/shard/journal.rs`).
const COMPANY_MS = 2;

export { LedgerCore };

export class Ledger extends DurableObject {
  #core;
  #exchange;
  #holds;
  #flushed;

  constructor(state, env, core = new LedgerCore(state, env)) {
    super(state, env);
    this.#core = core;
    this.#exchange = core.exchange;
    this.#holds = core.holds;
  }

  exchange(message) {
    const answer = Reflect.apply(this.#exchange, this.#core, [message]);
    return Reflect.apply(this.#holds, this.#core, []) ? this.#durable().then(() => answer) : answer;
  }

  // What was admitted in dense traffic shares a row with what others ask within a moment.
  #durable() {
    this.#flushed ??= new Promise((resolve, reject) => {
      setTimeout(() => {
        this.#flushed = undefined;
        try {
          this.#core.flush();
          resolve();
        } catch (error) {
          reject(error);
        }
      }, COMPANY_MS);
    });
    return this.#flushed;
  }

  alarm() {
    return this.#core.alarm();
  }
}

// What the runtime sees: the Worker, and the ledger's class with methods that can be called by name
// (RPC), which the generated class does not offer. worker-build writes ./gateway.js.
import { DurableObject } from "cloudflare:workers";

import { Edge, head } from "./edge.mjs";
import { Gateway, LedgerCore } from "./gateway.js";
import { failed } from "./microtask.mjs";

const gateway = new Gateway();
// The generated classes are behind a Proxy, which makes their methods anew each time one is asked for. It
// also starts the module anew after a failure that left it unusable.
const serve = gateway.serve;

export default {
  fetch(request, env, context) {
    return new Promise((resolve) => {
      const edge = new Edge(request, env, resolve);
      let rest;
      try {
        rest = Reflect.apply(serve, gateway, [head(request), edge]);
      } catch (error) {
        failed(error);
        throw error;
      }
      // What was admitted is answered, settled and logged also when the client hangs up. Most refusals are done by now;
      // what this would leave behind of each outlives several of V8's small collections, and a flood makes them long.
      if (rest !== undefined) context.waitUntil(rest);
    });
  },
};

export { LedgerCore };

export class Ledger extends DurableObject {
  #core;
  #exchange;
  #conclude;

  constructor(state, env, core = new LedgerCore(state, env)) {
    super(state, env);
    this.#core = core;
    this.#exchange = core.exchange;
    this.#conclude = core.conclude;
  }

  // One message and its answer, or several and theirs. Between them nothing waits, so that what they change is
  // durable by one row; what fails there fails for all of them, as memory may then be ahead of storage. One that
  // has to ask the treasury fails alone: its answer is empty.
  exchange(messages) {
    const answer = (message, number) => Reflect.apply(this.#exchange, this.#core, [message, number === 0]);
    const answers = typeof messages === "string" ? answer(messages, 0) : messages.map(answer);
    Reflect.apply(this.#conclude, this.#core, []);
    if (typeof messages === "string") return answers;
    return Promise.all(answers.map((given) => (typeof given === "string" ? given : given.catch(() => ""))));
  }

  alarm() {
    return this.#core.alarm();
  }
}

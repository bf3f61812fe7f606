// What the runtime sees: the Worker, and the ledger's class with methods that can be called by name
// (RPC), which the generated class does not offer. worker-build writes ./gateway.js.
import { DurableObject } from "cloudflare:workers";

import gateway, { LedgerCore } from "./gateway.js";

export default gateway;
export { LedgerCore };

export class Ledger extends DurableObject {
  #core;
  #exchange;

  constructor(state, env, core = new LedgerCore(state, env)) {
    super(state, env);
    this.#core = core;
    // The generated class is behind a Proxy, which makes its methods anew each time one is asked for.
    this.#exchange = core.exchange;
  }

  exchange(message) {
    return Reflect.apply(this.#exchange, this.#core, [message]);
  }

  alarm() {
    return this.#core.alarm();
  }
}

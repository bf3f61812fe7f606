// What the runtime sees: the Worker, and the ledger's class with methods that can be called by name
// (RPC), which the generated class does not offer. worker-build writes ./gateway.js.
import { DurableObject } from "cloudflare:workers";

import gateway, { LedgerCore } from "./gateway.js";

export default gateway;
export { LedgerCore };

export class Ledger extends DurableObject {
  #core;

  constructor(state, env, core = new LedgerCore(state, env)) {
    super(state, env);
    this.#core = core;
  }

  exchange(message) {
    return this.#core.exchange(message);
  }

  alarm() {
    return this.#core.alarm();
  }
}

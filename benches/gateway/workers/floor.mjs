// The floor: the bare job and no gateway at all.
import { analyse, reply } from "./job.mjs";

export default {
  async fetch(request, env) {
    return reply(await analyse(request, env));
  },
};

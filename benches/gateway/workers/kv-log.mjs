// The bare job with a log: one KV write a request, awaited as in a plain first version.
import { analyse, reply } from "./job.mjs";

const THIRTY_DAYS = 30 * 24 * 60 * 60;

export default {
  async fetch(request, env) {
    const done = await analyse(request, env);
    const timestamp = new Date().toISOString();
    const record = { timestamp, machine_id: done.machine, error_context: done.context, suggestion: done.suggestion };
    const key = `${done.machine}:${timestamp}`;
    await env.LOGS_KV.put(key, JSON.stringify(record), { expirationTtl: THIRTY_DAYS });
    return reply(done);
  },
};

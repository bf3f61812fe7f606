// A KV namespace in memory: as much of the protocol between workerd and its KV service as GET, PUT
// and DELETE need. It keeps the newest values only, so that memory does not grow with the run.
const MOST = 1_000;
const values = new Map();

export default {
  async fetch(request) {
    const key = new URL(request.url).pathname;
    switch (request.method) {
      case "PUT":
        values.delete(key);
        values.set(key, await request.text());
        if (values.size > MOST) values.delete(values.keys().next().value);
        return new Response(null, { status: 204 });
      case "DELETE":
        values.delete(key);
        return new Response(null, { status: 204 });
      default: {
        const value = values.get(key);
        return value === undefined ? new Response(null, { status: 404 }) : new Response(value);
      }
    }
  },
};

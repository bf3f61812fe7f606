// The data centre's cache in memory. workerd sends `put` as a PUT whose body is the whole response,
// head and all, and takes an answer for a hit when CF-Cache-Status says so.
const MOST = 1_000;
const kept = new Map();

export default {
  async fetch(request) {
    if (request.method === "PUT") {
      const whole = await request.text();
      kept.delete(request.url);
      kept.set(request.url, whole.slice(whole.indexOf("\r\n\r\n") + 4));
      if (kept.size > MOST) kept.delete(kept.keys().next().value);
      return new Response(null, { status: 204 });
    }
    const body = kept.get(request.url);
    return body === undefined
      ? new Response(null, { status: 504, headers: { "CF-Cache-Status": "MISS" } })
      : new Response(body, { headers: { "CF-Cache-Status": "HIT" } });
  },
};

// The parts of a request that are cheaper in JavaScript than from Rust, where every step across the
// border costs more than what is done there: the head arrives as one text, a reply leaves as one
// call, bodies come whole. Nothing is decided here. It gave a refusal 38 % of its processor time back, and a
// request with 200 KB 35 %.

// What stands for a header that is not there is the empty line, since a value has a sign before it. Of one that is
// longer than anything that is read, so much that it is still too long.
const MOST_VALUE = 9_000;
const value = (header) => (header === null ? "" : `=${header.slice(0, MOST_VALUE)}`);

// A name between quotation marks, as a signature's input has the headers that it covers (RFC 9421 section 2.1).
const NAMED = /"([a-z0-9!#$%&'*+.^_`|~-]+)"/g;
// Twice as many as a signature may cover.
const MOST_NAMED = 64;

/** A request's head as lines: see `head` in http.rs. */
export function head(request) {
  const { method, url, headers } = request;
  // The platform's own spelling of the address: nothing is left to be normalised.
  const start = url.indexOf("/", url.indexOf("//") + 2);
  // Only operators' routes have a use for the query; what is signed has it among its own lines.
  const end = url.slice(start).search(url.startsWith("/admin/", start) ? /#/ : /[?#]/);
  const path = start < 0 ? "/" : url.slice(start, end < 0 ? undefined : start + end);
  const get = (name) => value(headers.get(name));
  const lines = [
    method,
    path,
    get("Content-Type"),
    get("Content-Encoding"),
    get("Authorization"),
    get("CF-Connecting-IP"),
    get("Origin"),
    get("traceparent"),
    get("tracestate"),
  ];
  const input = headers.get("Signature-Input");
  if (input !== null || headers.has("Signature")) {
    const { protocol, host, search } = new URL(url);
    lines.push(protocol.slice(0, -1), host, search, request.body === null ? "" : "=");
    // No others: to copy the two thousand headers that somebody sends would cost more than all else that is done.
    const names = new Set(["host", "signature", "signature-input"]);
    for (const [, name] of (input ?? "").matchAll(NAMED)) {
      if (names.size === MOST_NAMED) break;
      names.add(name);
    }
    for (const name of names) {
      const text = headers.get(name);
      if (text !== null) lines.push(`${name}:${text}`);
    }
  }
  return lines.join("\n");
}

const FIRST_ROOM = 16_384;

// Reads a stream to its end, of which at most `most` bytes are kept: `null` when there are more. Reading
// goes on up to `drained` bytes, for a client that is still sending does not hear the answer.
async function read(stream, most, drained) {
  // Into one buffer that grows: chunks that were kept would weigh a hundred times a body that comes byte by byte.
  let whole = new Uint8Array(Math.min(most, FIRST_ROOM));
  let length = 0;
  for await (const chunk of stream) {
    const end = length + chunk.byteLength;
    if (end > whole.byteLength && end <= most) {
      const larger = new Uint8Array(Math.min(most, Math.max(end, 2 * whole.byteLength)));
      larger.set(whole);
      whole = larger;
    }
    if (end <= most) whole.set(chunk, length);
    length = end;
    if (length > drained) break;
  }
  return length > most ? null : whole.subarray(0, length);
}

// The length that a message tells, where that is the length of what will be read: a body in chunks may come with
// another (RFC 9112 section 6.3), and of a compressed one it is the length of what was sent, not of what is unpacked.
function toldLength(headers) {
  const length = headers.get("Content-Length");
  const isTrue = /^\d+$/.test(length ?? "") && !headers.has("Transfer-Encoding") && !headers.has("Content-Encoding");
  return isTrue ? Number(length) : Infinity;
}

// A request's or a response's body, `null` when it has more than `most` bytes. One of a known length comes in
// one piece; even to ask for its stream would cost more. So does one that is a little too long, which the stream
// would give in pieces of 4 KB.
function bodyOf(message, told, most, drained) {
  if (told <= Math.min(2 * most, drained)) {
    return message.arrayBuffer().then((body) => (body.byteLength <= most ? new Uint8Array(body) : null));
  }
  return message.body === null ? Promise.resolve(new Uint8Array()) : read(message.body, most, drained);
}

// By the name of a ledger object: its latest call from here, while it is under way, and the messages that leave
// together with the next. Only the latest, as one whose request has died never ends.
const ways = new Map();
// With a call under way, a message waits so long for company: a call costs more than all else that is done for a
// request that a rule answers.
const COMPANY_MS = 2;
const MOST_TOGETHER = 64;
const LATE_MS = 10_000;
// How long a request's body may take: so long, and longer the larger it may be (43 seconds for 1 MiB). gateway.rs
// reckons with it.
const BODY_MS = 10_000;
const BODY_BYTES_A_MS = 32;

// Waits for a promise so long and no longer. The error is made only then: with its stack it would be 3 % of a
// request's processor time. By `await`, which goes on in the name of the request that waits; with callbacks given to
// `then` some went on in another's, and failed.
async function within(milliseconds, words, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(words)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One request, and what the stages need of the platform while they serve it. */
export class Edge {
  /** `resolve` takes the response. */
  constructor(request, env, resolve) {
    this.request = request;
    this.env = env;
    this.resolve = resolve;
    this.told = undefined;
  }

  /**
   * The request's body, `null` when it has more than `most` bytes. Fails where it is not there in time: a body
   * that dribbles would keep its request, and what that holds, for as long as its sender likes.
   */
  body(most, drained) {
    // What `within` does, in half as many objects: nobody waits for this but its own request.
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error("the body took too long"));
      const timer = setTimeout(late, BODY_MS + most / BODY_BYTES_A_MS);
      const ended = (tell) => (what) => {
        clearTimeout(timer);
        tell(what);
      };
      bodyOf(this.request, this.#length(), most, drained).then(ended(resolve), ended(reject));
    });
  }

  #length() {
    this.told ??= toldLength(this.request.headers);
    return this.told;
  }

  /** How many bytes of memory `body(most)` may take at most, by what the head tells. */
  expected(most) {
    const told = this.#length();
    return told === Infinity ? most : Math.min(told, 2 * most);
  }

  /** Gives the response. `headers` are lines of name and value. */
  reply(status, headers, body) {
    const fields = headers.split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1)];
    });
    this.resolve(new Response(body ?? null, { status, headers: fields }));
  }

  /**
   * Calls an object of the ledger by its name: text in, text out. The first message of several makes the call, in
   * its own request's name; `waitUntil` lets it do so also when its client hangs up.
   */
  ledger(name, message) {
    let way = ways.get(name);
    if (way === undefined) ways.set(name, (way = { latest: undefined, next: undefined }));
    if (way.latest === undefined && way.next === undefined) return this.#call(way, name, message);
    way.next ??= this.#together(way, name);
    const { messages, answers } = way.next;
    const number = messages.push(message) - 1;
    if (messages.length === MOST_TOGETHER) way.next = undefined;
    return this.#hear(answers.then((all) => all[number]));
  }

  // Waits for what a call brings, its own or another request's. An object may hang; and without input or output of
  // its own the runtime takes a request that waits for another for one that hangs, and ends it: the timer is its own.
  #hear(answer) {
    return within(LATE_MS, `no answer within ${LATE_MS} ms`, answer);
  }

  #together(way, name) {
    const messages = [];
    const left = new Promise((resolve) => setTimeout(resolve, COMPANY_MS)).then(() => {
      if (way.next === next) way.next = undefined;
      return this.#call(way, name, messages);
    });
    const next = { messages, answers: left };
    return next;
  }

  async #call(way, name, messages) {
    const call = (way.latest = {});
    try {
      return await this.#hear(this.env.LEDGER.getByName(name).exchange(messages));
    } finally {
      if (way.latest === call) way.latest = undefined;
    }
  }

  /**
   * Fetches: the body of a 200, of at most `most` bytes; or a list of status, `Retry-After` and the
   * body; or `null` for a body that is too long. Throws a `TimeoutError` at the deadline.
   *
   * One deadline for all of it: a provider that queues sends blank lines for minutes, which keeps every
   * shorter time limit from firing.
   */
  async fetch(url, authorization, content, most, deadline, traceparent, tracestate) {
    const headers = { Accept: "application/json" };
    if (traceparent !== undefined) headers.traceparent = traceparent;
    if (tracestate !== undefined) headers.tracestate = tracestate;
    if (authorization !== undefined) headers.Authorization = authorization;
    if (content !== undefined) headers["Content-Type"] = "application/json";
    const response = await fetch(url, {
      method: content === undefined ? "GET" : "POST",
      headers,
      body: content,
      // Followed, a redirect would carry the key to wherever it points.
      redirect: "manual",
      signal: AbortSignal.timeout(deadline),
    });
    const body = await bodyOf(response, toldLength(response.headers), most, most);
    if (response.status === 200 || body === null) return body;
    return [response.status, response.headers.get("Retry-After"), body];
  }

  /** Up to a thousand keys of the log, from where an earlier listing ended, and where this one did. */
  async logKeys(from) {
    const { keys, list_complete, cursor } = await this.env.LOGS_KV.list({ cursor: from });
    const named = keys.map(({ name, metadata }) => [name, metadata ?? null]);
    return JSON.stringify([named, list_complete ? null : cursor]);
  }

  /** The values of some keys of the log, which are a list in JSON. */
  logValues(keys) {
    return Promise.all(JSON.parse(keys).map((key) => this.env.LOGS_KV.get(key)));
  }

  /** A point for the Analytics Engine, where it is bound. One that is lost is no reason to fail. */
  point(json) {
    try {
      this.env.ANALYTICS.writeDataPoint(JSON.parse(json));
    } catch (error) {
      console.warn(`ANALYTICS took no point: ${error}`);
    }
  }

  /** An answer in the data centre's cache, which on `workers.dev` and in previews keeps nothing. */
  async cached(address) {
    return (await caches.default.match(address))?.text();
  }

  /** Keeps an answer there. */
  async keep(address, answer, seconds) {
    const headers = { "Cache-Control": `max-age=${seconds}` };
    await caches.default.put(address, new Response(answer, { headers }));
  }
}

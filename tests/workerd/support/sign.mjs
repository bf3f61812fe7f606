// Signs requests with the published npm client, one a line. In goes what is to be signed and either
// the secret or the key that it is derived from; out come the headers to send.
import { createHash, hkdfSync } from "node:crypto";
import { createInterface } from "node:readline";
import signatures from "http-message-signatures";

const { createSigner, httpbis } = signatures;
const INFO = "pip-aide-gateway/v1/request-signing/";

for await (const line of createInterface({ input: process.stdin })) {
  const todo = JSON.parse(line);
  const bytes = (text) => Buffer.from(text, "base64url");
  const secret = todo.secret
    ? bytes(todo.secret)
    : Buffer.from(hkdfSync("sha256", bytes(todo.key), Buffer.alloc(0), INFO + todo.machine, 32));
  const headers = { ...todo.headers };
  if (todo.digest_of !== null) {
    headers["content-digest"] = `sha-256=:${createHash("sha256").update(todo.digest_of).digest("base64")}:`;
  }
  const moment = (seconds) => new Date(seconds * 1000);
  const paramValues = { created: moment(todo.created), nonce: todo.nonce };
  const params = ["created", "nonce", "keyid", "alg"].filter((name) => !todo.without.includes(name));
  const request = await httpbis.signMessage(
    { key: createSigner(secret, "hmac-sha256", todo.keyid), fields: todo.fields, params, paramValues },
    { method: todo.method, url: todo.url, headers },
  );
  const lower = Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]);
  process.stdout.write(`${JSON.stringify({ secret: secret.toString("base64url"), headers: lower })}\n`);
}

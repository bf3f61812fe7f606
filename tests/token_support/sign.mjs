// Signs requests with the published npm client; reads what to sign and prints what it would send.

import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import signatures from "http-message-signatures";

const { createSigner, httpbis } = signatures;
const todo = JSON.parse(readFileSync(0, "utf8"));
const key = createSigner(Buffer.from(todo.secret, "base64url"), "hmac-sha256", todo.keyid);
const signed = {};
for (const [name, { method, url, data }] of Object.entries(todo.requests)) {
  const headers = {};
  const fields = ["@method", "@authority", "@target-uri"];
  if (data !== null) {
    headers["Content-Type"] = "application/json";
    headers["Content-Digest"] = `sha-512=:${createHash("sha512").update(data).digest("base64")}:`;
    fields.push("content-digest", "content-type");
  }
  const request = await httpbis.signMessage(
    {
      key,
      fields,
      params: ["created", "expires", "nonce", "keyid", "alg"],
      paramValues: { nonce: randomUUID() },
    },
    { method, url, headers },
  );
  signed[`npm http-message-signatures ${name}`] = {
    method,
    url,
    headers: Object.entries(request.headers).map(([header, value]) => [header.toLowerCase(), value]),
    body: Buffer.from(data ?? "").toString("base64"),
  };
}
process.stdout.write(JSON.stringify(signed));

// Signs JWTs with jose, one a line: in goes {header, claims, key}, out comes the token.
import { createInterface } from "node:readline";
import { SignJWT } from "jose";

for await (const line of createInterface({ input: process.stdin })) {
  const { header, claims, key } = JSON.parse(line);
  const crit = Object.fromEntries((header.crit ?? []).map((name) => [name, true]));
  const token = await new SignJWT(claims)
    .setProtectedHeader(header)
    .sign(Buffer.from(key, "base64url"), { crit });
  process.stdout.write(`${JSON.stringify(token)}\n`);
}

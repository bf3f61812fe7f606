// jose as a token's maker: reads keys and claims, prints tokens and public keys.

import { readFileSync } from "node:fs";

import { SignJWT, exportJWK, generateKeyPair } from "jose";

const todo = JSON.parse(readFileSync(0, "utf8"));
const made = { keys: [], tokens: {} };
made.client = await new SignJWT(todo.client)
  .setProtectedHeader({ alg: "HS256", kid: todo.kid, typ: "JWT" })
  .sign(Buffer.from(todo.secret, "base64url"));
for (const [kid, alg] of [["rsa", "RS256"], ["p256", "ES256"], ["ed", "EdDSA"]]) {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  made.keys.push({ ...(await exportJWK(publicKey)), kid, alg, use: "sig" });
  for (const [name, claims] of Object.entries(todo.foreign)) {
    made.tokens[`${kid} ${alg} ${name}`] = await new SignJWT(claims)
      .setProtectedHeader({ alg, kid, typ: "at+jwt" })
      .sign(privateKey);
  }
}
process.stdout.write(JSON.stringify(made));

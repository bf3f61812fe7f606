// An identity provider made of jose, one question a line: {make: {kid, alg}} makes a key pair and
// gives its public key; {sign: {kid, header, claims}} gives a token; {confuse: {kid, claims}} gives
// three that are signed with HS256 and a public key, which everybody knows, for their secret.
import { createInterface } from "node:readline";
import { SignJWT, exportJWK, exportSPKI, generateKeyPair } from "jose";

const pairs = new Map();

async function answer({ make, sign, confuse }) {
  if (make) {
    const pair = await generateKeyPair(make.alg, { extractable: true });
    pairs.set(make.kid, { ...pair, alg: make.alg });
    return { ...(await exportJWK(pair.publicKey)), kid: make.kid, alg: make.alg, use: "sig" };
  }
  if (sign) {
    const { privateKey, alg } = pairs.get(sign.kid);
    const header = { alg, kid: sign.kid, typ: "JWT", ...sign.header };
    return new SignJWT(sign.claims).setProtectedHeader(header).sign(privateKey);
  }
  const { publicKey } = pairs.get(confuse.kid);
  const jwk = await exportJWK(publicKey);
  const pem = await exportSPKI(publicKey);
  const secrets = [pem, JSON.stringify(jwk), Buffer.from(jwk.n, "base64url")];
  const header = { alg: "HS256", kid: confuse.kid, typ: "JWT" };
  return Promise.all(
    secrets.map((secret) => new SignJWT(confuse.claims).setProtectedHeader(header).sign(Buffer.from(secret))),
  );
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}

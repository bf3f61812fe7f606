// An identity provider made of jose, one question a line: {make: {kid, alg}} makes a key pair and
// gives its public key; {sign: {kid, header, claims}} gives a token; {confuse: {kid, named, claims}}
// gives those that are signed with HS256 and a public key, which everybody knows, for their secret.
import { createPublicKey } from "node:crypto";
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
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const secrets = {
    "PEM": pem.trimEnd(),
    "PEM and a line's end": `${pem.trimEnd()}\n`,
    "PEM with a carriage return": `${pem.trimEnd().replaceAll("\n", "\r\n")}\r\n`,
    "PEM without its frame": pem.replace(/-----[^-]+-----|\s/g, ""),
    "PKCS 1 PEM": key.export({ type: "pkcs1", format: "pem" }),
    "DER": key.export({ type: "spki", format: "der" }),
    "PKCS 1 DER": key.export({ type: "pkcs1", format: "der" }),
    "JWK": JSON.stringify(jwk),
    "modulus": Buffer.from(jwk.n, "base64url"),
    "modulus in base64url": jwk.n,
  };
  const header = { alg: "HS256", kid: confuse.named, typ: "JWT" };
  const tokens = {};
  for (const [form, secret] of Object.entries(secrets)) {
    tokens[form] = await new SignJWT(confuse.claims).setProtectedHeader(header).sign(Buffer.from(secret));
  }
  return tokens;
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}

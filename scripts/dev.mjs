// `make dev`: starts the gateway in workerd on this machine and prints lines that work as they are.
// Settings and secrets are read the way wrangler reads them, so what is printed fits what is set.

import { execFileSync, spawn } from "node:child_process";
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";

const STATE = ".wrangler/state";
const MACHINE = "local";
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 5_000;

const port = Number(process.env.PORT || 8787);
if (!Number.isInteger(port) || port < 1 || port > 65535) {
  fail(`PORT is ${process.env.PORT}: it must be a number from 1 to 65535.`);
}
if (!(await isFree(port))) {
  fail(`Port ${port} is in use: stop what listens there, or take another with PORT=9000 make dev.`);
}
writeSecretsOnce();
const settings = readSettings();
const gateway = startGateway();
await untilHealthy();
printWhatToPaste(mintToken());

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}

function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

function writeSecretsOnce() {
  if (existsSync(".dev.vars")) return;
  const key = () => `local=${randomBytes(32).toString("base64url")}`;
  const lines = [
    "# Written by `make dev` with random keys, for this machine only. See .dev.vars.example.",
    `TOKEN_KEYS=${key()}`,
    `OPERATOR_KEYS=${key()}`,
    "# API_KEY=",
    "",
  ];
  writeFileSync(".dev.vars", lines.join("\n"), { mode: 0o600, flag: "wx" });
  console.log("Wrote .dev.vars with random keys.");
}

function readSettings() {
  const all = JSON.parse(execFileSync(process.execPath, ["scripts/settings.mjs"], { encoding: "utf8" }));
  const value = (name, byDefault) => all[name] || byDefault;
  if (!value("TOKEN_KEYS")) {
    fail("TOKEN_KEYS is not in .dev.vars: add it as .dev.vars.example shows, or remove .dev.vars to get a new one.");
  }
  return {
    keys: value("TOKEN_KEYS"),
    issuer: value("TOKEN_ISSUER", "pip-aide-gateway"),
    audience: value("TOKEN_AUDIENCE", "pip-aide"),
    days: Number(value("TOKEN_TTL_DAYS", "30")),
    hasApiKey: Boolean(value("API_KEY")),
    model: value("MODEL", "deepseek-chat"),
  };
}

function startGateway() {
  const options = ["dev", "--ip", "127.0.0.1", "--port", port, "--inspector-port", 0];
  options.push("--persist-to", STATE, "--show-interactive-dev-session=false");
  // In a process group of its own, so that stopping it stops workerd too. Without make's variables:
  // wrangler calls make again, outside of this one.
  const { MAKEFLAGS, MAKELEVEL, MFLAGS, ...env } = process.env;
  const child = spawn("node_modules/.bin/wrangler", options, {
    detached: true,
    env: { ...env, WRANGLER_SEND_METRICS: "false" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  child.on("exit", (code) => process.exit(child.isStopping ? 0 : code || 1));
  process.on("exit", () => signalGroup("SIGKILL"));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
  return child;
}

function stop() {
  if (gateway.isStopping) return;
  gateway.isStopping = true;
  signalGroup("SIGTERM");
  setTimeout(() => process.exit(1), STOP_LIMIT_MS);
}

function signalGroup(signal) {
  try {
    process.kill(-gateway.pid, signal);
  } catch {
    // It has ended already.
  }
}

async function untilHealthy() {
  const deadline = Date.now() + START_LIMIT_MS;
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    if (answer?.ok) return;
    if (Date.now() > deadline) {
      console.error(`The gateway does not answer /healthz after ${START_LIMIT_MS / 1000} seconds.`);
      return stop();
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function mintToken() {
  const [kid, secret] = settings.keys.split(",")[0].split(/=(.*)/s);
  const issuedAt = Math.floor(Date.now() / 1000);
  const header = { alg: "HS256", typ: "JWT", kid };
  const claims = {
    iss: settings.issuer,
    aud: settings.audience,
    sub: MACHINE,
    iat: issuedAt,
    exp: issuedAt + settings.days * 86_400,
    jti: randomUUID(),
  };
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encode(header)}.${encode(claims)}`;
  const mac = createHmac("sha256", Buffer.from(secret, "base64url")).update(signed).digest("base64url");
  return `${signed}.${mac}`;
}

function printWhatToPaste(token) {
  const body = JSON.stringify({
    machine_id: MACHINE,
    error_context: "Command: pip install cv2\nERROR: No matching distribution found for cv2",
  });
  const source = settings.hasApiKey
    ? `${settings.model} answers what the built-in rules do not.`
    : "The built-in rules answer: there is no API_KEY in .dev.vars, so no model is asked.";
  console.log(`
The gateway runs on http://127.0.0.1:${port}. ${source}
Spend, limits and the log are kept in ${STATE}. Ctrl-C stops it.

A client token (machine "${MACHINE}", good for ${settings.days} days):

${token}

Ask it with curl:

curl -sS http://127.0.0.1:${port}/analyze_error -H 'Content-Type: application/json' -H 'Authorization: Bearer ${token}' -d '${body}'

Ask it with pip-aide (to get it: python3 -m pip install pip-aide==1.0.2, best in a virtual environment):

PIP_AIDE_SERVER_URL=http://${MACHINE}:${token}@127.0.0.1:${port} pip-aide install cv2
`);
}

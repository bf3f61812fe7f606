// `make dev`: starts the gateway in workerd on this machine and prints lines that work as they are.
// Settings and secrets are read the way wrangler reads them, so what is printed fits what is set.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";

const STATE = ".wrangler/state";
const MACHINE = "local";
const OPERATOR = "operator";
// What pip-aide sends of a failure that a built-in rule knows.
const FAILURE = [
  "Command: pip install cv2",
  "Exit Code: 1",
  "--- stderr ---",
  "ERROR: Could not find a version that satisfies the requirement cv2 (from versions: none)",
  "ERROR: No matching distribution found for cv2",
].join("\n");
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
const { token, expires_at } = mintToken("--machine", MACHINE);
const operator = settings.OPERATOR_KEYS && mintToken("--machine", OPERATOR, "--operator", "--days", "1").token;
const gateway = startGateway();
await untilHealthy();
await tellFaults();
printWhatToPaste();

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
  if (!all.TOKEN_KEYS) {
    fail("TOKEN_KEYS is not in .dev.vars: add it as .dev.vars.example shows, or remove .dev.vars to get a new one.");
  }
  return all;
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

async function tellFaults() {
  const { faults } = await (await fetch(`http://127.0.0.1:${port}/readyz`)).json();
  for (const { name, problem } of faults ?? []) console.error(`${name} ${problem}`);
  if (faults?.length) console.error("Until that is set right, requests are refused as misconfigured.");
}

function mintToken(...what) {
  const gatectl = ["run", "--quiet", "--locked", "--bin", "gatectl", "--"];
  const arguments_ = ["token", "mint", ...what, "--json"];
  const { TOKEN_KEYS, OPERATOR_KEYS, TOKEN_ISSUER, TOKEN_AUDIENCE, TOKEN_TTL_DAYS } = settings;
  const env = withoutUnset({ ...process.env, TOKEN_KEYS, OPERATOR_KEYS, TOKEN_ISSUER, TOKEN_AUDIENCE, TOKEN_TTL_DAYS });
  const made = spawnSync("cargo", [...gatectl, ...arguments_], { env, encoding: "utf8" });
  if (made.status === 0) return JSON.parse(made.stdout);
  let reason = made.stderr || made.error?.message;
  try {
    reason = JSON.parse(made.stdout).error;
  } catch {
    // Not gatectl's own words, but the compiler's.
  }
  fail(`No token could be made: ${reason}`);
}

function withoutUnset(env) {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
}

function dashboard() {
  if (!operator) return "";
  return `
The dashboard is at http://127.0.0.1:${port}/admin/ and takes this operator's token, for a day:

${operator}
`;
}

function printWhatToPaste() {
  const body = JSON.stringify({ machine_id: MACHINE, error_context: FAILURE });
  const source = settings.API_KEY
    ? `${settings.MODEL ?? "The model"} answers what the built-in rules do not.`
    : "The built-in rules answer: there is no API_KEY in .dev.vars, so no model is asked.";
  console.log(`
The gateway runs on http://127.0.0.1:${port}. ${source}
Spend, limits and the log are kept in ${STATE}. Ctrl-C stops it.

A client token (machine "${MACHINE}", good until ${expires_at}):

${token}

Ask it with curl:

curl -sS http://127.0.0.1:${port}/analyze_error -H 'Content-Type: application/json' -H 'Authorization: Bearer ${token}' -d '${body}'

Ask it with pip-aide (to get it: python3 -m pip install pip-aide==1.0.2, best in a virtual environment):

PIP_AIDE_SERVER_URL=http://${MACHINE}:${token}@127.0.0.1:${port} pip-aide install cv2
${dashboard()}`);
}

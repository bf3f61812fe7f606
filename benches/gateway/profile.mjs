// Samples the processor for a while through workerd's inspector: profile.mjs ADDRESS SECONDS. Prints
// each function's share of the busy time, its own and with all that it calls, as JSON.
import WebSocket from "ws";

const [address, seconds] = process.argv.slice(2);
const targets = await (await fetch(`http://${address}/json`)).json();
const target = targets.find(({ id }) => id.endsWith("main")) ?? targets[0];
const socket = new WebSocket(target.webSocketDebuggerUrl);
await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));

const waiting = new Map();
socket.on("message", (text) => {
  const message = JSON.parse(text);
  waiting.get(message.id)?.(message.result);
});
const call = (method, params = {}) =>
  new Promise((resolve) => {
    const id = waiting.size;
    waiting.set(id, resolve);
    socket.send(JSON.stringify({ id, method, params }));
  });

await call("Profiler.enable");
const INTERVAL = 200;
await call("Profiler.setSamplingInterval", { interval: INTERVAL });
await call("Profiler.start");
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const { profile } = await call("Profiler.stop");

const names = new Map(
  profile.nodes.map(({ id, callFrame: { functionName, lineNumber, columnNumber } }) => [
    id,
    functionName || `anonymous at ${lineNumber}:${columnNumber}`,
  ]),
);
const callers = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
const own = new Map();
const whole = new Map();
const add = (times, name, time) => times.set(name, (times.get(name) ?? 0) + time);
let busy = 0;
for (const [index, id] of profile.samples.entries()) {
  // A sample that comes late waited for a turn: while it did, nothing is known to have run.
  const time = Math.min(profile.timeDeltas[index], 2 * INTERVAL);
  if (names.get(id) === "(idle)") continue;
  busy += time;
  add(own, names.get(id), time);
  // Once each: a function that calls itself is on the stack more than once.
  const stack = new Set();
  for (let at = id; at !== undefined; at = callers.get(at)) stack.add(names.get(at));
  for (const name of stack) add(whole, name, time);
}
const functions = [...whole].map(([name, time]) => ({ name, whole: time / busy, own: (own.get(name) ?? 0) / busy }));
console.log(JSON.stringify(functions));
process.exit(0);

// Samples the processor for a while through workerd's inspector: profile.mjs ADDRESS SECONDS. Prints
// the share of each function's own time, as JSON.
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
await call("Profiler.setSamplingInterval", { interval: 200 });
await call("Profiler.start");
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const { profile } = await call("Profiler.stop");

const names = new Map(
  profile.nodes.map(({ id, callFrame: { functionName, lineNumber, columnNumber } }) => [
    id,
    functionName || `anonymous at ${lineNumber}:${columnNumber}`,
  ]),
);
const own = new Map();
for (const [index, id] of profile.samples.entries()) {
  const name = names.get(id);
  own.set(name, (own.get(name) ?? 0) + profile.timeDeltas[index]);
}
const total = [...own.values()].reduce((sum, time) => sum + time, 0);
const shares = [...own].map(([name, time]) => ({ name, share: time / total }));
console.log(JSON.stringify(shares.sort((a, b) => b.share - a.share)));
process.exit(0);

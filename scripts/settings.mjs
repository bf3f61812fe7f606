// Prints the settings and secrets that `wrangler dev` would give the Worker, as one JSON object of
// texts: [vars] of wrangler.toml, overridden by .dev.vars. A program of its own, because wrangler's
// library catches signals for itself.

process.env.WRANGLER_SEND_METRICS = "false";
const wrangler = await import("wrangler");

const config = wrangler.unstable_readConfig({ config: "wrangler.toml" });
const vars = wrangler.unstable_getVarsForDev(config.configPath, undefined, config.vars, undefined, true);
const texts = Object.entries(vars).map(([name, { value }]) => [name, String(value)]);
console.log(JSON.stringify(Object.fromEntries(texts)));

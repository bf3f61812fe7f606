// Stands in the built Worker's place and only answers: no token is verified and nothing is counted. What an attack
// makes late here it makes late in any Worker on this machine.
export { Ledger, LedgerCore } from "./index.js";

// Tokens of these tests are some hundred bytes long.
const LONGEST_TOKEN = 1_000;

export default {
  async fetch(request, env) {
    const token = request.headers.get("Authorization");
    if (token === null || token.length > LONGEST_TOKEN) {
      return Response.json({ type: "about:unauthenticated" }, { status: 401 });
    }
    const body = await request.text();
    if (!body.includes("LayoutError")) {
      return Response.json({ commands: ["pip install opencv-python"], source: "rules" });
    }
    const answer = await fetch(`${env.API_BASE}/chat/completions`, { method: "POST", body });
    await answer.text();
    return Response.json({ commands: [], source: "model" });
  },
};

// The dashboard on the real gateway: traffic from machines, and an operator who sees it and acts on it. Started
// by tests/workerd/dashboard.rs, which says in the environment where the gateway is and what tokens there are.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertAccessible, assertFits, open, settled, shoot, signIn, tidy } from "./support/browser.mjs";

const { GATEWAY, OPERATOR } = process.env;
/** Tokens by machine. */
const MACHINES = JSON.parse(process.env.MACHINES ?? "{}");

after(tidy);

const NO_CV2 =
  "Command: pip install cv2\nExit Code: 1\n--- stderr ---\n" +
  "ERROR: Could not find a version that satisfies the requirement cv2 (from versions: none)\n" +
  "ERROR: No matching distribution found for cv2";
const HOSTILE = `ERROR: <img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`;

let asked = 0;

/** An analysis: its status and body. Texts that no rule knows go to the model. */
async function analyze(machine, error_context, path = "/v1/analyze") {
  const response = await fetch(`${GATEWAY}${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${MACHINES[machine]}` },
    body: JSON.stringify({ machine_id: "0x1", error_context }),
  });
  return { status: response.status, body: await response.json() };
}

const unknown = () => `ERROR: nobody has ever seen failure number ${(asked += 1)} of ${process.pid}`;

async function admin(path) {
  const response = await fetch(`${GATEWAY}/admin/${path}`, { headers: { Authorization: `Bearer ${OPERATOR}` } });
  assert.equal(response.status, 200, path);
  return response.json();
}

/** Asks until it is so: what a request did is counted after its answer. */
async function eventually(question) {
  for (let tries = 0; tries < 300; tries += 1) {
    const answer = await question();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`it never came about: ${question}`);
}

async function view(page, name) {
  await page.evaluate((hash) => (location.hash = hash), name);
  await page.waitForTimeout(50);
  await settled(page);
}

test("an operator sees what machines did, and no machine comes in", async () => {
  for (let count = 0; count < 6; count += 1) assert.equal((await analyze("thrifty", NO_CV2)).body.source, "rules");
  const same = unknown();
  assert.equal((await analyze("spender", same)).body.source, "model");
  assert.equal((await analyze("spender", same)).body.source, "cache");
  for (let count = 0; count < 3; count += 1) assert.equal((await analyze("spender", unknown())).body.source, "model");
  assert.equal(
    (
      await fetch(`${GATEWAY}/v1/analyze`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: "{}",
      })
    ).status,
    401,
  );
  const usage = await eventually(async () => {
    const now = await admin("usage");
    return now.days[0]?.requests === 11 && now;
  });

  const { page, close } = await open(GATEWAY);
  await page.getByLabel("Operator’s token").fill(`${OPERATOR.slice(0, -8)}AAAAAAAA`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").filter({ hasText: "does not take this token" }).waitFor();
  await page.getByLabel("Operator’s token").fill(MACHINES.thrifty);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").filter({ hasText: "This is a machine’s token" }).waitFor();
  await signIn(page, OPERATOR);
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  assert.equal(await page.locator(".headline strong").getAttribute("title"), `$${usage.service.spent_usd}`);
  assert.ok(Number(usage.service.spent_usd) > 0);
  const today = async (name) =>
    await page
      .getByRole("row", { name: new RegExp(`^${name} `) })
      .first()
      .getByRole("cell")
      .first()
      .textContent();
  assert.deepEqual([await today("Built-in rules"), await today("Cache"), await today("Model")], ["6", "1", "4"]);
  assert.equal(await today("Answered"), "11");
  const gauges = await page.locator(".gauges .number").allTextContents();
  assert.equal(gauges.length, 7);
  const used = (text) => Number(text.split(" of ")[0].replaceAll(",", ""));
  assert.ok(used(gauges[1]) >= 10 && used(gauges[3]) > 0, `the ledger was asked and wrote: ${gauges}`);
  for (const chart of [0, 1]) {
    const painted = await page
      .locator(".plot canvas")
      .nth(chart)
      .evaluate((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, at) => at % 4 === 3 && value > 200).length;
      });
    assert.ok(painted > 1_000, `chart ${chart} is drawn`);
  }
  assert.match(
    await page.getByRole("img", { name: /Requests a day/ }).getAttribute("aria-label"),
    /11 requests in 30 days; today 11/,
  );
  await assertAccessible(page, "the overview");
  await shoot(page, "gateway-overview");

  await view(page, "machines");
  assert.deepEqual(
    await page.locator("tbody th a").allTextContents(),
    ["spender", "thrifty"],
    "who spent most comes first",
  );
  await view(page, "machines?order=requests");
  assert.deepEqual(await page.locator("tbody th a").allTextContents(), ["thrifty", "spender"]);
  await close(/status of 40[13]/, /willReadFrequently/);
});

test("what is revoked in the dashboard is refused on its next request, until it is taken back", async () => {
  const { page, close } = await open(GATEWAY);
  await signIn(page, OPERATOR);
  assert.equal((await analyze("lost", NO_CV2)).status, 200);
  await view(page, "machine?id=lost");
  await page.getByRole("button", { name: "Revoke…" }).click();
  const dialog = page.getByRole("dialog", { name: "Revoke machine lost?" });
  await dialog.getByLabel("Reason").fill("It was <i>left</i> on a train.");
  await dialog.getByRole("button", { name: "Revoke", exact: true }).click();
  await page.getByRole("status").filter({ hasText: "Revoked: machine lost" }).waitFor();
  const refused = await analyze("lost", NO_CV2);
  assert.equal(refused.status, 403);
  assert.match(refused.body.type, /revoked$/);
  await page.getByText(/by alice: It was <i>left<\/i> on a train\./).waitFor();
  await view(page, "revocations");
  await page.getByRole("button", { name: "Take back… machine lost" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Take back", exact: true }).click();
  await page.getByRole("status").filter({ hasText: "Taken back: machine lost" }).waitFor();
  assert.equal((await analyze("lost", NO_CV2)).status, 200);
  await page.getByText("Nothing is revoked.").waitFor();
  await close();
});

test("the kill switch stops the model and nothing else, and lets it go on", async () => {
  const { page, close } = await open(GATEWAY);
  await signIn(page, OPERATOR);
  assert.equal((await analyze("spender", unknown())).body.source, "model");
  await page.getByRole("button", { name: "Stop model calls…" }).click();
  const stop = page.getByRole("dialog", { name: "Stop all model calls?" });
  await stop.getByLabel("Reason").fill("The bill.");
  await stop.getByRole("button", { name: "Stop model calls" }).click();
  await page.getByRole("status").filter({ hasText: "Model calls are stopped." }).waitFor();
  const stopped = await analyze("spender", unknown());
  assert.equal(stopped.status, 502);
  assert.match(stopped.body.type, /upstream-failed$/);
  assert.match((await analyze("spender", unknown(), "/analyze_error")).body.suggestion, /^UNCERTAIN/);
  assert.equal((await analyze("spender", NO_CV2)).body.source, "rules", "rules go on answering");
  await page.getByText("Reason: The bill.").waitFor();
  await view(page, "log");
  await page.getByText(/^Model calls are off since/).waitFor();
  await view(page, "overview");
  await page.getByRole("button", { name: "Allow model calls…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Allow model calls" }).click();
  await page.getByRole("status").filter({ hasText: "Model calls are allowed again." }).waitFor();
  assert.equal((await analyze("spender", unknown())).body.source, "model");
  await close();
});

test("the log has every request once, filtered and paged, and what clients sent stays text", async () => {
  for (let count = 0; count < 60; count += 1) assert.equal((await analyze("talker", NO_CV2)).status, 200);
  assert.equal((await analyze("talker", HOSTILE)).status, 200);
  const { page, close } = await open(GATEWAY, { width: 390 });
  await signIn(page, OPERATOR);
  const rows = page.locator("tbody tr");
  await eventually(async () => {
    await view(page, "machines");
    await view(page, "log?machine=talker");
    return (await rows.count()) === 50 && (await rows.first().textContent()).includes("Model");
  });
  await page.getByRole("button", { name: "Show older" }).click();
  await page.getByText("61 shown; there are no older ones.").first().waitFor();
  const times = await page.locator("tbody time").evaluateAll((all) => all.map((one) => one.dateTime));
  assert.equal(new Set(times).size, 61, "each once");
  assert.deepEqual([...times].sort().reverse(), times, "newest first");
  await page
    .getByRole("button", { name: /details$/ })
    .first()
    .click();
  const dialog = page.getByRole("dialog", { name: "Request" });
  assert.ok((await dialog.locator("pre").textContent()).includes("<script>"), "it is there to be read");
  assert.equal(await dialog.locator("img, script").count(), 0);
  await assertAccessible(page, "a record");
  await shoot(page, "gateway-record-390", {});
  await page.keyboard.press("Escape");
  assert.doesNotMatch(await page.title(), /^taken/);
  await view(page, "log?machine=talker&source=rules&limit=1");
  assert.ok((await rows.count()) === 50);
  await assertFits(page, "the log");
  await view(page, "log?machine=nobody");
  await page.getByText("No record fits these filters").waitFor();
  await close();
});

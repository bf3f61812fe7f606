// Clients choose some of what operators read: it stays text.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { open, settled, signIn, tidy } from "./support/browser.mjs";
import { standIn } from "./support/standin.mjs";
import { busy } from "./support/states.mjs";

after(tidy);

const HOSTILE = `"><img src=x onerror="document.title='taken'"><script>document.title='taken'</script><svg onload=alert(1)>{{7*7}}\u202e\u0000</pre>`;

test("text from clients and other operators stays text, in every view", async () => {
  const state = busy();
  Object.assign(
    state.records[0],
    Object.fromEntries(
      [
        "machine_id",
        "reported_machine_id",
        "plan",
        "outcome",
        "source",
        "model",
        "error_context",
        "auth",
        "cost_usd",
      ].map((name) => [name, HOSTILE]),
    ),
  );
  Object.assign(state.machines[0], { machine_id: HOSTILE, plan: HOSTILE, spent_usd: "9" });
  state.revocations.push({ machine: HOSTILE, at: new Date().toISOString(), by: HOSTILE, reason: HOSTILE });
  state.kill = { model: "off", since: new Date().toISOString(), by: HOSTILE, reason: HOSTILE };
  state.usage.plans[0].plan = HOSTILE;
  state.usage.allowances[0].name = HOSTILE;
  for (const group of ["sources", "outcomes", "refusals"]) state.usage.days[0][group][HOSTILE] = 3;
  const gateway = await standIn(state);
  const { page, close } = await open(gateway.url);
  const dialogs = [];
  page.on("dialog", (dialog) => (dialogs.push(dialog.message()), dialog.dismiss()));
  // The name of the operator is in a token that somebody may have made.
  await signIn(page, gateway.operator({ sub: HOSTILE }));
  const machine = `machine?id=${encodeURIComponent(HOSTILE)}`;
  for (const [view, texts] of [
    ["overview", 5],
    ["machines", 2],
    [machine, 2],
    ["log", 2],
    [`log?outcome=${encodeURIComponent(HOSTILE)}`, 1],
    ["revocations", 3],
  ]) {
    await page.evaluate((hash) => (location.hash = hash), view);
    await page.waitForTimeout(50);
    await settled(page);
    const [seen, planted] = await page.evaluate(() => [
      document.body.textContent,
      document.querySelectorAll("img, script:not(head *), svg, [onerror], [onload]").length,
    ]);
    assert.ok(seen.split("<script>document.title").length > texts, `${view.slice(0, 20)}: it is there to be read`);
    assert.equal(planted, 0, view);
  }
  await page.evaluate((hash) => (location.hash = hash), "log");
  await page
    .getByRole("button", { name: /details$/ })
    .first()
    .click();
  const dialog = page.getByRole("dialog", { name: "Request" });
  assert.ok((await dialog.locator("pre").textContent()).includes("<script>"));
  assert.equal(await dialog.locator("img, script, svg").count(), 0);
  await page.keyboard.press("Escape");
  await page.evaluate((hash) => (location.hash = hash), machine);
  await page.getByRole("button", { name: "Take back…" }).click();
  assert.ok((await page.getByRole("dialog").textContent()).includes("<script>"));
  assert.doesNotMatch(await page.title(), /^taken/);
  assert.deepEqual(dialogs, []);
  await close(/status of 404/);
  await gateway.close();
});

test("the policy refuses what the page never does", async () => {
  const gateway = await standIn();
  const { page, complaints, close } = await open(gateway.url);
  const tried = await page.evaluate(async () => {
    const results = {};
    const attempt = async (name, run) => {
      try {
        results[name] = await run();
      } catch (error) {
        results[name] = error.name;
      }
    };
    await attempt("innerHTML", () => ((document.body.innerHTML = "<b>x</b>"), "set"));
    await attempt("timer", () => setTimeout("globalThis.timed = true"));
    await attempt("elsewhere", async () => (await fetch("http://127.0.0.1:9/").catch((error) => error)).name);
    const styled = document.createElement("p");
    styled.setAttribute("style", "color: rgb(1, 2, 3)");
    document.body.append(styled);
    results.style = getComputedStyle(styled).color;
    const script = document.createElement("script");
    await attempt(
      "script",
      () => ((script.textContent = "window.ran = true"), document.body.append(script), window.ran ?? "not run"),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    results.timed = globalThis.timed ?? "not run";
    return results;
  });
  assert.equal(tried.innerHTML, "TypeError");
  assert.equal(tried.timed, "not run");
  assert.equal(tried.elsewhere, "TypeError");
  assert.notEqual(tried.style, "rgb(1, 2, 3)");
  assert.notEqual(tried.script, true);
  assert.ok(
    complaints.some((text) => text.startsWith("console: policy:")),
    "and a violation would be noticed by every test here",
  );
  await close(/policy:|Content Security Policy|console: /);
  await gateway.close();
});

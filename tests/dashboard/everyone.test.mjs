// For everyone: small windows, both schemes, without a mouse, with a screen reader.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertAccessible, assertFits, open, settled, shoot, signIn, tidy } from "./support/browser.mjs";
import { standIn } from "./support/standin.mjs";
import { busy, fresh } from "./support/states.mjs";

after(tidy);

const VIEWS = ["overview", "machines", "machine?id=build-2", "log", "revocations"];

for (const [width, scheme] of [
  [390, "light"],
  [390, "dark"],
  [768, "light"],
  [768, "dark"],
  [1280, "light"],
  [1280, "dark"],
]) {
  test(`every view fits ${width} pixels and has no fault that axe-core knows, ${scheme}`, async () => {
    const gateway = await standIn(busy());
    const { page, close } = await open(gateway.url, { width, scheme, reducedMotion: "reduce" });
    const look = async (name, options) => {
      await assertFits(page, name);
      await assertAccessible(page, `${name}, ${width}, ${scheme}`);
      await shoot(page, `${name}-${width}-${scheme}`, options);
    };
    await look("sign-in");
    await signIn(page, gateway.operator());
    for (const view of VIEWS) {
      await page.evaluate((hash) => (location.hash = hash), view);
      await page.waitForTimeout(50);
      await settled(page);
      await look(view.split("?")[0]);
    }
    await page.getByRole("button", { name: "Take back…" }).first().click();
    await look("take-back", {});
    await page.keyboard.press("Escape");
    await page.evaluate((hash) => (location.hash = hash), "log");
    await page
      .getByRole("button", { name: /details$/ })
      .first()
      .click();
    await look("record", {});
    await page.keyboard.press("Escape");
    gateway.state.kill = {
      model: "off",
      since: new Date().toISOString(),
      by: "bob",
      reason: "The provider’s prices are wrong: ".repeat(8),
    };
    gateway.state.usage = fresh().usage;
    await page.evaluate((hash) => (location.hash = hash), "overview");
    await page.waitForTimeout(50);
    await settled(page);
    await look("empty-and-off");
    await page.getByRole("button", { name: "Allow model calls…" }).click();
    await look("allow", {});
    await page.keyboard.press("Escape");
    gateway.faults.status = 503;
    await page.getByRole("button", { name: "Refresh" }).click();
    await page.getByText("cannot answer now").waitFor();
    await look("trouble");
    await close(/status of 503/);
    await gateway.close();
  });
}

test("long words do not make the page wider than a phone", async () => {
  const state = busy();
  const long = "w".repeat(120);
  Object.assign(state.machines[0], { machine_id: long, plan: long, spent_usd: "123456.789012345" });
  Object.assign(state.records[0], { machine_id: long, plan: long, error_context: long.repeat(9) });
  state.revocations.push({ jti: long, at: new Date().toISOString(), by: long, reason: long });
  state.usage.plans[0].plan = long;
  state.usage.service = { spent_usd: "123456.789012345", cap_usd: "999999.00" };
  const gateway = await standIn(state);
  const { page, close } = await open(gateway.url, { width: 390, locale: "zh-CN" });
  await signIn(page, gateway.operator({ sub: long }));
  for (const view of ["overview", "machines", `machine?id=${long}`, "log", "revocations"]) {
    await page.evaluate((hash) => (location.hash = hash), view);
    await page.waitForTimeout(50);
    await settled(page);
    await assertFits(page, view.slice(0, 12));
    await shoot(page, `long-${view.split("?")[0]}-390-zh`);
  }
  await close();
  await gateway.close();
});

test("all of it can be done with the keyboard alone", async () => {
  const gateway = await standIn(busy());
  const { page, close } = await open(gateway.url);
  const focused = () =>
    page.evaluate(() => {
      const one = document.activeElement;
      return one.getAttribute("aria-label") ?? (one.labels?.[0] ?? one).textContent;
    });
  const tabTo = async (wanted) => {
    for (let steps = 0; steps < 80; steps += 1) {
      if (wanted.test(await focused())) {
        const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        assert.notEqual(outline, "none", `where the focus is can be seen: ${wanted}`);
        return;
      }
      await page.keyboard.press("Tab");
    }
    assert.fail(`no way to ${wanted}`);
  };
  assert.match(await focused(), /Operator’s token/, "it begins where there is something to do");
  await page.keyboard.insertText(gateway.operator());
  await page.keyboard.press("Enter");
  await settled(page);
  assert.equal(await focused(), "Overview", "a new view has the focus");

  await page.reload();
  await settled(page);
  await page.keyboard.press("Tab");
  assert.match(await focused(), /Skip to the content/, "the first stop leads past the navigation");
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "Overview");

  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await tabTo(/^Machines$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Machines" }).waitFor();
  await settled(page);
  await tabTo(/^build-/);
  const name = await focused();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: `Machine ${name}` }).waitFor();
  await settled(page);
  await tabTo(/^Revoke…$/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  assert.match(await focused(), /^Reason$/);
  await page.keyboard.insertText("By hand.");
  for (const expected of [/^Cancel$/, /^Revoke$/]) {
    await page.keyboard.press("Tab");
    assert.match(await focused(), expected, "in the order in which they stand");
  }
  await page.keyboard.press("Enter");
  await page
    .getByRole("status")
    .filter({ hasText: `Revoked: machine ${name}` })
    .waitFor();
  await settled(page);
  assert.equal(gateway.state.revocations.at(-1).machine, name);
  assert.match(await focused(), /^Take back…$/, "the focus is not lost");
  await close();
  await gateway.close();
});

test("its parts are what they say: landmarks, one heading, captions, live regions", async () => {
  const gateway = await standIn(busy());
  const { page, close } = await open(gateway.url);
  await signIn(page, gateway.operator());
  for (const view of VIEWS) {
    await page.evaluate((hash) => (location.hash = hash), view);
    await page.waitForTimeout(50);
    await settled(page);
    for (const role of ["banner", "navigation", "main"])
      assert.equal(await page.getByRole(role).count(), 1, `${view}: ${role}`);
    assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1, view);
    const [bare, unscoped, unnamed] = await page.evaluate(() => [
      [...document.querySelectorAll("table")].filter((one) => !one.caption?.textContent).length,
      document.querySelectorAll("th:not([scope])").length,
      [...document.querySelectorAll("[role=img]")].filter((one) => !one.getAttribute("aria-label")).length,
    ]);
    assert.deepEqual([bare, unscoped, unnamed], [0, 0, 0], view);
    assert.ok((await page.title()).startsWith(await page.getByRole("heading", { level: 1 }).textContent()), view);
  }
  assert.equal(
    await page.evaluate(() => document.querySelectorAll("[style]:not(.uplot *):not(.uplot):not(.fill)").length),
    0,
  );
  await close();
  await gateway.close();
});

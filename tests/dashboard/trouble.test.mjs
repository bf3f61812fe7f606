// When there is nothing to show, when the gateway is gone, and when it is read anew.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { open, settled, signIn, tidy } from "./support/browser.mjs";
import { standIn } from "./support/standin.mjs";
import { busy, fresh } from "./support/states.mjs";

after(tidy);

test("a gateway that nobody has called says how to begin", async () => {
  const gateway = await standIn(fresh());
  const { page, close } = await open(gateway.url);
  await signIn(page, gateway.operator());
  await page.getByRole("heading", { name: "No request has come yet" }).waitFor();
  assert.equal(await page.getByText("No requests in these 30 days.").count(), 2);
  assert.equal(await page.locator(".headline strong").textContent(), "$0.00");
  for (const [name, says] of [
    ["Machines", "No machine has called lately"],
    ["Log", "No record. A request appears here"],
    ["Revocations", "Nothing is revoked"],
  ]) {
    await page.getByRole("link", { name }).click();
    await page.getByText(says).waitFor();
  }
  await page.goto(`${gateway.url}/admin/#log?machine=nobody`);
  await page.getByText("No record fits these filters").waitFor();
  await close();
  await gateway.close();
});

test("what is shown stays while the gateway is gone, with its age, and is read again by itself", async () => {
  const gateway = await standIn(busy());
  const { page, close } = await open(gateway.url, { ownsClock: true });
  await signIn(page, gateway.operator());
  const headline = page.locator(".headline strong");
  const shown = await headline.textContent();
  const alert = page.getByRole("main").getByRole("alert");
  gateway.faults.silent = true;
  await page.getByRole("button", { name: "Refresh" }).click();
  await alert.filter({ hasText: /cannot be reached.*What you see is of/ }).waitFor();
  assert.equal(await headline.textContent(), shown);
  gateway.faults.silent = false;
  gateway.faults.status = 503;
  await page.getByRole("button", { name: "Try again" }).click();
  await alert.filter({ hasText: "cannot answer now (503)" }).waitFor();
  gateway.faults.status = 0;
  gateway.state.usage.service.spent_usd = "1.25";
  await page.clock.runFor(61_000);
  await headline.filter({ hasText: "$1.25" }).waitFor();
  await alert.getByRole("button").waitFor({ state: "detached" });

  // A route that fails alone is told too.
  const { kill } = gateway.state;
  gateway.state.kill = { nonsense: true };
  await page.getByRole("button", { name: "Refresh" }).click();
  await settled(page);
  gateway.state.kill = kill;
  await close(/status of 503/, /ERR_/);
  await gateway.close();
});

test("it is read anew each minute while it can be seen, and nobody is disturbed by it", async () => {
  const gateway = await standIn(busy());
  const { page, close } = await open(gateway.url, { ownsClock: true });
  await signIn(page, gateway.operator());
  const read = () => gateway.asked.filter(({ path }) => path === "/admin/usage").length;
  const grows = async (from, what) => {
    await page.clock.runFor(61_000);
    await settled(page);
    assert.ok(read() > from, what);
  };
  await grows(read(), "a minute later");
  // The focus and an opened table stay.
  await page.getByText("Show as a table").first().click();
  await page.getByRole("button", { name: "Stop model calls…" }).focus();
  await grows(read(), "and another");
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Stop model calls/);
  assert.ok(
    await page
      .getByRole("figure")
      .first()
      .locator("details")
      .evaluate((one) => one.open),
  );
  // While a question is open nothing moves.
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  const before = read();
  await page.clock.runFor(200_000);
  assert.equal(read(), before, "a dialog is not disturbed");
  await page.keyboard.press("Escape");
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
  });
  await page.clock.runFor(200_000);
  assert.equal(read(), before, "a page that nobody sees asks nothing");
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "visible", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await settled(page);
  assert.ok(read() > before, "seen again, it is read at once");
  await close();
  await gateway.close();
});

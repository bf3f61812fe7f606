// Signing in and out, and where the token is meanwhile.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { open, settled, signIn, tidy } from "./support/browser.mjs";
import { standIn, token } from "./support/standin.mjs";

after(tidy);

const UNAUTHORIZED = /status of 401/;
const FORBIDDEN = /status of 403/;

async function refused(page, text, says) {
  await page.getByLabel("Operator’s token").fill(text);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").filter({ hasText: says }).waitFor();
  assert.equal(await page.getByLabel("Operator’s token").getAttribute("aria-invalid"), "true");
  assert.equal(
    await page.evaluate(() => document.activeElement.name),
    "token",
    "the focus is where it has to be mended",
  );
  assert.equal(await page.evaluate(() => sessionStorage.length), 0, "a token that is not taken is not kept");
}

test("a token that is no good is refused with what to do about it", async () => {
  const gateway = await standIn();
  const { page, close } = await open(gateway.url);
  assert.equal(await page.getByLabel("Operator’s token").getAttribute("type"), "password");
  await refused(page, " ", "Paste a token first");
  await refused(page, "hunter2", "This is no token");
  assert.equal(gateway.asked.length, 0, "what is no token is not sent");
  await refused(page, token(), "does not take this token");
  await refused(page, token({ exp: 1_700_000_000 }), "ran out on 14 Nov 2023");
  await refused(page, gateway.client(), "This is a machine’s token");
  assert.match(await page.locator("pre").textContent(), /token mint --operator/);
  gateway.faults.status = 503;
  await refused(page, token(), "cannot answer now (503)");
  gateway.faults.silent = true;
  const typed = token();
  await refused(page, typed, "cannot be reached");
  assert.equal(await page.getByLabel("Operator’s token").inputValue(), typed, "it need not be pasted again");
  await close(UNAUTHORIZED, FORBIDDEN, /status of 503/, /ERR_/);
  await gateway.close();
});

test("a good one is kept for this tab alone, until signing out", async () => {
  const gateway = await standIn();
  const operator = gateway.operator();
  const { page, close } = await open(gateway.url);
  // As it comes out of a terminal.
  await signIn(page, `Bearer ${operator.slice(0, 40)}\n${operator.slice(40)} `);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await page.getByRole("status").filter({ hasText: "Signed in" }).waitFor();
  const kept = () => page.evaluate(() => [{ ...sessionStorage }, { ...localStorage }, document.cookie, location.href]);
  const [session, local, cookie, address] = await kept();
  assert.deepEqual(Object.values(session), [operator]);
  assert.ok(!JSON.stringify([local, cookie, address]).includes(operator.slice(0, 20)));
  await page.reload();
  await settled(page);
  await page.getByRole("heading", { name: "Overview" }).waitFor();

  const other = await (await page.context().newPage())
    .goto(`${gateway.url}/admin/`)
    .then(() => page.context().pages().at(-1));
  await other.getByRole("heading", { name: "Sign in" }).waitFor();

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("status").filter({ hasText: "The token is forgotten" }).waitFor();
  assert.deepEqual((await kept())[0], {});
  const before = gateway.asked.length;
  await page.goBack().catch(() => undefined);
  await page.goto(`${gateway.url}/admin/#machines`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(gateway.asked.length, before, "nothing is asked without a token");
  await close();
  await gateway.close();
});

test("when the token runs out, work goes on after signing in again", async () => {
  const gateway = await standIn();
  const { page, close } = await open(gateway.url);
  await signIn(page, gateway.operator());
  await page.getByRole("link", { name: "Revocations" }).click();
  await settled(page);
  await page.getByLabel("The machine’s name").fill("build-7");
  await page.getByRole("button", { name: "Revoke…" }).click();
  await page.getByLabel("Reason").fill("It spends at night.");
  gateway.expire();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke", exact: true }).click();
  const again = page.getByRole("dialog", { name: "Sign in again" });
  await again.waitFor();
  await page.keyboard.press("Escape");
  assert.ok(await again.isVisible(), "Escape does not leave the page without a token");
  await again.getByLabel("Operator’s token").fill(gateway.operator({ sub: "carol" }));
  await again.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("status").filter({ hasText: "Revoked: machine build-7" }).waitFor();
  assert.deepEqual(
    gateway.state.revocations.map(({ machine, reason }) => [machine, reason]),
    [["build-7", "It spends at night."]],
  );

  gateway.expire();
  await page.getByRole("button", { name: "Refresh" }).click();
  await again.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in", exact: true }).waitFor();
  await close(UNAUTHORIZED);
  await gateway.close();
});

// Revoking and the kill switch: asked before, said what, done once.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { open, settled, signIn, tidy } from "./support/browser.mjs";
import { standIn } from "./support/standin.mjs";
import { busy } from "./support/states.mjs";

after(tidy);

async function signedIn(address, state = busy()) {
  const gateway = await standIn(state);
  const opened = await open(gateway.url);
  await signIn(opened.page, gateway.operator());
  if (address) {
    await opened.page.evaluate((hash) => (location.hash = hash), address);
    await opened.page.waitForTimeout(50);
    await settled(opened.page);
  }
  const changes = () => gateway.asked.filter(({ method }) => method !== "GET");
  return {
    gateway,
    changes,
    ...opened,
    end: async (...expected) => (await opened.close(...expected), gateway.close()),
  };
}

test("a machine is revoked with a reason, after a question, and taken back", async () => {
  const { gateway, changes, page, end } = await signedIn("machine?id=build-2");
  const ask = () => page.getByRole("button", { name: "Revoke…" }).click();
  const dialog = page.getByRole("dialog", { name: "Revoke machine build-2?" });
  await ask();
  await dialog.getByText("everything that this machine has and will get is refused").waitFor();
  assert.equal(await page.evaluate(() => document.querySelector("dialog").matches(":modal")), true);
  assert.equal(await page.evaluate(() => document.activeElement.name), "reason");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Revoke…/, "the focus is back");
  await ask();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  assert.deepEqual(changes(), [], "thinking better of it changes nothing");

  await ask();
  const act = dialog.getByRole("button", { name: "Revoke", exact: true });
  await act.click();
  await dialog.getByRole("alert").filter({ hasText: "Say why" }).waitFor();
  await dialog.getByLabel("Reason").fill("It spends <b>at night</b>.");
  gateway.faults.status = 503;
  await act.click();
  await dialog
    .getByRole("alert")
    .filter({ hasText: "cannot answer now (503): Nothing was changed. Try again in 7 s." })
    .waitFor();
  gateway.faults.status = 0;
  gateway.faults.silent = true;
  await act.click();
  await dialog.getByRole("alert").filter({ hasText: "cannot be reached" }).waitFor();
  gateway.faults.silent = false;
  assert.equal(await dialog.getByLabel("Reason").inputValue(), "It spends <b>at night</b>.", "what was typed stays");
  await act.click();
  await page
    .getByRole("status")
    .filter({ hasText: "Revoked: machine build-2. In force from the next request on." })
    .waitFor();
  assert.deepEqual(changes().at(-1), {
    method: "POST",
    path: "/admin/revocations",
    query: {},
    body: { machine: "build-2", reason: "It spends <b>at night</b>." },
  });
  await page.getByText(/Revoked .* by alice: It spends <b>at night<\/b>\./).waitFor();

  await page.getByRole("button", { name: "Take back…" }).click();
  await page
    .getByRole("dialog", { name: "Take back the revocation of machine build-2?" })
    .getByRole("button", { name: "Take back", exact: true })
    .click();
  await page.getByRole("status").filter({ hasText: "Taken back: machine build-2" }).waitFor();
  assert.deepEqual(changes().at(-1), {
    method: "DELETE",
    path: "/admin/revocations",
    query: {},
    body: { machine: "build-2" },
  });
  await page.getByText("In use").waitFor();
  await end(/status of 503/, /ERR_/);
});

test("tokens and moments are revoked, and each way back is named", async () => {
  const { gateway, changes, page, end } = await signedIn("revocations");
  const kind = page.getByLabel("What", { exact: true });
  const form = page.getByRole("form", { name: "Revoke something" });
  await form.getByRole("button", { name: "Revoke…" }).click();
  await form.getByRole("alert").filter({ hasText: "Say what is to be revoked" }).waitFor();
  await kind.selectOption("issued_before");
  await form.getByLabel(/^Time/).fill("2999-01-01T00:00");
  await form.getByRole("button", { name: "Revoke…" }).click();
  await form.getByRole("alert").filter({ hasText: "has not come yet" }).waitFor();
  await form.getByLabel(/^Time/).fill("");
  for (const [choice, label, value, title, told, text, sent] of [
    [
      "jti",
      /^The token’s jti/,
      "abc123",
      "Revoke token abc123?",
      "Revoked: token abc123",
      "this one token is refused",
      { jti: "abc123" },
    ],
    [
      "issued_before",
      /^Time/,
      "2026-11-01T00:00",
      /Revoke all issued before 1 Nov 2026/,
      "Revoked: all issued before 1 Nov 2026",
      "every token and signing secret",
      { issued_before: "2026-11-01T00:00:00.000Z" },
    ],
  ]) {
    await kind.selectOption(choice);
    await form.getByLabel(label).fill(value);
    await form.getByRole("button", { name: "Revoke…" }).click();
    const dialog = page.getByRole("dialog", { name: title });
    await dialog.getByText(text).waitFor();
    await dialog.getByLabel("Reason").fill("seen");
    await dialog.getByRole("button", { name: "Revoke", exact: true }).click();
    await page.getByRole("status").filter({ hasText: told }).waitFor();
    await settled(page);
    assert.deepEqual(changes().at(-1).body, { ...sent, reason: "seen" });
  }
  assert.equal(await page.locator("tbody tr").count(), 4);
  await page.getByRole("button", { name: "Take back… machine build-99" }).click();
  const dialog = page.getByRole("dialog", { name: "Take back the revocation of machine build-99?" });
  await dialog.getByText("by bob: The laptop was lost.").waitFor();
  await dialog.getByRole("button", { name: "Take back", exact: true }).click();
  await page.getByRole("status").filter({ hasText: "Taken back: machine build-99" }).waitFor();
  await settled(page);
  assert.deepEqual(gateway.state.revocations.map(({ machine }) => machine).filter(Boolean), []);
  assert.equal(await page.locator("tbody tr").count(), 3);
  await end();
});

test("the kill switch asks, says why it is off in every view, and goes back on", async () => {
  const { gateway, changes, page, end } = await signedIn();
  await page.getByRole("button", { name: "Stop model calls…" }).click();
  const stop = page.getByRole("dialog", { name: "Stop all model calls?" });
  await stop.getByText("Rules and cache go on answering").waitFor();
  await stop.getByLabel("Reason").fill("The bill.");
  await stop.getByRole("button", { name: "Stop model calls" }).dblclick();
  await page.getByRole("status").filter({ hasText: "Model calls are stopped." }).waitFor();
  assert.deepEqual(
    changes().map(({ method, path, body }) => [method, path, body]),
    [["PUT", "/admin/kill-switch", { model: "off", reason: "The bill." }]],
    "once",
  );
  await page.getByText("Reason: The bill.").waitFor();
  await page.getByText(/^Since .*, by alice$/).waitFor();
  await page.getByRole("link", { name: "Log" }).click();
  await page.getByText(/^Model calls are off since/).waitFor();
  await page.getByRole("link", { name: "See why" }).click();
  await settled(page);
  await page.getByRole("button", { name: "Allow model calls…" }).click();
  await page
    .getByRole("dialog", { name: "Allow model calls again?" })
    .getByRole("button", { name: "Allow model calls" })
    .click();
  await page.getByRole("status").filter({ hasText: "Model calls are allowed again." }).waitFor();
  assert.equal(gateway.state.kill.model, "on");
  await page.getByText(/^Model calls are off since/).waitFor({ state: "hidden" });

  // Somebody else was faster.
  await page.getByRole("button", { name: "Stop model calls…" }).click();
  gateway.state.kill = { model: "off", since: new Date().toISOString(), by: "bob", reason: "Faster." };
  await stop.getByLabel("Reason").fill("Late.");
  await stop.getByRole("button", { name: "Stop model calls" }).click();
  await page.getByRole("status").filter({ hasText: "It was so already" }).waitFor();
  await page.getByText("Reason: Faster.").waitFor();
  await end();
});

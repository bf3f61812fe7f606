// What the views show, and the ways between them.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { open, settled, signIn, tidy } from "./support/browser.mjs";
import { standIn } from "./support/standin.mjs";
import { busy } from "./support/states.mjs";

after(tidy);

async function signedIn(options, state = busy()) {
  const gateway = await standIn(state);
  const opened = await open(gateway.url, options);
  await signIn(opened.page, gateway.operator());
  return { gateway, ...opened, end: async (...expected) => (await opened.close(...expected), gateway.close()) };
}

async function go(page, name) {
  await page.getByRole("navigation").getByRole("link", { name }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await settled(page);
}

/** How many pixels of a chart are of about this colour. */
const painted = (page, index, [red, green, blue]) =>
  page
    .locator(".plot canvas")
    .nth(index)
    .evaluate(
      (canvas, [r, g, b]) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let at = 0; at < data.length; at += 4) {
          if (
            Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 12 &&
            data[at + 3] > 200
          )
            count += 1;
        }
        return count;
      },
      [red, green, blue],
    );

test("the overview shows what the gateway counted", async () => {
  const { gateway, page, end } = await signedIn();
  const { usage } = gateway.state;
  const [today] = usage.days;
  const main = page.getByRole("main");
  assert.equal(await main.locator(".headline strong").getAttribute("title"), `$${usage.service.spent_usd}`);
  await main.getByText("of $5.00").waitFor();
  const cells = (name) =>
    main
      .getByRole("row", { name: new RegExp(`^${name} `) })
      .first()
      .getByRole("cell")
      .allTextContents();
  assert.deepEqual((await cells("anonymous")).slice(0, 3), ["23", "$0.0186", "$0.02"]);
  assert.equal((await cells("standard"))[2], "no cap");
  const sum = (group, name) => usage.days.reduce((all, day) => all + day[group][name], 0).toLocaleString("en-GB");
  assert.deepEqual((await cells("Built-in rules")).slice(0, 2), [String(today.sources.rules), sum("sources", "rules")]);
  assert.deepEqual((await cells("Over the rate")).slice(0, 2), [
    String(today.refusals["rate-limited"]),
    sum("refusals", "rate-limited"),
  ]);
  assert.deepEqual((await cells("Uncertain")).slice(0, 2), [
    String(today.outcomes.uncertain),
    sum("outcomes", "uncertain"),
  ]);
  await main.getByText("930 of 1,000").waitFor();
  await end();
});

test("the charts are drawn, and say the same in words and as tables", async () => {
  const { gateway, page, end } = await signedIn();
  const { days } = gateway.state.usage;
  assert.ok((await painted(page, 0, [0x1f, 0x5f, 0xbf])) > 2_000, "the bars of the spend");
  const [rules, cache, model] = [
    await painted(page, 1, [0x2b, 0x8a, 0x78]),
    await painted(page, 1, [0x4d, 0x7f, 0xd6]),
    await painted(page, 1, [0xc2, 0x6a, 0x1b]),
  ];
  // The areas are as the counts: 30 days of rules, cache and model.
  const total = (name) => days.reduce((all, day) => all + day.sources[name], 0);
  const near = (drawn, counted, what) =>
    assert.ok(Math.abs(drawn / counted - 1) < 0.15, `${what}: drawn ${drawn}, counted ${counted}`);
  near(rules / model, total("rules") / total("model"), "rules to model");
  near(cache / model, total("cache") / total("model"), "cache to model");

  const label = await page.getByRole("img", { name: /Requests a day/ }).getAttribute("aria-label");
  const requests = days.reduce((all, day) => all + day.requests, 0).toLocaleString("en-GB");
  assert.ok(label.includes(`${requests} requests in 30 days`) && label.includes(`today ${days[0].requests}`), label);
  const figure = page.getByRole("figure").nth(1);
  await figure.getByText("Show as a table").click();
  const rows = figure.locator("tbody tr");
  assert.equal(await rows.count(), 30, "days without traffic too");
  assert.deepEqual(
    (await rows.first().getByRole("cell").allTextContents()).map(Number),
    Object.values(days[0].sources),
  );
  assert.deepEqual(
    (await rows.nth(11).getByRole("cell").allTextContents()).map(Number),
    [0, 0, 0, 0],
    "the day that is not in the answer",
  );

  // Another scheme is another palette, at once.
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForTimeout(100);
  assert.ok((await painted(page, 0, [0x82, 0xb1, 0xff])) > 2_000, "the bars are redrawn for the dark");
  await end(/willReadFrequently/);
});

test("machines are sorted by the gateway and opened with their log", async () => {
  const { gateway, page, end } = await signedIn();
  await go(page, "Machines");
  const names = () => page.locator("tbody th a").allTextContents();
  const by = (key) =>
    [...gateway.state.machines]
      .sort((a, b) => key(b) - key(a))
      .slice(0, 20)
      .map(({ machine_id: id }) => id);
  assert.deepEqual(
    await names(),
    by(({ spent_usd: spent }) => Number(spent)),
  );
  await page.getByRole("button", { name: "Requests" }).click();
  await settled(page);
  assert.deepEqual(
    await names(),
    by(({ requests }) => requests),
  );
  assert.equal(await page.getByRole("columnheader", { name: "Requests" }).getAttribute("aria-sort"), "descending");
  await page.getByLabel("Show").selectOption("50");
  await settled(page);
  assert.equal((await names()).length, 34);
  assert.deepEqual(gateway.asked.filter(({ path }) => path === "/admin/machines").at(-1).query, {
    order: "requests",
    limit: "50",
  });

  await page.getByRole("link", { name: "build-2", exact: true }).click();
  await page.getByRole("heading", { name: "Machine build-2" }).waitFor();
  await settled(page);
  await page.getByText("In use").waitFor();
  assert.equal(
    await page.locator("tbody tr").count(),
    gateway.state.records.filter(({ machine_id: id }) => id === "build-2").length,
  );
  await page.goBack();
  await settled(page);
  assert.equal((await names()).length, 34, "the way back leads to the same list");

  // A name that needs to be encoded, and one that was never seen.
  for (const [name, says] of [
    ["net~203.0.113.0", "In use"],
    ["a/b?c#d%", "has not called lately"],
    ["build-99", "The laptop was lost."],
  ]) {
    await go(page, "Machines");
    await page.getByLabel("Open a machine by its name").fill(name);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: `Machine ${name}` }).waitFor();
    await page.getByText(says).first().waitFor();
  }
  await end(/status of 404/);
});

test("a record of another year is shown with its year", async () => {
  const state = busy();
  // As the old server left them, without an end of their life.
  const old = `${new Date().getFullYear() - 1}-01-15T10:20:30.123Z`;
  state.records.splice(0, state.records.length, state.records[0], { timestamp: old, machine_id: "8412" });
  const { page, end } = await signedIn({}, state);
  await go(page, "Log");
  const shown = await page.locator("tbody time").allTextContents();
  assert.ok(shown[1].includes(old.slice(0, 4)), shown[1]);
  assert.ok(!shown[0].includes(String(new Date().getFullYear())), shown[0]);
  await end();
});

test("the log is filtered and paged, its address says how, and no clock reads it", async () => {
  const { gateway, page, end } = await signedIn({ ownsClock: true });
  await go(page, "Log");
  const rows = page.locator("tbody tr");
  const read = () => gateway.asked.filter(({ path }) => path === "/admin/logs");
  assert.equal(await rows.count(), 50);
  await page.getByRole("button", { name: "Show older" }).click();
  await page.getByText("100 shown", { exact: true }).first().waitFor();
  assert.equal(
    await page.evaluate(() => [...document.querySelectorAll("tbody tr")].indexOf(document.activeElement.closest("tr"))),
    50,
    "the focus goes on to the first of the older ones",
  );
  await page.getByRole("button", { name: "Show older" }).click();
  await page.getByText("130 shown; there are no older ones.").first().waitFor();
  assert.equal(await rows.count(), 130);
  assert.ok(await page.getByRole("button", { name: "Show older" }).isHidden());
  const times = await page.locator("tbody time").evaluateAll((all) => all.map((one) => one.dateTime));
  assert.deepEqual(
    times,
    gateway.state.records.map(({ timestamp }) => timestamp),
    "each once, newest first",
  );

  const count = read().length;
  await page.clock.runFor(300_000);
  assert.equal(read().length, count, "each reading costs of an allowance");

  await page.getByLabel("Outcome").selectOption("upstream-failed");
  await page.getByLabel("Machine").fill("build-6");
  await page.getByLabel("From").fill("2020-01-02T03:04:05");
  await page.getByRole("button", { name: "Apply" }).click();
  await settled(page);
  assert.deepEqual(read().at(-1).query, {
    machine: "build-6",
    outcome: "upstream-failed",
    from: "2020-01-02T03:04:05.000Z",
    limit: "50",
  });
  assert.equal(
    await rows.count(),
    gateway.state.records.filter((one) => one.machine_id === "build-6" && one.outcome === "upstream-failed").length,
  );
  await page.reload();
  await settled(page);
  assert.equal(await page.getByLabel("Machine").inputValue(), "build-6", "the filters outlive a reload");
  assert.equal(await page.getByLabel("From").inputValue(), "2020-01-02T03:04:05");

  await page.getByLabel("Until").fill("2020-01-01T00:00:00");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("alert").filter({ hasText: "From must be before Until" }).waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await settled(page);
  assert.deepEqual(read().at(-1).query, { limit: "50" });
  await page
    .getByRole("button", { name: /details$/ })
    .nth(1)
    .click();
  const dialog = page.getByRole("dialog", { name: "Request" });
  for (const text of ["$0.000108768", "$0.0021", "812 tokens in (256 cached), 41 out", "Command: pip install cv2"]) {
    await dialog.getByText(text).waitFor();
  }
  await page.keyboard.press("Escape");
  assert.match(
    await page.evaluate(() => document.activeElement.textContent),
    /details$/,
    "the focus is back where it was",
  );
  await end();
});

test("Chinese speakers are spoken to in Chinese, and may choose", async () => {
  const { page, end } = await signedIn({ locale: "zh-CN" });
  await page.getByRole("heading", { level: 1, name: "概览" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-Hans");
  await page.getByLabel("语言").selectOption("en");
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  const [en, zh] = await page.evaluate(async () => [
    (await import("./words/en.js")).default,
    (await import("./words/zh.js")).default,
  ]);
  assert.deepEqual(Object.keys(zh), Object.keys(en), "both have the same sentences");
  const gaps = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const key of Object.keys(en)) assert.deepEqual(gaps(zh[key]), gaps(en[key]), key);
  await end();
});

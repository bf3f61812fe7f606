// A real Chromium, and what every page of ours has to keep to.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium as driver } from "playwright-core";
import { chromium } from "./chromium.mjs";
import { closeAll } from "./standin.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = process.env.SHOTS ?? new URL("../../../target/dashboard/", import.meta.url).pathname;

/** For failures only: no test waits as long when all is well. */
export const PATIENCE_MS = 60_000;

let browser;

/** The browser, the same one for all tests of a file. */
export async function launch() {
  browser ??= await driver.launch({ executablePath: chromium(), headless: true, timeout: PATIENCE_MS });
  return browser;
}

/** Ends it and every stand-in, so that a test that failed does not keep the others waiting. */
export async function tidy() {
  await browser?.close();
  await closeAll();
}

/**
 * A page of its own, with no storage, at the dashboard. With `ownsClock`, its time can be run ahead. `complaints` gathers what the console, the policy and
 * uncaught failures say; it has to be empty in the end, but for `expected` patterns.
 */
export async function open(
  url,
  { width = 1280, height = 900, scheme = "light", locale = "en-GB", ownsClock = false, ...more } = {},
) {
  const context = await (
    await launch()
  ).newContext({ viewport: { width, height }, colorScheme: scheme, locale, timezoneId: "UTC", ...more });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints = [];
  page.on(
    "console",
    (message) => ["error", "warning"].includes(message.type()) && complaints.push(`console: ${message.text()}`),
  );
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`),
    );
  });
  if (ownsClock) await page.clock.install();
  await page.goto(`${url}/admin/`);
  return {
    page,
    complaints,
    async close(...expected) {
      const left = complaints.filter((text) => !expected.some((pattern) => pattern.test(text)));
      assert.deepEqual(left, [], "the page complains of nothing");
      await context.close();
    },
  };
}

/** Signs in with a token, and waits until the overview has been read. */
export async function signIn(page, token) {
  await page.getByLabel(/Operator’s token|管理员令牌/).fill(token);
  await page.getByRole("button", { name: /^(Sign in|登录)$/ }).click();
  await settled(page);
}

/** Waits until what the page reads has been read. */
export async function settled(page) {
  // A click that changes the address is heard of in a task of its own, after it has returned.
  await page.evaluate(async () => {
    for (let frame = 0; frame < 2; frame += 1) {
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    }
  });
  await page.locator("main h1").first().waitFor();
  await page.waitForFunction(
    () =>
      !document.querySelector(".is-loading") &&
      document.querySelector("[data-key=refresh]")?.getAttribute("aria-busy") === "false",
  );
}

/** Keeps a picture of the page, as the test's output. */
export async function shoot(page, name, options = { fullPage: true }) {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), animations: "disabled", ...options });
}

/** Looks that axe-core finds nothing. */
export async function assertAccessible(page, what) {
  // Through the debugger, which the page's policy does not concern.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`,
  );
  assert.deepEqual(found, [], what);
}

/** Looks that nothing makes the page wider than its window. */
export async function assertFits(page, what) {
  const [has, may] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(has <= may, `${what}: ${has} wide in a window of ${may}`);
}

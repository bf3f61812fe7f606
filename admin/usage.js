// The days of GET /admin/usage as the page draws them: thirty, none left out, oldest first.

export const SOURCES = ["rules", "cache", "model", "none"];
export const OUTCOMES = [
  "answered",
  "uncertain",
  "spend-cap-reached",
  "upstream-failed",
  "upstream-timeout",
  "unsettled",
];
export const REFUSALS = [
  "unauthenticated",
  "revoked",
  "replayed",
  "rate-limited",
  "concurrency",
  "spend-cap-reached",
  "malformed",
];

const DAY_MS = 86_400_000;
const DAYS = 30;

/** Thirty days up to today. Days without traffic are not in the answer; here they are days of zeros. */
export function thirtyDays(usage) {
  const began = Date.parse(usage.started_at);
  return Array.from({ length: DAYS }, (_, index) => {
    const back = DAYS - 1 - index;
    const day = usage.days.find((one) => one.day === usage.day - back);
    return {
      day: usage.day - back,
      startedAt: began - back * DAY_MS,
      requests: number(day?.requests),
      spent: number(day?.spent_usd),
      sources: counts(SOURCES, day?.sources),
      outcomes: counts(OUTCOMES, day?.outcomes),
      refusals: counts(REFUSALS, day?.refusals),
      tokens: counts(["input", "output"], day?.tokens),
    };
  });
}

/** All of them together. */
export function totals(days) {
  const sum = { requests: 0, spent: 0, sources: {}, outcomes: {}, refusals: {} };
  for (const day of days) {
    sum.requests += day.requests;
    sum.spent += day.spent;
    for (const group of ["sources", "outcomes", "refusals"]) {
      for (const [name, value] of Object.entries(day[group])) sum[group][name] = (sum[group][name] ?? 0) + value;
    }
  }
  return sum;
}

function counts(names, given) {
  const all = Object.fromEntries(names.map((name) => [name, 0]));
  for (const [name, value] of Object.entries(given ?? {})) all[name] = number(value);
  return all;
}

function number(value) {
  const read = Number(value);
  return Number.isFinite(read) ? read : 0;
}

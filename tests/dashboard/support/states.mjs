// What a stand-in for the gateway may know, in the shapes of openapi.json.

const DAY_MS = 86_400_000;

/** A gateway that nobody has called yet. */
export function fresh() {
  const day = Math.floor(Date.now() / DAY_MS);
  const at = (number) => new Date(number * DAY_MS).toISOString();
  return {
    usage: {
      day,
      started_at: at(day),
      resets_at: at(day + 1),
      model: "on",
      service: { spent_usd: "0", cap_usd: "5.00" },
      plans: [],
      days: [],
      allowances: [
        ["worker requests", 100_000],
        ["ledger requests", 100_000],
        ["rows read", 5_000_000],
        ["rows written", 100_000],
        ["kv reads", 100_000],
        ["kv writes", 1_000],
        ["kv lists", 1_000],
      ].map(([name, of]) => ({ name, used: 0, of })),
    },
    kill: { model: "on", since: null, by: null, reason: null },
    machines: [],
    records: [],
    revocations: [],
  };
}

/** A gateway with a month of traffic, the same each time. */
export function busy() {
  const state = fresh();
  const { usage } = state;
  let seed = 7;
  const random = (most) => (seed = (seed * 48_271) % 2_147_483_647) % (most + 1);
  for (let back = 0; back < 30; back += 1) {
    if (back === 11) continue;
    const sources = { rules: 300 + random(160), cache: 60 + random(70), model: 140 + random(140), none: random(12) };
    const requests = Object.values(sources).reduce((sum, one) => sum + one, 0);
    const uncertain = 10 + random(20);
    const failed = random(3);
    usage.days.push({
      day: usage.day - back,
      started_at: new Date((usage.day - back) * DAY_MS).toISOString(),
      requests,
      spent_usd: (sources.model * 0.0009 + random(99) / 1_000).toFixed(6),
      sources,
      outcomes: {
        answered: requests - uncertain - failed - sources.none,
        uncertain,
        "spend-cap-reached": sources.none,
        "upstream-failed": failed,
        "upstream-timeout": 0,
        unsettled: 0,
      },
      refusals: {
        unauthenticated: random(60),
        revoked: random(4),
        replayed: 0,
        "rate-limited": random(80),
        concurrency: random(6),
        "spend-cap-reached": random(9),
        malformed: random(5),
      },
      tokens: { input: sources.model * 812, output: sources.model * 44 },
    });
  }
  const [today] = usage.days;
  usage.service.spent_usd = today.spent_usd;
  usage.plans = [
    {
      plan: "standard",
      spent_usd: (Number(today.spent_usd) * 0.7).toFixed(6),
      cap_usd: null,
      requests: today.requests - 64,
    },
    { plan: "trusted", spent_usd: (Number(today.spent_usd) * 0.25).toFixed(6), cap_usd: "2.00", requests: 41 },
    { plan: "anonymous", spent_usd: "0.0186", cap_usd: "0.02", requests: 23 },
  ];
  usage.allowances.forEach(
    (allowance, index) => (allowance.used = Math.round(allowance.of * [0.031, 0.052, 0.004, 0.72, 0.002, 0.93, 0.028][index])),
  );
  const now = Date.now();
  state.machines = Array.from({ length: 34 }, (_, index) => ({
    machine_id:
      index === 3
        ? "net~203.0.113.0"
        : index % 4 === 0
          ? `e${(0x6920aa00 + index * 977).toString(16)}-${"k7q2m9x4"}${index}`
          : `build-${index + 1}`,
    plan: ["standard", "trusted", "standard", "anonymous"][index % 4],
    requests: 1 + random(90),
    spent_usd: (random(48_000) / 1_000_000).toFixed(6),
    in_flight: random(8) === 0 ? 1 : 0,
    seen_at: new Date(now - random(40_000) * 1_000).toISOString(),
  }));
  const outcomes = [
    "answered",
    "answered",
    "answered",
    "uncertain",
    "answered",
    "upstream-failed",
    "answered",
    "spend-cap-reached",
  ];
  state.records = Array.from({ length: 130 }, (_, index) => {
    const source = ["rules", "model", "cache", "model"][index % 4];
    const isAsked = source === "model";
    return {
      timestamp: new Date(now - index * 97_000).toISOString(),
      machine_id: state.machines[index % 9].machine_id,
      reported_machine_id: "-3902841",
      request_id: (0xabcdef00 + index).toString(16).padStart(32, "0"),
      plan: state.machines[index % 9].plan,
      auth: ["bearer", "basic", "signed"][index % 3],
      outcome: outcomes[index % outcomes.length],
      source,
      model: isAsked ? "deepseek-flash" : null,
      usage: isAsked ? { prompt_tokens: 812, cached_tokens: 256, completion_tokens: 41 } : null,
      cost_usd: isAsked ? "0.000108768" : "0",
      reserved_usd: isAsked ? "0.0021" : "0",
      duration_ms: isAsked ? 1_300 + index * 7 : 3,
      error_context: "Command: pip install cv2\nExit Code: 1\nERROR: No matching distribution found for cv2",
    };
  });
  state.revocations = [
    { machine: "build-99", at: new Date(now - 5 * DAY_MS).toISOString(), by: "bob", reason: "The laptop was lost." },
    {
      jti: "kq5x0vYw2m8tHn3R7cLd9A",
      at: new Date(now - 9 * DAY_MS).toISOString(),
      by: "alice",
      reason: "It was in a build log.",
    },
  ];
  return state;
}

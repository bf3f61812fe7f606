"""Takes the ledger's guards out one by one and looks whether a test fails without each.

A guard that can be taken out unnoticed proves nothing. Each is a text of the source and what stands
in its place when it is gone; the tests then run on a copy of the tree, and have to fail. Takes about
half a minute a guard: `make test-guards`, or `make test-guards ONLY=word,word` for some of them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDS = "600"
LONGEST_SECONDS = 600
# What timeout(1) ends with when it had to end the command.
TIMED_OUT = 124


@dataclass(frozen=True)
class Guard:
    """What is guarded, and how its guard is taken out of a file under src/ledger."""

    name: str
    file: str
    guard: str
    without: str


GUARDS = (
    Guard("machine cap", "shard/admit.rs", "machine.account.has_room(worst, plan.machine_daily)", "true"),
    Guard(
        "plan cap",
        "shard/admit.rs",
        "plan.total_daily.map_or(Room::Enough, |cap| self.room(&pool, worst, cap, asked, now))",
        "{ let _ = &pool; Room::Enough }",
    ),
    Guard(
        "service cap",
        "shard/admit.rs",
        "self.room(SERVICE, worst, limits.service_daily, asked, now)",
        "Room::Enough",
    ),
    Guard("concurrency", "shard/admit.rs", "machine.in_flight >= plan.concurrency", "false"),
    Guard("bucket", "shard/admit.rs", "Err(wait) => return reply", "Err(_) if true => machine.tat, Err(wait) => return reply"),
    Guard("durable before it is answered", "shard/admit.rs", "(Turn::Reply(outcome), !is_covered)", "(Turn::Reply(outcome), false)"),
    Guard("a doubled admission is one", "shard/admit.rs", "if let Some(earlier) = self.open.get(&admission.id) {", "if let Some(earlier) = self.open.get(&admission.id).filter(|_| false) {"),
    Guard("nonce once", "replay.rs", "return Verdict::Replayed;", "return Verdict::New;"),
    Guard("nonce after a crash", "replay.rs", "remembered_until(nonce) <= horizon", "false"),
    Guard("nonces told ahead", "shard/admit.rs", "is_covered &= replay::remembered_until(nonce) <= self.stored_horizon;", ""),
    Guard("nonces after a change of shards", "shard/leases.rs", "if lease.moved {", "if false {"),
    Guard("settling ends it", "shard/settle.rs", "if is_open { self.open.remove(&id) }", "if is_open { self.open.get(&id).cloned() }"),
    Guard("settled by its own subject", "shard/settle.rs", "is_some_and(|open| open.subject == subject)", "is_some()"),
    Guard("expired is charged in full", "shard/settle.rs", "self.close(&reservation, reservation.amount, None);", "self.close(&reservation, NanoUsd::ZERO, None);"),
    Guard("unknown is charged in full", "wire/mod.rs", "Self::Full => reserved,", "Self::Full => NanoUsd::ZERO,"),
    Guard("never more than was set aside", "account.rs", "charged.min(reserved)", "charged"),
    Guard("a settlement belongs to its day", "account.rs", "self.reserved = self.reserved.saturating_sub(reserved);", "self.reserved = self.reserved.saturating_sub(reserved); } {"),
    Guard("a day begins once", "account.rs", "if today > self.day {", "if today != self.day {"),
    Guard("the clock does not go back", "shard/mod.rs", "self.clock = self.clock.max(now);", "self.clock = now;"),
    Guard("a machine's row says what is gone", "shard/snapshot.rs", "let gone = machine.account.used().saturating_add(margin);", "let gone = machine.account.posted().saturating_add(margin);"),
    Guard("a fund's row says what is gone", "shard/snapshot.rs", "let gone = fund.account.used().saturating_add(", "let gone = fund.account.posted().saturating_add("),
    Guard("not ahead of the lease", "shard/snapshot.rs", "margin.min(part).max(least).min(fund.unused())", "margin"),
    Guard("what comes back covers nothing else", "shard/settle.rs", "let given_back = if *stored {", "let given_back = if *stored && false {"),
    Guard("what came back may be charged after a crash", "fund.rs", "used <= self.stored.1 && self.since <= self.ahead)", "used <= self.stored.1)"),
    Guard("rows go by the platform's clock", "shard/mod.rs", "self.platform.since(self.written_at)", "self.clock.since(self.written_at)"),
    Guard("an epoch begins once", "shard/snapshot.rs", "epoch: stored.epoch.saturating_add(1),", "epoch: stored.epoch,"),
    Guard("leases within the cap", "treasury.rs", "mine.saturating_add(more.min(left))", "mine.saturating_add(more.max(NanoUsd::from_nanos(50)))"),
    Guard("old requests for leases", "treasury.rs", "if number < holds_since || ", "if "),
    Guard("what takes leases back in its turn only", "treasury.rs", "|| (holds_only && number <= latest)", "|| (holds_only && number < holds_since)"),
    Guard("a cap as the treasury knows it", "fund.rs", "self.cap = lease.cap;", ""),
    Guard("a restore in its turn only", "shard/mod.rs", "if self.is_latest(&target, revision) {", "if self.is_latest(&target, revision) || true {"),
    Guard("records that left stay away", "logbook/mod.rs", "entries.retain(|entry| entry.number >= self.first);", ""),
    Guard("durable before it leaves", "shard/mod.rs", "let is_held = !self.journal.is_empty()", "let is_held = false && !self.journal.is_empty()"),
    Guard("the journal is read", "shard/journal.rs", "            self.adopt(orphan);", "            drop(orphan);"),
    Guard("the journal's last round", "shard/journal.rs", "if stored.number != self.journal.next {", "if stored.number != self.journal.next && stored.number.saturating_add(RING) != self.journal.next {"),
    Guard("the main row covers the journal", "shard/journal.rs", "        self.first = self.next;\n", ""),
    Guard("what a crash took stays known", "shard/snapshot.rs", "orphans: self.orphans.values().cloned().collect(),", "orphans: Vec::new(),"),
    Guard("its record comes once", "shard/settle.rs", "if is_orphan { self.orphans.remove(&id) }", "if is_orphan { self.orphans.get(&id).cloned() }"),
    Guard("it is not admitted again", "shard/admit.rs", "if self.orphans.contains_key(&admission.id) {", "if false {"),
    Guard("records follow the batch that they missed", "shard/housekeeping.rs", "if is_due { self.tidy(platform) } else { Ok(None) }", "let _ = (is_due, platform); Ok(None)"),
    Guard("answered is written", "shard/mod.rs", "dirty && has_news", "dirty && false"),
    Guard("machines at once", "shard/admit.rs", "self.machines.len() >= MOST_MACHINES_AT_ONCE", "false && self.machines.len() >= MOST_MACHINES_AT_ONCE"),
    Guard("old answers about leases", "shard/leases.rs", "lease.number < self.holds_since || ", ""),
    Guard("given back is taken from the shard", "shard/leases.rs", "self.funds.values_mut().for_each(Fund::give_back);", ""),
    Guard("a lowered cap", "fund.rs", "let was_lowered = cap < self.cap && amount > NanoUsd::ZERO;", "let was_lowered = false;"),
    Guard("shards stay for the day", "treasury.rs", "if day <= self.books.day {", "if day < self.books.day {"),
    Guard("a record leaves once", "logbook/mod.rs", "if is_left_alone || self.sent.is_some() || ", "if is_left_alone || "),
    Guard("KV is left alone after it refused", "logbook/mod.rs", "if is_left_alone || self", "let _ = is_left_alone; if self"),
    Guard("revoked", "shard/admit.rs", "if self.revocations.cover(&admission.subject, &admission.credential) {", "if false {"),
    Guard("the kill switch", "shard/admit.rs", "_ if self.revocations.is_model_off() => Budget::SwitchedOff,", "_ if false => Budget::SwitchedOff,"),
    Guard("counted once", "shard/settle.rs", "self.tallies.end(Some(*day), plan, ended, charged.min(*amount));", "for _ in 0..2 { self.tallies.end(Some(*day), plan, ended, charged.min(*amount)); }"),
    Guard("a day that is over is written down", "tally/days.rs", "rows.push(rows::row(rows::tally_key(day), &tally)?);", "if false { rows.push(rows::row(rows::tally_key(day), &tally)?); }"),
    Guard("refusals do not write each", "shard/housekeeping.rs", "self.tallies.is_behind() && self.unwritten_for() >= REFUSALS_WITHIN", "self.tallies.is_behind()"),
    Guard("new shards learn who is revoked", "shard/leases.rs", "rows.extend(self.revocations.add(revocation).then_some(row));", "rows.extend(Some(row)); drop(revocation);"),
)


def copy(folder: Path) -> None:
    for name in ("Cargo.toml", "Cargo.lock", "clippy.toml", "openapi.json"):
        shutil.copy(ROOT / name, folder)
    for name in ("src", "policies", "buildscript", "tests", "benches"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".venv", "__pycache__"))


def run(folder: Path, target: Path) -> subprocess.CompletedProcess[str]:
    tests = ("--lib", "--test", "ledger_simulation", "--test", "ledger_cases", "--test", "ledger_races", "--test", "ledger_tally")
    environment = os.environ | {
        "CARGO_TARGET_DIR": str(target),
        # Built anew for each guard: quick to build counts for more than quick to run.
        "CARGO_PROFILE_TEST_OPT_LEVEL": "0",
        "LEDGER_SEEDS": SEEDS,
        "RUST_BACKTRACE": "0",
    }
    command = ["timeout", str(LONGEST_SECONDS), "cargo", "test", "--locked", "--quiet", "--no-fail-fast", *tests, "--", "--skip", "analysis::", "--skip", "token::"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def main() -> int:
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    target = ROOT / "target" / "guards"
    unguarded = []
    words = only.split(",")
    chosen = [guard for guard in GUARDS if any(word in guard.name for word in words)]
    if not chosen:
        print(f"no guard has {only!r} in its name; there are: {', '.join(guard.name for guard in GUARDS)}")
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(folder)
        if not only and (whole := run(folder, target)).returncode != 0:
            print(whole.stdout[-3000:], whole.stderr[-3000:], "with all guards in place the tests fail")
            return 1
        for guard in chosen:
            path = folder / "src" / "ledger" / guard.file
            source = path.read_text()
            if source.count(guard.guard) != 1:
                print(f"{guard.name}: its text is {source.count(guard.guard)} times in {guard.file}", flush=True)
                unguarded.append(guard.name)
                continue
            path.write_text(source.replace(guard.guard, guard.without))
            tried = run(folder, target)
            path.write_text(source)
            failures = [line for line in tried.stdout.splitlines() if "panicked at" in line and "main.rs" not in line]
            if "error[E" in tried.stderr or "error: could not compile" in tried.stderr:
                print(f"{guard.name}: does not compile without it\n{tried.stderr[-1500:]}", flush=True)
                unguarded.append(guard.name)
            elif tried.returncode == TIMED_OUT:
                print(f"{guard.name}: did not end in {LONGEST_SECONDS} s, which shows nothing", flush=True)
                unguarded.append(guard.name)
            elif tried.returncode == 0:
                print(f"{guard.name}: NOTHING FAILS without it", flush=True)
                unguarded.append(guard.name)
            else:
                print(f"{guard.name}: fails without it ({len(failures)} tests)", flush=True)
    print(f"{len(chosen) - len(unguarded)} passed, {len(unguarded)} failed")
    return 1 if unguarded else 0


if __name__ == "__main__":
    sys.exit(main())

//! What goes wrong, and when: one thing after the other, for random times, with fair hours in between.

use std::fmt::{self, Display};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::crowd::Crowd;
use crate::support::biller::{Biller, Deed};
use crate::support::client::Reply;
use crate::support::fleet::Fleet;
use crate::support::{random_bytes, wait_for};

use Deed::{Answer, Fail, Hang, HangUp, NoUsage};

/// What the model does in fair weather, in turn: an accident in ten.
pub const USUAL: [Deed; 41] = {
    let mut deeds = [Answer; 41];
    deeds[7] = Fail;
    deeds[16] = NoUsage;
    deeds[25] = HangUp;
    deeds[34] = Fail;
    deeds
};
/// And when it is not well.
const UNWELL: [Deed; 5] = [Fail, HangUp, NoUsage, Hang, Fail];

/// For how long the ledger may refuse after it could not be reached: what was under way.
const LEDGER_RECOVERS: Duration = Duration::from_secs(2);
/// The same after a crash.
const CRASH_RECOVERS: Duration = Duration::from_secs(6);
/// For how long it may have forgotten nonces by then, by its own clock: what is signed within that time is refused.
const NONCES_FORGOTTEN: Duration = Duration::from_secs(3);
/// The same of the model: an upstream that failed ten times running is left alone for half a minute.
const MODEL_RECOVERS: Duration = Duration::from_secs(40);
/// And is well for so long from the beginning of one trouble to the next, so that there is time without an excuse.
const MODEL_IS_WELL: Duration = Duration::from_secs(90);
/// Of the clock, which is wrong in the requests that are under way.
const CLOCK_RECOVERS: Duration = Duration::from_secs(5);

/// What does not work for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Upstream,
    Kv,
    Cache,
    Shards,
    Treasury,
    Clock,
    Crash,
}

impl Trouble {
    const STEADY: [Self; 6] =
        [Self::Upstream, Self::Kv, Self::Cache, Self::Shards, Self::Treasury, Self::Clock];

    /// Any of these but the model's.
    fn of_ours() -> Self {
        let [_, others @ ..] = Self::STEADY;
        others[random_below(others.len() as u64) as usize]
    }
}

/// The weather over these.
pub struct Weather<'a> {
    fleet: &'a Fleet,
    model: &'a Biller,
    crowd: &'a Crowd,
    history: Mutex<Vec<Trouble>>,
    /// When the model may be unwell again.
    model_is_well_until: Mutex<Instant>,
    /// When the ledger's clock, which never goes back, is right again.
    clock_is_right_at: Mutex<Instant>,
    accidents: Mutex<Vec<String>>,
}

impl<'a> Weather<'a> {
    /// Fair at first.
    pub fn over(fleet: &'a Fleet, model: &'a Biller, crowd: &'a Crowd) -> Self {
        crowd.goes_to(fleet.member("worker").port());
        let now = || Mutex::new(Instant::now());
        Self {
            fleet,
            model,
            crowd,
            history: Mutex::default(),
            model_is_well_until: now(),
            clock_is_right_at: now(),
            accidents: Mutex::default(),
        }
    }

    /// It goes on for so long, and is fair at the end.
    pub fn lasts(&self, time: Duration, with_crashes: bool) {
        let over = Instant::now() + time;
        let mut turn = usize::from(random_bytes::<1>()[0]);
        while Instant::now() < over {
            self.rest(random_below(2_000));
            let trouble = if with_crashes && turn.is_multiple_of(2) {
                Trouble::Crash
            } else if self.model_may_be_unwell() {
                Trouble::Upstream
            } else {
                Trouble::of_ours()
            };
            turn += 1;
            self.history.lock().expect("nobody panicked").push(trouble);
            self.brings(trouble);
        }
        // What was begun under it ends.
        self.rest(1_000);
    }

    /// What the console said that no weather excuses.
    pub fn accidents(&self) -> Vec<String> {
        self.accidents.lock().expect("nobody panicked").clone()
    }

    fn model_may_be_unwell(&self) -> bool {
        let mut until = self.model_is_well_until.lock().expect("nobody panicked");
        let now = Instant::now();
        let may_be = *until <= now;
        if may_be {
            *until = now + MODEL_IS_WELL;
        }
        may_be
    }

    /// For how long the ledger's clock is still ahead.
    fn clock_is_wrong_for(&self) -> Duration {
        let is_right_at = *self.clock_is_right_at.lock().expect("nobody panicked");
        is_right_at.saturating_duration_since(Instant::now())
    }

    fn brings(&self, trouble: Trouble) {
        let crowd = self.crowd;
        match trouble {
            Trouble::Upstream => {
                crowd.begin(&crowd.model);
                self.model.begin(&UNWELL);
                self.rest(1_000 + random_below(4_000));
                self.model.begin(&USUAL);
                crowd.end(&crowd.model, MODEL_RECOVERS);
            }
            // Short enough that the shards can keep what waits.
            Trouble::Kv => self.outage(&json!({ "fail": ["LOGS_KV"] }), 500 + random_below(2_000)),
            Trouble::Cache => self.outage(&json!({ "fail": ["cache"] }), 500 + random_below(4_000)),
            Trouble::Shards | Trouble::Treasury => {
                crowd.begin(&crowd.ledger);
                let name = if trouble == Trouble::Shards { "shards" } else { "treasury" };
                // Refusals are quick: longer, and there would be little else.
                self.outage(&json!({ "fail": [name] }), 100 + random_below(400));
                crowd.end(&crowd.ledger, LEDGER_RECOVERS);
            }
            Trouble::Clock => {
                crowd.begin(&crowd.model);
                let off = i64::try_from(random_below(240_000)).expect("a small number") - 120_000;
                self.outage(&json!({ "clock": off }), 500 + random_below(2_000));
                let is_right_at = Instant::now() + Duration::from_millis(off.try_into().unwrap_or(0));
                let mut known = self.clock_is_right_at.lock().expect("nobody panicked");
                *known = is_right_at.max(*known);
                crowd.end(&crowd.model, CLOCK_RECOVERS);
            }
            Trouble::Crash => {
                crowd.begin(&crowd.ledger);
                crowd.begin(&crowd.nonces);
                crowd.begin(&crowd.model);
                self.read_console();
                self.fleet.crash();
                self.fleet.run();
                crowd.goes_to(self.fleet.member("worker").port());
                crowd.end(&crowd.ledger, CRASH_RECOVERS);
                crowd.end(&crowd.nonces, self.clock_is_wrong_for() + NONCES_FORGOTTEN + CRASH_RECOVERS);
                crowd.end(&crowd.model, CLOCK_RECOVERS);
            }
        }
    }

    fn outage(&self, outage: &Value, millis: u64) {
        self.announce(outage);
        self.rest(millis);
        self.announce(&json!({}));
    }

    fn announce(&self, outage: &Value) {
        let url = format!("http://127.0.0.1:{}/outage", self.fleet.member("worker").port());
        let body = outage.to_string();
        // Under load a connection may be reset.
        let told = wait_for(Duration::from_secs(30), || {
            Reply::of("POST", &url, &[], Some(body.as_bytes())).filter(|reply| reply.status == 204)
        });
        assert!(told.is_some(), "the module before the Worker does not answer");
    }

    fn rest(&self, millis: u64) {
        let over = Instant::now() + Duration::from_millis(millis);
        while let Some(left) = over.checked_duration_since(Instant::now()) {
            std::thread::sleep(left.min(Duration::from_secs(1)));
            self.read_console();
        }
    }

    fn read_console(&self) {
        let is_accident =
            |line: &&str| ["panicked", "Uncaught", "RuntimeError"].iter().any(|word| line.contains(word));
        let output = self.fleet.output();
        self.accidents
            .lock()
            .expect("nobody panicked")
            .extend(output.lines().filter(is_accident).map(|line| line.chars().take(300).collect()));
        self.fleet.forget_output();
    }
}

impl Display for Weather<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let history = self.history.lock().expect("nobody panicked");
        formatter.write_str("weather:")?;
        for trouble in Trouble::STEADY.into_iter().chain([Trouble::Crash]) {
            let times = history.iter().filter(|past| **past == trouble).count();
            write!(formatter, " {times} of {trouble:?}")?;
        }
        Ok(())
    }
}

fn random_below(limit: u64) -> u64 {
    u64::from_le_bytes(random_bytes()) % limit
}

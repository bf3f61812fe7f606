//! The honest client: a machine that asks one question a second, of which a rule knows every other one
//! and the model has to be asked for the rest.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::requests::token;
use crate::front_door::NO_CV2;
use crate::support::client::Reply;
use crate::support::credentials::Key;
use crate::support::faulty::ANSWER;
use crate::support::load::Line;
use crate::support::random_word;

/// The plan of honest machines: what they are allowed suits one question a second. Attackers are on the
/// standard plan as it is shipped.
pub const PLAN: &str = "trusted";

/// What honest machines saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// From the moment at which each question was due to its answer: an answer that is late for the
    /// next question's moment counts against that too.
    pub latencies: Vec<Duration>,
    /// Answers that were not right, in short.
    pub wrong: Vec<String>,
}

impl Seen {
    /// Both together.
    pub fn and(mut self, other: Self) -> Self {
        self.latencies.extend(other.latencies);
        self.wrong.extend(other.wrong);
        self
    }

    /// So many of a hundred were at most that late.
    pub fn percentile(&self, of_hundred: usize) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * of_hundred).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }
}

/// One machine on a connection of its own.
pub struct Machine {
    line: Line,
    authorization: String,
    asked: usize,
}

impl Machine {
    /// With a token of its own.
    pub fn new(port: u16, key: &Key) -> Self {
        let name = format!("honest-{}", random_word());
        Self { line: Line::to(port), authorization: token(key, &name, Some(PLAN)), asked: 0 }
    }

    /// Asks the next question; what is wrong with the answer.
    pub fn ask(&mut self) -> Result<(), String> {
        self.asked += 1;
        let by_rule = self.asked % 2 == 1;
        let question = if by_rule { NO_CV2.to_owned() } else { unknown() };
        let body = json!({ "machine_id": "0x1badcafe", "error_context": question }).to_string();
        let reply = self.line.post("/v1/analyze", &self.authorization, body.as_bytes());
        let reply = reply.ok_or_else(|| "no answer".to_owned())?;
        if is_right(&reply, by_rule) { Ok(()) } else { Err(format!("{reply:?}")) }
    }

    /// Asks one question a second until `time` is over, the first one after `offset`.
    pub fn ask_for(&mut self, time: Duration, offset: Duration) -> Seen {
        let mut seen = Seen::default();
        let (began, mut due) = (Instant::now(), offset);
        while due < time {
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            if let Err(what) = self.ask() {
                seen.wrong.push(what);
            }
            seen.latencies.push(began.elapsed().saturating_sub(due));
            due += Duration::from_secs(1);
        }
        seen
    }
}

/// A failure that no rule knows and that nobody has asked about.
fn unknown() -> String {
    let word = random_word();
    format!(
        "Command: pip install p{word}\nExit Code: 1\n\n--- stderr ---\n  lanes.errors.LayoutError: {word}\n"
    )
}

fn is_right(reply: &Reply, by_rule: bool) -> bool {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let command = "pip install opencv-python";
    let says_it = ANSWER.contains(command) && answer["commands"] == json!([command]);
    // The model's package is none that the machine named, so that it is withheld there.
    let is_answered = if by_rule { says_it } else { answer["commands"].is_array() };
    reply.status == 200 && is_answered && answer["source"] == if by_rule { "rules" } else { "model" }
}

/// Several machines at a time, a second's parts apart.
pub fn all_ask(machines: &mut [Machine], time: Duration) -> Seen {
    let apart = Duration::from_secs(1) / u32::try_from(machines.len().max(1)).unwrap_or(1);
    std::thread::scope(|scope| {
        let asking: Vec<_> = machines
            .iter_mut()
            .zip(0_u32..)
            .map(|(machine, place)| scope.spawn(move || machine.ask_for(time, apart * place)))
            .collect();
        let seen = asking.into_iter().map(|asking| asking.join().expect("no machine panicked"));
        seen.fold(Seen::default(), Seen::and)
    })
}

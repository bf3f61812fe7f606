//! A Worker whose surroundings fail when a test says so (`outages.mjs`), and what operators see of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Reply;
use super::credentials::{bearer, claims, unix_seconds};
use super::door::Door as _;
use super::fleet::{Fleet, Member};
use super::gateway::{Settings, nano_usd, request_body};
use super::{random_word, wait_for};
use crate::spend_cap::day;

/// How long something may take that comes by itself.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An error that no rule knows, and nobody asked about before.
pub fn unknown() -> String {
    format!("ERROR: nobody knows {}", random_word())
}

/// It.
pub struct World {
    /// The Worker, and others that a test put beside it.
    pub fleet: Fleet,
    /// The Worker's.
    pub settings: Settings,
}

impl World {
    /// Starts it, with a day that does not end soon.
    pub fn start(settings: Settings) -> Self {
        let settings = settings.var("DAY_STARTS_AT", &day().0);
        let fleet = Fleet::start_behind(Some("outages.mjs"), &[("worker", settings.clone())]);
        Self { fleet, settings }
    }

    /// Where the Worker is to be found.
    pub fn worker(&self) -> Member {
        self.fleet.member("worker")
    }

    /// From now on this fails, and nothing else.
    #[track_caller]
    pub fn outage(&self, outage: &Value) -> Reply {
        self.outage_of("worker", outage)
    }

    /// The same for another one beside the Worker.
    #[track_caller]
    pub fn outage_of(&self, name: &str, outage: &Value) -> Reply {
        let url = self.fleet.member(name).url("/outage");
        let reply = Reply::of("POST", &url, &[], Some(outage.to_string().as_bytes())).expect("an answer");
        assert_eq!(reply.status, 204, "{reply:?}");
        reply
    }

    /// From now on these fail, and nothing else.
    #[track_caller]
    pub fn fails(&self, names: &[&str]) {
        self.outage(&json!({ "fail": names }));
    }

    /// A machine's `Authorization`.
    pub fn token(&self, machine: &str) -> String {
        bearer(&self.settings.key().token(machine))
    }

    /// One that is good for days before and after, as a machine's tokens are.
    pub fn lasting_token(&self, machine: &str) -> String {
        let key = self.settings.key();
        let mut claims = claims(machine);
        claims["iat"] = json!(unix_seconds() - 3 * 86_400);
        claims["exp"] = json!(unix_seconds() + 3 * 86_400);
        bearer(&key.sign(&key.header(), &claims))
    }

    /// Asks for an analysis.
    #[track_caller]
    pub fn analyze(&self, path: &str, machine: &str, context: &str) -> Reply {
        self.worker().post(path, &self.token(machine), &request_body(context))
    }

    /// Calls an operator's route.
    #[track_caller]
    pub fn operate(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let operator = bearer(&self.settings.operator_key().operator_token("overseer"));
        let headers = [("Authorization", operator.as_str()), ("Content-Type", "application/json")];
        let body = body.map(|body| body.to_string());
        self.worker().send(method, path, &headers, body.as_ref().map(String::as_bytes))
    }

    /// What a machine has spent today, in nano-dollars.
    #[track_caller]
    pub fn spent(&self, machine: &str) -> u64 {
        let me = self.worker().look(&self.token(machine));
        assert_eq!(me.status, 200, "{me:?}");
        nano_usd(&me.json()["spend"]["today_usd"])
    }

    /// The console's line about an answer.
    #[track_caller]
    pub fn line(&self, reply: &Reply) -> Value {
        let find = || {
            self.fleet.output().lines().find_map(|line| {
                let line: Value = serde_json::from_str(line.get(line.find('{')?..)?).ok()?;
                (line["request_id"] == reply.request_id()).then_some(line)
            })
        };
        wait_for(PATIENCE, find).unwrap_or_else(|| panic!("no line about {reply:?}"))
    }

    /// The console says this, or will soon.
    #[track_caller]
    pub fn assert_told(&self, text: &str) {
        let told = wait_for(PATIENCE, || self.fleet.output().contains(text).then_some(()));
        assert!(told.is_some(), "the console does not say {text:?}:\n{}", self.fleet.output());
    }

    /// The records in `LOGS_KV` of these answers, in their order, once all are there: each once.
    #[track_caller]
    pub fn records(&self, answers: &[&Reply]) -> Vec<Value> {
        let kept = || {
            let all = self.kept();
            let of = |reply: &&Reply| {
                let mut found = all.iter().filter(|record| record["request_id"] == reply.request_id());
                let record = found.next()?.clone();
                assert!(found.next().is_none(), "twice in the log: {record}");
                Some(record)
            };
            answers.iter().map(of).collect::<Option<Vec<_>>>()
        };
        wait_for(4 * PATIENCE, kept).unwrap_or_else(|| panic!("not in the log: {answers:?}"))
    }

    /// Every record in `LOGS_KV`.
    #[track_caller]
    fn kept(&self) -> Vec<Value> {
        let (mut records, mut cursor) = (Vec::new(), String::new());
        loop {
            let url = self.worker().url(&format!("/log?{cursor}"));
            let page = Reply::of("GET", &url, &[], None).expect("the log").json();
            for value in page["values"].as_array().expect("a list").iter().filter_map(Value::as_str) {
                records.extend(value.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")));
            }
            let Some(next) = page["cursor"].as_str() else { return records };
            cursor = format!("cursor={next}");
        }
    }

    /// A metric comes to this value, and soon: what it counts may be on its way.
    #[track_caller]
    pub fn assert_metric(&self, name: &str, value: impl ToString) {
        let value = value.to_string();
        let counted = wait_for(PATIENCE, || (self.metric(name) == value).then_some(()));
        assert!(counted.is_some(), "{name} is {}, not {value}", self.metric(name));
    }

    /// A metric's value.
    #[track_caller]
    pub fn metric(&self, name: &str) -> String {
        let page = self.operate("GET", "/admin/metrics", None);
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.text();
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("pip_aide_gateway_{name} ")));
        line.unwrap_or_else(|| panic!("no metric {name}:\n{page}")).to_owned()
    }
}

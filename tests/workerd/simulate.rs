//! `gatectl simulate` says of a recorded log what the gateway itself decides, request by request.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::spend_cap::day;
use crate::support::client::Reply;
use crate::support::credentials::{bearer, claims};
use crate::support::faulty::Faulty;
use crate::support::gateway::{Gateway, Settings, nano_usd, request_body, usd};
use crate::support::overview::Overview;
use crate::support::process::Folder;
use crate::support::wait_for;

/// What is done, one after the other. Between two of these everything is settled and some time passes,
/// so that no decision hangs on milliseconds.
enum Step {
    /// One request of a machine on a plan.
    One(&'static str, &'static str),
    /// Two requests of a machine, the second while the first is under way.
    Two(&'static str),
    /// Nothing, for at least so long.
    Wait(Duration),
}

use Step::{One, Two, Wait};

const STANDARD: &str = "standard";
const TRUSTED: &str = "trusted";
/// A bucket of plan trusted gets one back in ten seconds: two requests come sooner after each other,
/// the one after this later.
const REFILL: Duration = Duration::from_secs(14);

/// Between two steps. A record has the time of its admission and counts its duration from the request's
/// arrival, so that by the log it ends a little later than it did: this is far more.
const SPACE: Duration = Duration::from_millis(600);

/// Several machines, with bursts, at once, and until caps are reached.
const STEPS: &[Step] = &[
    // The first has to wait until everything is awake.
    One("first", STANDARD),
    // A burst of more than the bucket holds, with another machine between.
    One("burst", STANDARD),
    One("burst", STANDARD),
    One("steady", STANDARD),
    One("burst", STANDARD),
    One("burst", STANDARD),
    One("burst", STANDARD),
    One("burst", STANDARD),
    // A bucket that fills again.
    One("refill", TRUSTED),
    One("refill", TRUSTED),
    Wait(REFILL),
    One("refill", TRUSTED),
    One("refill", TRUSTED),
    // One too many in flight, and one when that is over.
    Two("parallel"),
    One("parallel", STANDARD),
    // Machines that use up their plan's cap.
    One("trusted-1", TRUSTED),
    One("trusted-2", TRUSTED),
    One("trusted-3", TRUSTED),
    One("trusted-4", TRUSTED),
    // Machines that use up the service's.
    One("late-1", STANDARD),
    One("late-2", STANDARD),
    One("late-3", STANDARD),
    One("late-4", STANDARD),
];

/// Plays the steps; the replies in the order in which the requests were sent.
fn play(gateway: &Gateway, settings: &Settings, model: &Faulty) -> Vec<Reply> {
    let send = |machine: &str, plan: &str, number: usize| {
        let mut claims = claims(machine);
        claims["plan"] = plan.into();
        let token = bearer(&gateway.key().sign(&gateway.key().header(), &claims));
        // All are of one length, so that all set the same aside, and no two are alike.
        gateway.post("/v1/analyze", &token, &request_body(&format!("ERROR: nobody knows {number:04}")))
    };
    let settled = || Overview::at_rest(gateway, settings, Duration::from_secs(60));
    let mut replies: Vec<Reply> = Vec::new();
    for step in STEPS {
        match step {
            Wait(span) => std::thread::sleep(*span),
            One(machine, plan) => replies.push(send(machine, plan, replies.len())),
            Two(machine) => std::thread::scope(|scope| {
                let (first, before) = (replies.len(), model.asked().len());
                model.hold();
                let one = scope.spawn(move || send(machine, STANDARD, first));
                let is_asked = |count: usize| move || (model.asked().len() >= before + count).then_some(());
                wait_for(Duration::from_secs(60), is_asked(1)).expect("the first asks the model");
                let other = scope.spawn(move || send(machine, STANDARD, first + 1));
                // It asks too, or is refused.
                wait_for(Duration::from_secs(60), || {
                    (other.is_finished() || model.asked().len() >= before + 2).then_some(())
                });
                model.let_go();
                replies.extend([one, other].map(|thread| thread.join().expect("a reply")));
            }),
        }
        settled();
        std::thread::sleep(SPACE);
    }
    replies
}

/// What a reply says that was decided, in the words of `gatectl simulate`.
fn decision(reply: &Reply) -> String {
    let document = reply.json();
    let member = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    match (reply.status, member("limit").as_str(), member("cap").as_str()) {
        (200, ..) => "admitted".to_owned(),
        (429, "rate", _) => "rate-limited".to_owned(),
        (429, "concurrency", _) => "concurrency".to_owned(),
        (429, _, cap @ ("machine" | "plan" | "service")) => format!("{cap}-cap"),
        _ => panic!("{reply:?}"),
    }
}

/// Runs `gatectl` in a folder.
#[track_caller]
fn gatectl(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_gatectl"))
        .args(arguments)
        .arg("--json")
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("gatectl runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{arguments:?}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// The settings as a configuration, without the secrets.
fn write_config(folder: &Path, name: &str, settings: &Settings) {
    let bindings = settings.bindings();
    let vars = bindings.iter().filter(|(name, _)| !name.contains("KEY"));
    let lines: String = vars.map(|(name, value)| format!("{name} = {value:?}\n")).collect();
    std::fs::write(folder.join(name), format!("[vars]\n{lines}")).expect("the configuration is written");
}

/// What is decided about each request of the log under the proposed settings, by request.
fn simulate(folder: &Path, proposed: &Settings) -> BTreeMap<String, String> {
    write_config(folder, "proposed.toml", proposed);
    let report = gatectl(
        folder,
        &[
            "simulate",
            "log.ndjson",
            "--config",
            "proposed.toml",
            "--against",
            "current.toml",
            "--requests",
            "requests.ndjson",
        ],
        &[],
    );
    assert_eq!(report["requests"], report["current"]["admitted"], "{report}");
    let text = std::fs::read_to_string(folder.join("requests.ndjson")).expect("the requests");
    let requests = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let word = |request: &Value, name: &str| request[name].as_str().expect("a word").to_owned();
    requests.map(|request| (word(&request, "request_id"), word(&request, "proposed"))).collect()
}

#[test]
fn the_simulation_decides_as_the_gateway_does() {
    let model = Faulty::start();
    // A model whose price is the same at every hour, and a day that does not end meanwhile.
    let base =
        Settings::new().model_on(model.port()).var("MODEL", "gpt-4o-mini").var("DAY_STARTS_AT", &day().0);
    let loose = base
        .clone()
        .unhurried()
        .var("MACHINE_DAILY_USD", "100")
        .var("DAILY_USD", "1000")
        .var("PLAN_TRUSTED_RATE", "100000/minute")
        .var("PLAN_TRUSTED_BURST", "10000")
        .var("PLAN_TRUSTED_DAILY_USD", "100")
        .var("PLAN_TRUSTED_TOTAL_DAILY_USD", "1000");
    let folder = Folder::new("simulate");
    let folder = folder.path();

    // 1. A run that is recorded.
    let recorded = {
        let gateway = Gateway::start(loose.clone());
        let replies = play(&gateway, &loose, &model);
        for reply in &replies {
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        let token = loose.operator_key().operator_token("exporter");
        let address = gateway.url("");
        let environment = [("OPERATOR_TOKEN", token.as_str()), ("GATECTL_GATEWAY", address.as_str())];
        let exported = gatectl(folder, &["logs", "--export", "log.ndjson"], &environment);
        assert_eq!(exported["records"], replies.len());
        replies
    };
    write_config(folder, "current.toml", &loose);

    // 2. What a request sets aside and costs decides which caps are reached in the middle of it.
    let log = std::fs::read_to_string(folder.join("log.ndjson")).expect("the log");
    let first: Value = serde_json::from_str(log.lines().next().expect("a record")).expect("JSON");
    let (worst, cost) = (nano_usd(&first["reserved_usd"]), nano_usd(&first["cost_usd"]));
    assert!(worst > cost && cost > 0, "{first}");
    let room_for = |halves: u64| usd(worst + cost * halves / 2);
    let tight = base
        .var("MACHINE_RATE", "4/day")
        .var("MACHINE_BURST", "4")
        .var("MACHINE_CONCURRENCY", "1")
        .var("MACHINE_DAILY_USD", &room_for(5))
        .var("PLAN_TRUSTED_RATE", "6/minute")
        .var("PLAN_TRUSTED_BURST", "1")
        .var("PLAN_TRUSTED_TOTAL_DAILY_USD", &room_for(7))
        .var("DAILY_USD", &room_for(27));
    let simulated = simulate(folder, &tight);

    // 3. The same requests at a gateway with the tight settings.
    let gateway = Gateway::start(tight.clone());
    let replies = play(&gateway, &tight, &model);
    assert_eq!(replies.len(), recorded.len());
    let decided: Vec<String> = replies.iter().map(decision).collect();
    let said: Vec<String> = recorded.iter().map(|reply| simulated[reply.request_id()].clone()).collect();
    assert_eq!(said, decided, "the simulation, the gateway");
    for kind in ["admitted", "rate-limited", "concurrency", "machine-cap", "plan-cap", "service-cap"] {
        assert!(decided.iter().any(|decision| decision == kind), "no {kind} in {decided:?}");
    }
}

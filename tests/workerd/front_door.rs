//! The whole way: from a machine's token to an answer, and to the record of it.

use std::io::Write;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::aimock::Aimock;
use crate::support::client::Reply;
use crate::support::credentials::{basic, bearer, unix_seconds};
use crate::support::faulty::Faulty;
use crate::support::gateway::{Gateway, Settings, nano_usd, request_body};
use crate::support::logs::{Record, wait_for_record};
use crate::support::{random_word, raw, wait_for};

/// What pip says when there is no package of that name, as pip-aide sends it.
pub const NO_CV2: &str = "Command: pip install cv2\nExit Code: 1\n\n--- stdout ---\n\n--- stderr ---\n\
    ERROR: Could not find a version that satisfies the requirement cv2 (from versions: none)\n\
    ERROR: No matching distribution found for cv2\n\n\n--- SYSTEM INFO ---\n\
    python_version: 3.11.7\nos_system: Linux\nmachine_type: x86_64\n";

const PROMPT_TOKENS: u64 = 321;
const COMPLETION_TOKENS: u64 = 45;

/// What the model says: one command that may pass and one that may not.
const MODEL_SAYS: &str = "cv2 is the name of the module, not of the package.\n```\npip install opencv-python\n```\n\
    Then clean up.\n```\nrm -rf /\n```\n";

/// A Worker without a model, which answers from its rules.
fn rules() -> Arc<Gateway> {
    static GATEWAY: LazyLock<Arc<Gateway>> = LazyLock::new(|| {
        Gateway::shared(Settings::new().var("MACHINE_RATE", "1/hour").var("MACHINE_BURST", "5"))
    });
    Arc::clone(&GATEWAY)
}

/// A Worker that asks an independent model.
fn model() -> (Arc<Gateway>, &'static Aimock) {
    static MODEL: LazyLock<Aimock> =
        LazyLock::new(|| Aimock::start(MODEL_SAYS, PROMPT_TOKENS, COMPLETION_TOKENS));
    static GATEWAY: LazyLock<Arc<Gateway>> =
        LazyLock::new(|| Gateway::shared(Settings::new().unhurried().model_on(MODEL.port())));
    (Arc::clone(&GATEWAY), &MODEL)
}

/// Checks an answer to an analysis against the contract.
#[track_caller]
fn assert_answer(reply: &Reply, source: &str) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type").map(|value| value.starts_with("application/json")), Some(true));
    let answer = reply.json();
    assert_eq!(answer["source"], source, "{answer}");
    assert_eq!(answer["request_id"], reply.request_id(), "{answer}");
    let cost = nano_usd(&answer["cost_usd"]);
    if source == "model" {
        assert!(cost > 0, "{answer}");
        assert_eq!(answer["model"], "deepseek-chat", "{answer}");
        assert!(answer["usage"].is_object(), "{answer}");
    } else {
        assert_eq!(answer["cost_usd"], "0", "{answer}");
    }
    let commands: Vec<&str> = answer["commands"]
        .as_array()
        .expect("commands is a list")
        .iter()
        .map(|command| command.as_str().expect("a command is text"))
        .collect();
    assert!(answer["withheld"].is_array(), "{answer}");
    let suggestion = answer["suggestion"].as_str().expect("suggestion is text");
    assert_eq!(fenced(suggestion), commands, "each command stands in its own fence: {suggestion}");
    answer
}

/// The commands that pip-aide 1.0.2 takes out of a suggestion, with the number of fences checked.
fn fenced(suggestion: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut inside = 0;
    let mut open = false;
    for line in suggestion.trim().split('\n') {
        if line.starts_with("```") {
            open = !open;
            assert!(open || inside == 1, "a fence holds {inside} commands: {suggestion}");
            inside = 0;
        } else if open {
            inside += 1;
            commands.push(line);
        }
    }
    assert!(!open, "a fence stays open: {suggestion}");
    commands
}

/// Checks a log record against section 6 of the contract.
#[track_caller]
fn assert_record(record: &Record, reply: &Reply, machine: &str, source: &str) {
    assert_eq!(record.text("machine_id"), machine, "{record:?}");
    assert_eq!(record.text("reported_machine_id"), "0x1badcafe", "{record:?}");
    assert_eq!(record.text("request_id"), reply.request_id(), "{record:?}");
    assert_eq!(record.text("plan"), "standard", "{record:?}");
    assert_eq!(record.text("source"), source, "{record:?}");
    for name in ["auth", "outcome", "error_context"] {
        assert!(!record.text(name).is_empty(), "{name}: {record:?}");
    }
    assert!(record.fields["duration_ms"].is_u64(), "{record:?}");
    let answer = reply.json();
    assert_eq!(record.fields["cost_usd"], answer["cost_usd"], "{record:?}");
    assert!(nano_usd(&record.fields["reserved_usd"]) >= nano_usd(&record.fields["cost_usd"]), "{record:?}");
    if source == "model" {
        assert_eq!(record.text("model"), "deepseek-chat", "{record:?}");
        assert_eq!(record.fields["usage"]["prompt_tokens"], PROMPT_TOKENS, "{record:?}");
        assert_eq!(record.fields["usage"]["completion_tokens"], COMPLETION_TOKENS, "{record:?}");
    }
    assert_key(record, machine);
    let month = 30 * 86_400;
    let expiration = record.expiration.unwrap_or_else(|| panic!("no expiration: {record:?}"));
    let expected = unix_seconds() + month;
    assert!(expiration.abs_diff(expected) < 3_600, "expires {expiration}, about {expected} was due");
}

/// `<machine id>:<RFC 3339 with milliseconds in UTC>`.
#[track_caller]
fn assert_key(record: &Record, machine: &str) {
    let timestamp = record.text("timestamp");
    let shape: String = timestamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{record:?}");
    if record.first {
        assert_eq!(record.key, format!("{machine}:{timestamp}"), "{record:?}");
    }
}

#[test]
fn a_rule_answers_by_bearer_and_by_basic_on_both_routes() {
    let gateway = rules();
    for path in ["/analyze_error", "/v1/analyze"] {
        for scheme in ["bearer", "basic"] {
            let machine = format!("rule-{scheme}-{}", random_word());
            let token = gateway.key().token(&machine);
            let authorization = if scheme == "basic" { basic("anyone", &token) } else { bearer(&token) };
            let reply = gateway.post(path, &authorization, &request_body(NO_CV2));
            let answer = assert_answer(&reply, "rules");
            assert_eq!(answer["commands"], json!(["pip install opencv-python"]), "{path} {scheme}");
            assert_eq!(reply.assert_rate_limit("machine"), 4);
            let record = wait_for_record(&gateway, "request_id", reply.request_id());
            assert_record(&record, &reply, &machine, "rules");
            assert!(record.text("error_context").contains("No matching distribution found for cv2"));
        }
    }
}

#[test]
fn new_clients_need_not_report_a_machine_id() {
    let gateway = rules();
    let token = bearer(&gateway.key().token(&format!("quiet-{}", random_word())));
    let body = json!({ "error_context": NO_CV2 }).to_string();
    let reply = gateway.post("/v1/analyze", &token, body.as_bytes());
    assert_answer(&reply, "rules");
    let old = gateway.post("/analyze_error", &token, body.as_bytes());
    old.assert_problem(400, "malformed-request");
}

#[test]
fn what_no_rule_knows_is_uncertain_without_a_model() {
    let gateway = rules();
    let machine = format!("unknown-{}", random_word());
    let reply = gateway.analyze("/analyze_error", &machine, "ERROR: something that nobody has seen before");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    assert!(answer["suggestion"].as_str().expect("text").starts_with("UNCERTAIN"), "{answer}");
    assert_eq!(answer["commands"], json!([]), "{answer}");
}

#[test]
fn the_model_answers_and_its_commands_are_screened() {
    let (gateway, model) = model();
    for path in ["/analyze_error", "/v1/analyze"] {
        let word = random_word();
        let machine = format!("model-{word}");
        let reply = gateway.analyze(path, &machine, &format!("{NO_CV2}\nERROR: {word}"));
        let answer = assert_answer(&reply, "model");
        assert_eq!(answer["commands"], json!(["pip install opencv-python"]));
        assert_eq!(answer["usage"]["prompt_tokens"], PROMPT_TOKENS);
        assert_eq!(answer["usage"]["completion_tokens"], COMPLETION_TOKENS);
        let withheld = answer["withheld"].as_array().expect("a list");
        assert_eq!(withheld.len(), 1, "{answer}");
        // What is withheld may be an attacker's text: it need not be given back word for word.
        let command = withheld[0]["command"].as_str().expect("a command is text");
        assert!(!command.is_empty() && !command.contains("rm -rf"), "{answer}");
        assert!(withheld[0]["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{answer}");
        reply.assert_rate_limit("machine");

        let asked = model.journal_of(&word);
        assert_eq!(asked.len(), 1, "the model was asked once: {asked:?}");
        assert_eq!(asked[0]["path"], "/v1/chat/completions");
        assert_eq!(asked[0]["body"]["model"], "deepseek-chat");
        assert_eq!(asked[0]["body"]["max_tokens"], 150);

        let record = wait_for_record(&gateway, "request_id", reply.request_id());
        assert_record(&record, &reply, &machine, "model");
        let spent = gateway.me(&machine).spent();
        assert_eq!(spent, nano_usd(&answer["cost_usd"]), "the machine is charged what it was told");
    }
}

#[test]
fn secrets_reach_neither_the_model_nor_the_log() {
    let (gateway, model) = model();
    let (word, machine) = (random_word(), format!("secret-{}", random_word()));
    let (password, key) = (format!("pw{}", random_word()), format!("sk-{}{}", random_word(), random_word()));
    let text = format!(
        "Command: pip install {word} --index-url https://me:{password}@pypi.example.com/simple\n\
         Looking in indexes: https://me:{password}@pypi.example.com/simple\n\
         ERROR: {word} OPENAI_API_KEY={key}\n"
    );
    let reply = gateway.analyze("/v1/analyze", &machine, &text);
    assert_answer(&reply, "model");
    let asked = model.journal_of(&word);
    assert_eq!(asked.len(), 1);
    let record = wait_for_record(&gateway, "request_id", reply.request_id());
    for secret in [&password, &key] {
        assert!(!asked[0].to_string().contains(secret.as_str()), "the model saw a secret");
        assert!(!record.fields.to_string().contains(secret.as_str()), "the log has a secret");
        assert!(!reply.text().contains(secret.as_str()), "the answer has a secret");
        assert!(!gateway.output().contains(secret.as_str()), "the Worker printed a secret");
    }
}

#[test]
fn a_client_that_hangs_up_is_charged_and_logged_with_the_real_usage() {
    let model = Faulty::start();
    let gateway = Gateway::start(Settings::new().unhurried().model_on(model.port()));
    let (word, machine) = (random_word(), format!("hung-up-{}", random_word()));
    let authorization = bearer(&gateway.key().token(&machine));
    let body = request_body(&format!("ERROR: nobody knows {word}"));
    let head = format!(
        "POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Authorization: {authorization}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    model.hold();
    let mut stream = raw::connect(gateway.port());
    stream.write_all(&[head.as_bytes(), &body].concat()).expect("the request is sent");
    let asked = wait_for(Duration::from_secs(20), || model.asked_with(&word).into_iter().next())
        .expect("the model is asked");
    drop(stream);
    // Long enough for the Worker to have been told that its client is gone.
    std::thread::sleep(Duration::from_millis(500));
    let reserved = gateway.me(&machine).spent();
    model.let_go();
    let record = wait_for_record(&gateway, "machine_id", &machine);
    assert_eq!(record.fields["usage"]["prompt_tokens"], asked.prompt_tokens, "{record:?}");
    assert_eq!(record.fields["usage"]["completion_tokens"], asked.completion_tokens, "{record:?}");
    let cost = nano_usd(&record.fields["cost_usd"]);
    assert!(cost > 0, "{record:?}");
    let spent = wait_for(Duration::from_secs(20), || {
        let spent = gateway.me(&machine).spent();
        (spent == cost).then_some(spent)
    });
    assert_eq!(spent, Some(cost), "reserved {reserved}, logged {cost}, now {:?}", gateway.me(&machine));
}

#[test]
fn who_asks_again_while_the_first_question_is_under_way_gets_that_answer_for_nothing() {
    let model = Faulty::start();
    let settings = Settings::new().unhurried().model_on(model.port()).var("CACHE_TTL_SECONDS", "600");
    let gateway = Gateway::start(settings);
    let (word, machine) = (random_word(), format!("impatient-{}", random_word()));
    let authorization = bearer(&gateway.key().token(&machine));
    let body = request_body(&format!("ERROR: nobody knows {word}"));
    let head = format!(
        "POST /analyze_error HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Authorization: {authorization}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    model.hold();
    // The first gives up waiting, as pip-aide does after its time limit.
    let mut stream = raw::connect(gateway.port());
    stream.write_all(&[head.as_bytes(), &body].concat()).expect("the request is sent");
    wait_for(Duration::from_secs(20), || (!model.asked_with(&word).is_empty()).then_some(()))
        .expect("the model is asked");
    drop(stream);
    let others = [machine.clone(), machine.clone(), format!("other-{}", random_word())];
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let sent: Vec<_> = others
            .iter()
            .map(|machine| {
                let authorization = bearer(&gateway.key().token(machine));
                let (gateway, body) = (&gateway, &body);
                scope.spawn(move || gateway.post("/v1/analyze", &authorization, body))
            })
            .collect();
        let in_flight = |machine: &str| gateway.me(machine).0["concurrency"]["in_flight"].as_u64();
        let waiting = || in_flight(&machine) == Some(3) && in_flight(&others[2]) == Some(1);
        assert!(wait_for(Duration::from_secs(20), || waiting().then_some(())).is_some());
        std::thread::sleep(Duration::from_millis(500));
        model.let_go();
        sent.into_iter().map(|sent| sent.join().expect("an answer")).collect()
    });
    for reply in &replies {
        assert_answer(reply, "cache");
        assert_eq!(reply.json()["commands"], json!(["pip install opencv-python"]), "{reply:?}");
    }
    assert_eq!(model.asked_with(&word).len(), 1, "the model is asked once");
    assert_eq!(wait_for_record(&gateway, "machine_id", &others[2]).fields["cost_usd"], "0");
}

#[test]
fn the_lights_are_on_without_a_token() {
    let gateway = rules();
    for path in ["/healthz", "/readyz", "/"] {
        let reply = gateway.send("GET", path, &[], None);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert!(!reply.body.is_empty(), "{path}");
    }
}

#[test]
fn a_machine_sees_its_own_limits() {
    let gateway = rules();
    let machine = format!("me-{}", random_word());
    let before = gateway.me(&machine);
    assert_eq!(before.spent(), 0, "{before:?}");
    assert!(before.0.to_string().contains(&machine), "{before:?}");
    assert!(before.0.to_string().contains("standard"), "{before:?}");
    let anonymous = gateway.send("GET", "/v1/me", &[], None);
    anonymous.assert_problem(401, "unauthenticated");
}

//! What operators see of single requests: lines on the console, places in a trace, points for the
//! Analytics Engine; and that none of it tells what a client wrote.

use std::time::Duration;

use serde_json::{Value, json};

use crate::admin_logs::kept;
use crate::front_door::NO_CV2;
use crate::support::client::Reply;
use crate::support::credentials::{Key, bearer};
use crate::support::door::Door as _;
use crate::support::faulty::{Asked, Fault, Faulty};
use crate::support::fleet::{Fleet, Member};
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::overview::Overview;
use crate::support::{random_word, wait_for};

const PATIENCE: Duration = Duration::from_secs(20);

/// The lines that are JSON objects of requests.
fn lines(output: &str) -> Vec<Value> {
    let objects = output
        .lines()
        .filter_map(|line| line.find('{').and_then(|at| serde_json::from_str(&line[at..]).ok()));
    objects.filter(|object: &Value| object["request_id"].is_string()).collect()
}

/// The one line about an answer.
#[track_caller]
fn line_of(output: impl Fn() -> String, reply: &Reply) -> Value {
    let of = || -> Vec<Value> {
        lines(&output()).into_iter().filter(|line| line["request_id"] == reply.request_id()).collect()
    };
    let found = wait_for(PATIENCE, || (!of().is_empty()).then_some(()));
    assert!(found.is_some(), "no line about {reply:?}");
    let mut found = of();
    assert_eq!(found.len(), 1, "{found:?}");
    let line = found.remove(0);
    assert_eq!(line["status"], reply.status, "{line}");
    line
}

#[test]
fn each_request_of_somebody_known_has_one_line() {
    let model = Faulty::start();
    let settings = Settings::new().unhurried().model_on(model.port()).var("RULES", "first");
    let gateway = Gateway::start(settings);
    let machine = format!("told-{}", random_word());
    let console = || gateway.console();
    let word = random_word();

    let reply = gateway.analyze("/v1/analyze", &machine, &format!("ERROR: nobody knows {word}"));
    let asked = &model.asked_with(&word)[0];
    let line = line_of(console, &reply);
    for (name, value) in [
        ("level", json!("info")),
        ("route", json!("POST /v1/analyze")),
        ("machine", json!(machine)),
        ("plan", json!("standard")),
        ("auth", json!("bearer")),
        ("outcome", json!("answered")),
        ("source", json!("model")),
        ("cost_usd", reply.json()["cost_usd"].clone()),
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("openai")),
        ("gen_ai.request.model", json!("deepseek-chat")),
        ("gen_ai.response.model", json!("deepseek-chat")),
        ("gen_ai.usage.input_tokens", json!(asked.prompt_tokens)),
        ("gen_ai.usage.output_tokens", json!(asked.completion_tokens)),
        ("trace_id", json!(reply.request_id())),
    ] {
        assert_eq!(line[name], value, "{name}: {line}");
    }
    assert!(
        line["duration_ms"].is_u64() && line["timestamp"].as_str().is_some_and(|at| at.len() == 24),
        "{line}"
    );

    let reply = gateway.analyze("/analyze_error", &machine, NO_CV2);
    let line = line_of(console, &reply);
    assert_eq!((&line["source"], &line["route"]), (&json!("rules"), &json!("POST /analyze_error")), "{line}");
    assert!(line.get("gen_ai.request.model").is_none(), "{line}");

    let broken = format!("ERROR: {} {}", random_word(), Fault::Garbage.marker());
    let reply = gateway.analyze("/v1/analyze", &machine, &broken);
    reply.assert_problem(502, "upstream-failed");
    let line = line_of(console, &reply);
    assert_eq!(
        (&line["level"], &line["error"]),
        (&json!("error"), &json!("upstream: unusable answer")),
        "{line}"
    );

    let token = bearer(&gateway.key().token(&machine));
    let reply = gateway.post("/v1/analyze", &token, b"{");
    let line = line_of(console, &reply);
    assert_eq!(
        (&line["outcome"], &line["machine"]),
        (&json!("malformed-request"), &json!(machine)),
        "{line}"
    );
    let reply = gateway.send("GET", "/v1/me", &[("Authorization", &token)], None);
    assert_eq!(line_of(console, &reply)["route"], "GET /v1/me");
    let reply = gateway.send("GET", "/admin/ledger", &[("Authorization", &token)], None);
    assert_eq!(line_of(console, &reply)["status"], 403);

    // Strangers, and whatever has no caller.
    let forged = bearer(&Key::random("client-1").token(&machine));
    let strangers = [
        gateway.post("/v1/analyze", &forged, &request_body(NO_CV2)),
        gateway.send("GET", "/v1/me", &[("Authorization", &forged)], None),
        gateway.send("GET", "/admin/ledger", &[], None),
        gateway.send("POST", "/v1/analyze", &[("Content-Type", "text/plain")], Some(b"x")),
        gateway.send("GET", "/nowhere", &[], None),
        gateway.send("GET", "/healthz", &[], None),
    ];
    // What comes after them is told, so they would have been.
    let last = gateway.analyze("/v1/analyze", &machine, NO_CV2);
    line_of(console, &last);
    let told = lines(&gateway.console());
    for reply in &strangers {
        assert!(!told.iter().any(|line| line["request_id"] == reply.request_id()), "{reply:?}");
    }
    for secret in
        [&token["Bearer ".len()..], &forged["Bearer ".len()..], gateway.api_key(), &word, "nobody knows"]
    {
        assert!(!gateway.console().contains(secret), "the console tells {secret}");
    }
}

#[test]
fn who_is_turned_away_again_and_again_does_not_fill_the_console() {
    let settings = Settings::new().var("MACHINE_RATE", "1/hour").var("MACHINE_BURST", "1");
    let gateway = Gateway::start(settings);
    let token = bearer(&gateway.key().token("insistent"));
    let statuses: Vec<u16> =
        (0..150).map(|_| gateway.post("/v1/analyze", &token, &request_body(NO_CV2)).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 149);
    // An admitted one is told whatever came before, and tells how many were not.
    let admitted = gateway.analyze("/v1/analyze", "another", NO_CV2);
    let line = line_of(|| gateway.console(), &admitted);
    let refused = lines(&gateway.console()).iter().filter(|line| line["outcome"] == "rate-limited").count();
    let left_out = line["lines_left_out"].as_u64().unwrap_or(0);
    // Two minutes' worth, should they begin in one and end in the next.
    assert!((60..=120).contains(&refused), "{refused} lines");
    assert!(left_out > 0 && refused as u64 + left_out == 149, "{refused} lines, {left_out} left out");
}

/// What the model was told of a request with these headers.
#[track_caller]
fn traced(gateway: &Gateway, model: &Faulty, headers: &[(&str, &str)]) -> (Reply, Asked) {
    let word = random_word();
    let token = bearer(&gateway.key().token("traced"));
    let mut all = vec![("Authorization", token.as_str()), ("Content-Type", "application/json")];
    all.extend(headers);
    let body = request_body(&format!("ERROR: nobody knows {word}"));
    let reply = gateway.send("POST", "/v1/analyze", &all, Some(&body));
    assert_eq!(reply.status, 200, "{reply:?}");
    (reply, model.asked_with(&word).remove(0))
}

#[test]
fn the_upstream_hears_of_the_callers_trace() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";
    let model = Faulty::start();
    let gateway = Gateway::start(Settings::new().unhurried().model_on(model.port()));
    let mut spans = Vec::new();
    for flags in ["00", "01"] {
        let parent = format!("00-{TRACE}-{PARENT}-{flags}");
        let headers = [("traceparent", parent.as_str()), ("tracestate", "rojo=1, congo=t61rcWkgMzE")];
        let (reply, asked) = traced(&gateway, &model, &headers);
        let (passed, state) = (asked.trace.0.expect("a traceparent"), asked.trace.1);
        let line = line_of(|| gateway.console(), &reply);
        let span = line["span_id"].as_str().expect("a span").to_owned();
        assert_eq!(passed, format!("00-{TRACE}-{span}-{flags}"));
        assert_eq!(
            (line["trace_id"].as_str(), state.as_deref()),
            (Some(TRACE), Some("rojo=1,congo=t61rcWkgMzE"))
        );
        assert!(span != PARENT && !spans.contains(&span), "a span of its own: {span}");
        spans.push(span);
    }
    // None, or none that counts: one begins with the request, and says nothing of the client's.
    for headers in [
        vec![],
        vec![("tracestate", "rojo=1")],
        vec![
            ("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
            ("tracestate", "rojo=1"),
        ],
        vec![("traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
        vec![("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")],
    ] {
        let (reply, asked) = traced(&gateway, &model, &headers);
        let passed = asked.trace.0.expect("a traceparent");
        assert!(
            passed.starts_with(&format!("00-{}-", reply.request_id())) && passed.ends_with("-01"),
            "{passed}"
        );
        assert_eq!(asked.trace.1, None, "{headers:?}");
    }
}

fn points(worker: Member) -> Vec<Value> {
    let reply = Reply::of("GET", &worker.url("/points"), &[], None).expect("an answer");
    reply.json().as_array().cloned().expect("a list")
}

#[test]
fn where_the_analytics_engine_is_bound_it_gets_a_point_and_where_it_fails_nobody_notices() {
    let model = Faulty::start();
    let settings = Settings::new().unhurried().model_on(model.port());
    let bound = settings.clone().var("POINTS", "yes");
    let failing = bound.clone().var("POINTS_FAIL", "yes");
    let fleet = Fleet::start_behind(
        Some("observed.mjs"),
        &[("bound", bound), ("failing", failing), ("unbound", settings.clone())],
    );
    let token = bearer(&settings.key().token("pointed"));
    let ask = |name: &str| {
        fleet.member(name).post("/v1/analyze", &token, &request_body("ERROR: nobody knows planted"))
    };
    let (answer, worker) = (ask("bound"), fleet.member("bound"));
    assert_eq!(answer.status, 200);
    let found = wait_for(PATIENCE, || (!points(worker).is_empty()).then_some(()));
    assert!(found.is_some(), "no point comes");
    let [point] = points(worker).try_into().expect("one point");
    let asked = model.asked().remove(0);
    assert_eq!(point["indexes"], json!(["pointed"]));
    let blobs = ["POST /v1/analyze", "answered", "model", "standard", "bearer", "deepseek-chat", "openai"];
    assert_eq!(point["blobs"], json!(blobs));
    let cost: f64 = answer.json()["cost_usd"].as_str().and_then(|cost| cost.parse().ok()).expect("a number");
    let doubles = point["doubles"].as_array().expect("a list");
    assert!((doubles[0].as_f64().expect("a cost") - cost).abs() < 1e-12 && cost > 0.0, "{point} {cost}");
    assert_eq!(
        doubles[2..],
        [json!(200), json!(asked.prompt_tokens), json!(asked.completion_tokens)],
        "{point}"
    );

    // A stranger leaves none.
    worker.post("/v1/analyze", "Bearer x", &request_body(NO_CV2)).assert_problem(401, "unauthenticated");
    assert_eq!(ask("bound").status, 200);
    assert!(
        wait_for(PATIENCE, || (points(worker).len() == 2).then_some(())).is_some(),
        "{:?}",
        points(worker)
    );
    assert_eq!(points(worker)[1]["doubles"][2], 200);
    for name in ["failing", "unbound"] {
        assert_eq!(ask(name).status, 200, "{name}");
        assert_eq!(points(fleet.member(name)), Vec::<Value>::new());
    }
    let told = wait_for(PATIENCE, || fleet.output().contains("ANALYTICS took no point").then_some(()));
    assert!(told.is_some(), "the console does not say that no point was taken");
    let rest = Overview::at_rest(&worker, &settings, Duration::from_secs(60));
    assert_eq!(rest.total("open_reservations"), 0);
}

#[test]
fn where_no_text_is_to_be_kept_none_is() {
    let model = Faulty::start();
    let settings = Settings::new().unhurried().model_on(model.port()).var("LOG_ERROR_CONTEXT", "off");
    let fleet =
        Fleet::start_behind(Some("observed.mjs"), &[("worker", settings.clone().var("POINTS", "yes"))]);
    let worker = fleet.member("worker");
    let token = bearer(&settings.key().token("silent"));
    // In the text, in what the client says of itself, in headers; answered, failed, and malformed.
    let words: Vec<String> = (0..6).map(|number| format!("planted{number}{}", random_word())).collect();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let state = format!("planted={}", words[0]);
    let headers = [
        ("Authorization", token.as_str()),
        ("Content-Type", "application/json"),
        ("User-Agent", words[1].as_str()),
        ("traceparent", parent),
        ("tracestate", &state),
    ];
    let mut ids = Vec::new();
    for marker in [Fault::None.marker(), Fault::Garbage.marker()] {
        let body = json!({
            "machine_id": words[2],
            "error_context": format!("Command: pip install {}\nERROR: {} {marker}", words[3], words[4]),
        });
        let reply = worker.send("POST", "/v1/analyze", &headers, Some(body.to_string().as_bytes()));
        ids.push(reply.request_id().to_owned());
    }
    let malformed = format!("{{\"machine_id\": 7, \"{}\": 1", words[5]);
    worker
        .send("POST", "/v1/analyze", &headers, Some(malformed.as_bytes()))
        .assert_problem(400, "malformed-request");
    assert!(model.asked_with(&words[4]).len() == 2, "the model does hear of it");

    let operator = bearer(&settings.operator_key().operator_token("reader"));
    let logs = || worker.send("GET", "/admin/logs", &[("Authorization", &operator)], None);
    let shown = wait_for(Duration::from_secs(60), || {
        let shown = ids.iter().all(|id| {
            logs().text().contains(id) && kept(worker).iter().any(|entry| entry.to_string().contains(id))
        });
        shown.then_some(())
    });
    assert!(shown.is_some(), "the records do not come: {:?}", logs());
    let told = wait_for(PATIENCE, || (lines(&fleet.output()).len() >= 3).then_some(()));
    assert!(told.is_some(), "no lines: {}", fleet.output());
    for entry in kept(worker) {
        for line in entry["value"].as_str().expect("text").lines() {
            let record: Value = serde_json::from_str(line).expect("JSON");
            assert!(
                record.get("error_context").is_none() && record["reported_machine_id"].is_null(),
                "{record}"
            );
        }
        assert!(entry["metadata"].is_object(), "{entry}");
    }
    let places = [
        ("KV", Value::from(kept(worker)).to_string()),
        ("the route", logs().text()),
        ("the console", fleet.output()),
        ("the points", Value::from(points(worker)).to_string()),
        ("the ledger", Overview::of(&worker, &settings).0.to_string()),
    ];
    for (place, text) in &places {
        for word in &words {
            assert!(!text.contains(word.as_str()), "{place} has {word}");
        }
    }
    // What is stored of it on the way, too.
    fleet.crash();
    assert!(!files(&fleet.storage()).is_empty());
    for file in files(&fleet.storage()) {
        let bytes = std::fs::read(&file).expect("a file");
        for word in &words {
            assert!(!contains(&bytes, word.as_bytes()), "{} has {word}", file.display());
        }
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

//! What the pure steps of a request cost on this machine.
//!
//! `cargo bench --bench steps` times them (criterion). `make instructions` counts their instructions under
//! callgrind and holds them against `benches/instructions.toml`: a count says the same on every machine.
#![cfg_attr(target_arch = "wasm32", no_main)]
#![cfg(not(target_arch = "wasm32"))]

#[path = "../tests/ledger_support/mod.rs"]
mod ledger_support;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/token_support/requests.rs"]
mod requests;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/token_support/tokens.rs"]
mod tokens;

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use ledger_support::{ENDED, Objects};
use pip_aide_gateway::analysis::proposal::Proposal;
use pip_aide_gateway::analysis::redact::redact;
use pip_aide_gateway::analysis::screen::{Source, screen};
use pip_aide_gateway::analysis::{facts, rules, trim};
use pip_aide_gateway::ledger::wire::{Admission, Charge, Command, Credential, Message, Outcome, Settlement};
use pip_aide_gateway::policy::day::DayStart;
use pip_aide_gateway::policy::limits::{Limits, parse_rate};
use pip_aide_gateway::policy::plans::Plan;
use pip_aide_gateway::token::signature_base::{self, signature_base};
use pip_aide_gateway::units::{NanoUsd, UnixMillis};

const HEAD: &str = "Command: pip install fastlanes-codec==0.4.2 httpx\nExit Code: 1\n\n--- stdout ---\n\
    Collecting fastlanes-codec==0.4.2\n  Downloading fastlanes_codec-0.4.2.tar.gz (188 kB)\n";
const TAIL: &str = "\n--- stderr ---\n  error: subprocess-exited-with-error\n  \n      Traceback (most recent call last):\n\
    \x20       File \"/tmp/build-env-k2x1/lib/python3.11/site-packages/setuptools/build_meta.py\", line 410, in build_wheel\n\
    \x20     fastlanes.errors.LayoutError: lane count 0 does not divide the block of 1024 values\n      [end of output]\n\
    ERROR: Could not build wheels for fastlanes-codec, which is required to install pyproject.toml-based projects\n\n\
    --- SYSTEM INFO ---\npython_version: 3.11.7\nos_system: Linux\nmachine_type: x86_64\n\
    pip_version: pip 24.0 from /home/dev/service/.venv/lib/python3.11/site-packages/pip (python 3.11)\n";

/// The failure of a build that compiled until it had printed so many bytes.
fn log(bytes: usize) -> String {
    let mut text = HEAD.to_owned();
    for block in 0.. {
        if text.len() + TAIL.len() >= bytes {
            break;
        }
        text.push_str(&format!(
            "  cc -O2 -fPIC -Isrc/include -c src/lanes/block_{block}.c -o build/temp/block_{block}.o\n"
        ));
    }
    text + TAIL
}

fn limits() -> Limits {
    let plan = Plan {
        quota: parse_rate("1000/second", 1_000).expect("a rate"),
        concurrency: 1_000,
        machine_daily: NanoUsd::from_nanos(1_000_000_000_000),
        total_daily: None,
    };
    Limits {
        plans: [("standard".to_owned(), plan)].into(),
        service_daily: NanoUsd::from_nanos(1_000_000_000_000_000),
        day: DayStart::parse("00:00Z").expect("a day"),
        enrolment_difficulty: 18,
        shards: 1,
    }
}

/// One admission and its settlement in dense traffic, as the shard's object carries them out.
fn ledger() -> impl FnMut() {
    let mut objects = Objects::new(limits());
    let mut number = 0_u64;
    let mut pair = move || {
        number += 1;
        let now = UnixMillis::from_millis(1_795_478_400_000 + number * 5);
        let (id, subject) = (format!("r{number}"), format!("m{}", number % 200));
        let admission = Admission {
            id: id.clone(),
            subject: subject.clone(),
            plan: "standard".to_owned(),
            credential: Credential::default(),
            worst: NanoUsd::from_nanos(2_000_000),
            lifetime_ms: 35_000,
            level: None,
        };
        let outcome = objects.send(&subject, Command::Admit(admission), now);
        let Outcome::Admitted { shard, .. } = outcome else { panic!("{outcome:?}") };
        let charge = Charge::Actual(NanoUsd::from_nanos(200_000));
        let settlement = Settlement { id, subject, charge, shard, record: None, ended: Some(ENDED) };
        objects.exchange(Message { to: 0, of: 1, settled: vec![settlement], ..Message::default() }, now);
    };
    // All machines are known, and storage is told ahead: most pairs then write nothing.
    (0..400).for_each(|_| pair());
    pair
}

type Step = Box<dyn FnMut()>;

/// Every step, ready to be made again and again.
fn steps() -> Vec<(&'static str, Step)> {
    let token = tokens::seal(tokens::HEADER, &tokens::claims().to_string());
    let signed = requests::Request::new().seal(
        requests::COVERED,
        &format!(r#";created={};keyid="new:machine-1";alg="hmac-sha256";nonce="n-1""#, requests::NOW),
    );
    let (small, large) = (log(3_000), log(200_000));
    let (text, long) = (redact(&small), redact(&large));
    let found = facts::read(&text);
    let proposal = Proposal {
        explanation: "The package has another name.".to_owned(),
        commands: vec![
            "pip install --no-cache-dir 'fastlanes-codec==0.4.1' httpx".to_owned(),
            "pip install -i https://example.org/simple httpx".to_owned(),
            "rm -rf ~/.cache".to_owned(),
        ],
    };
    vec![
        ("verify a token", Box::new(move || drop(black_box(tokens::verify(&token))))),
        ("write a signature base", {
            let message = signature_base::Message {
                method: "POST",
                scheme: "https",
                authority: "gateway.example",
                path: "/v1/analyze",
                query: None,
                header: |_: &str| Some("sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:".to_owned()),
                has_body: true,
            };
            let covered = ["@method", "@authority", "@target-uri", "content-digest"];
            Box::new(move || drop(black_box(signature_base(&message, &covered, "(\"@method\")"))))
        }),
        ("verify a signed request", Box::new(move || drop(black_box(signed.verify())))),
        ("admit and settle", Box::new(ledger())),
        ("redact 3 KB", Box::new(move || drop(black_box(redact(&small))))),
        ("redact 200 KB", Box::new(move || drop(black_box(redact(&large))))),
        ("read facts and rules, 3 KB", {
            Box::new(move || {
                let facts = facts::read(&text);
                drop(black_box(rules::consult(&facts, &text)));
            })
        }),
        ("trim 200 KB", Box::new(move || drop(black_box(trim::trim(&long, 16_384))))),
        (
            "screen three commands",
            Box::new(move || drop(black_box(screen(&proposal, &found, Source::Model)))),
        ),
    ]
}

/// A frame of its own, for the profiler to start and stop at.
#[inline(never)]
fn measured(step: &mut Step) {
    step();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == "--count") {
        let name = arguments.get(1).expect("the name of a step");
        let mut steps = steps();
        let (_, step) = steps.iter_mut().find(|(known, _)| known == name).expect("there is such a step");
        // What is made once, tables for instance, is made before.
        (0..50).for_each(|_| step());
        measured(step);
        return;
    }
    if arguments.iter().any(|argument| argument == "--names") {
        steps().iter().for_each(|(name, _)| println!("{name}"));
        return;
    }
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for (name, mut step) in steps() {
        criterion.bench_function(name, |bencher| bencher.iter(&mut step));
    }
    criterion.final_summary();
}

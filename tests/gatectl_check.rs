//! `gatectl check`: the shipped configuration passes, and each broken one is named with its place.

#![cfg(not(target_arch = "wasm32"))]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pip_aide_gateway::token::keys::render_entry;
use serde_json::Value;

/// A folder with copies of the shipped files, which a test may break.
struct Project(PathBuf);

impl Project {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gatectl-check-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        copy(Path::new("policies"), &folder.join("policies"));
        std::fs::copy("wrangler.toml", folder.join("wrangler.toml")).unwrap();
        Self(folder)
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).unwrap()
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).unwrap();
    }

    /// Runs the check in the folder.
    fn check(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gatectl"))
            .arg("check")
            .args(arguments)
            .current_dir(&self.0)
            .env_clear()
            .output()
            .unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).unwrap();
        }
    }
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// The first line that begins with `needle`, from 1.
fn line_of(text: &str, needle: &str) -> usize {
    let text = format!("\n{text}");
    let before = text.split_once(&format!("\n{needle}")).unwrap_or_else(|| panic!("{needle:?} is nowhere")).0;
    before.matches('\n').count() + 1
}

#[test]
fn the_shipped_configuration_passes() {
    let project = Project::new("shipped");
    let output = project.check(&[]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(stdout(&output), "the configuration is right\n");
    // The ids are placeholders, which is said, and is a fault before a deploy.
    let line = line_of(&project.read("wrangler.toml"), "id = \"000");
    let place = format!(
        "wrangler.toml:{line}: id = \"00000000000000000000000000000000\" of LOGS_KV is a placeholder"
    );
    assert!(stderr(&output).starts_with(&place), "{}", stderr(&output));
    let output = project.check(&["--deploy"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with(&place), "{}", stdout(&output));

    let output = project.check(&["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["ok"], report["faults"].as_array().unwrap().len()), (&Value::Bool(true), 0));
    assert_eq!(report["notes"][0]["line"], line);
}

/// What is replaced in `wrangler.toml` by what, the text on whose line the fault is afterwards, and
/// what is said there.
#[rustfmt::skip]
const BROKEN: &[(&str, &str, &str, &str)] = &[
    // Settings, by the Worker's own reader.
    ("MACHINE_RATE = \"6/minute\"", "MACHINE_RATE = \"6 per minute\"", "MACHINE_RATE = ", "MACHINE_RATE = \"6 per minute\" must be N/second, N/minute, N/hour or N/day"),
    ("MACHINE_RATE = \"6/minute\"", "MACHINE_RATES = \"6/minute\"", "MACHINE_RATES", "did you mean MACHINE_RATE?"),
    ("MACHINE_BURST = \"3\"", "MACHINE_BURST = 3", "MACHINE_BURST", "MACHINE_BURST = 3 must be a string: write the value in quotes"),
    ("MACHINE_BURST = \"3\"", "MACHINE_BURST = \"0\"", "MACHINE_BURST", "MACHINE_BURST = \"0\" must be a whole number from 1"),
    ("MACHINE_DAILY_USD = \"0.05\"", "MACHINE_DAILY_USD = \"$0.05\"", "MACHINE_DAILY_USD", "must be dollars as a plain decimal"),
    ("MACHINE_CONCURRENCY = \"2\"", "MACHINE_CONCURRENCY = \"two\"", "MACHINE_CONCURRENCY", "must be a whole number from 1 to 10000"),
    ("\nDAILY_USD = \"5.00\"", "\nDAILY_USD = \"5,00\"", "DAILY_USD = \"5,00\"", "DAILY_USD = \"5,00\" must be dollars"),
    ("\nDAILY_USD = \"5.00\"", "\nDAYLY_USD = \"5.00\"", "DAYLY_USD", "is no setting; did you mean DAILY_USD?"),
    ("DAY_STARTS_AT = \"00:00Z\"", "DAY_STARTS_AT = \"00:00\"", "DAY_STARTS_AT", "must be HH:MM and Z or an offset"),
    ("LIMIT_STORE = \"durable_object\"", "LIMIT_STORE = \"redis\"", "LIMIT_STORE = ", "must be one of: durable_object, kv"),
    ("LIMIT_STORE = \"durable_object\"", "LIMIT_STORE = \"kv\"", "[[kv_namespaces]]", "LIMITS_KV is missing: LIMIT_STORE is kv"),
    ("SHARDS = \"1\"", "SHARDS = \"49\"", "SHARDS = ", "must be a whole number from 1 to 48"),
    ("\nDAILY_USD = \"5.00\"", "\ndaily_usd = \"5.00\"", "daily_usd = ", "is no setting; did you mean DAILY_USD?"),
    ("# PLAN_TRUSTED_RATE = \"30/minute\"", "plan_trusted_rate = \"30/minute\"", "plan_trusted_rate", "is no setting; did you mean PLAN_TRUSTED_RATE?"),
    ("# PLAN_TRUSTED_RATE = \"30/minute\"", "PLAN_TRUSTD_RATE = \"30/minute\"", "PLAN_TRUSTD_RATE", "needs all four; did you mean trusted?"),
    ("# PLAN_TRUSTED_RATE = \"30/minute\"", "PLAN_TRUSTED_RATES = \"30/minute\"", "PLAN_TRUSTED_RATES", "is no setting; did you mean PLAN_TRUSTED_RATE?"),
    ("MODEL = \"deepseek-chat\"", "MODEL = \"deepseek-flsh\"", "MODEL = ", "set a model that has one; did you mean deepseek-flash?"),
    ("SHARDS = \"1\"", "SHARD = \"1\"", "SHARD = ", "is no setting; did you mean SHARDS?"),
    ("ANONYMOUS = \"off\"", "ANONYMOUS = \"on\"", "ANONYMOUS", "must be one of: off, limited"),
    ("ENROLLMENT_DIFFICULTY = \"18\"", "ENROLMENT_DIFFICULTY = \"18\"", "ENROLMENT_DIFFICULTY", "did you mean ENROLLMENT_DIFFICULTY?"),
    ("ENROLLMENT = \"proof_of_work\"", "ENROLLMENT = \"proof-of-work\"", "ENROLLMENT = ", "must be one of: proof_of_work, off"),
    ("TOKEN_TTL_DAYS = \"30\"", "TOKEN_TTL_DAYS = \"30d\"", "TOKEN_TTL_DAYS", "must be a whole number from 1 to 3650"),
    ("# JWKS_URL", "JWKS_URL", "JWKS_URL", "JWT_ISSUER is missing: an identity provider needs"),
    ("UPSTREAM_TIMEOUT_MS = \"25000\"", "UPSTREAM_TIMEOUT_MS = \"60000\"", "UPSTREAM_TIMEOUT_MS", "must be a whole number from 100 to 28000"),
    ("RULES = \"first\"", "RULES = \"always\"", "RULES = ", "must be one of: first, fallback, off"),
    ("LOG_ERROR_CONTEXT = \"redacted\"", "LOG_ERROR_CONTEXT = \"full\"", "LOG_ERROR_CONTEXT = ", "must be one of: redacted, off"),
    ("CORS_ORIGINS = \"\"", "CORS_ORIGINS = \"*\"", "CORS_ORIGINS", "must be origins like https://example.org"),
    ("API_BASE = \"https://api.deepseek.com/v1\"", "API_BASE = \"http://api.deepseek.com/v1\"", "API_BASE = ", "must be an https URL"),
    ("MODEL = \"deepseek-chat\"", "MODEL = \"deepseek-chatt\"", "MODEL = ", "MODEL = \"deepseek-chatt\" has no price in policies/prices.toml"),
    ("# PLAN_TRUSTED_RATE = \"30/minute\"", "PLAN_GOLD_RATE = \"30/minute\"", "PLAN_GOLD_RATE", "PLAN_GOLD_BURST is missing: a plan that policies/plans.toml does not have needs all four"),
    ("# PLAN_TRUSTED_RATE = \"30/minute\"", "PLAN_STANDARD_RATE = \"30/minute\"", "PLAN_STANDARD_RATE", "plan standard is set by MACHINE_RATE"),
    ("MODEL = \"deepseek-chat\"", "MODEL = \"deepseek-chat\"\nMODEL = \"x\"", "MODEL = \"x\"", "not TOML: duplicate key"),
    ("MODEL = \"deepseek-chat\"", "MODEL = \"deepseek-chat", "MODEL = \"deepseek-chat\n", "not TOML"),
    ("\n[vars]\n", "\n[var]\n", "[var]\n", "var is no key of Wrangler's; did you mean vars?"),
    ("send_metrics = false", "DAILY_USD = \"9.00\"", "DAILY_USD = \"9.00\"", "stands outside of [vars], where nothing reads it"),
    // Bindings and what Wrangler needs.
    ("name = \"pip-aide-gateway\"", "name = \"Pip Aide\"", "name = \"Pip Aide\"", "must be the Worker's name"),
    ("main = \"build/index.js\"", "main = \"build/worker/shim.mjs\"", "main = ", "must be \"build/index.js\", which `make build` writes"),
    ("main = \"build/index.js\"\n", "", "# An ordinary", "main is missing"),
    ("compatibility_date = \"2026-04-20\"", "compatibility_date = 2026-04-20", "compatibility_date", "compatibility_date = 2026-04-20 must be a date in quotes"),
    ("compatibility_date = \"2026-04-20\"", "compatibility_date = \"2026-02-30\"", "compatibility_date", "must be a date in quotes"),
    ("compatibility_date = \"2026-04-20\"", "compatibility_date = \"2999-01-01\"", "compatibility_date", "not to come"),
    ("compatibility_date", "compatability_date", "compatability_date", "did you mean compatibility_date?"),
    ("name = \"LEDGER\"", "name = \"LEGDER\"", "[[durable_objects.bindings]]", "LEDGER is missing: bind class Ledger to it under [[durable_objects.bindings]]; did you mean LEGDER?"),
    ("class_name = \"Ledger\"", "class_name = \"ledger\"", "class_name", "class_name = \"ledger\" must be \"Ledger\""),
    ("new_sqlite_classes", "new_classes", "new_classes", "must not have \"Ledger\": the ledger needs SQLite"),
    ("new_sqlite_classes = [\"Ledger\"]", "new_sqlite_classes = [\"Leger\"]", "[[migrations]]", "must make the class once"),
    ("new_sqlite_classes = [\"Ledger\"]", "new_sqlite_classes = [\"Ledger\"]\n[[migrations]]\ntag = 'v1'", "tag = 'v1'", "stands twice"),
    ("binding = \"LOGS_KV\"", "binding = \"LOG_KV\"", "binding = \"LOG_KV\"", "LOGS_KV is missing: the log is kept there; bind a KV namespace to it under [[kv_namespaces]]; did you mean LOG_KV?"),
    ("id = \"00000000000000000000000000000000\"", "id = \"<your id>\"", "id = \"<", "of LOGS_KV must be 32 hexadecimal digits"),
];

#[test]
fn each_broken_configuration_is_named_with_its_place() {
    let project = Project::new("broken");
    let shipped = project.read("wrangler.toml");
    for (from, to, at, words) in BROKEN {
        let broken = shipped.replacen(from, to, 1);
        assert_ne!(broken, shipped, "{from:?} is not in wrangler.toml any more");
        project.write("wrangler.toml", &broken);
        let output = project.check(&[]);
        assert_eq!(output.status.code(), Some(1), "{to}: {}", stderr(&output));
        let place = format!("wrangler.toml:{}: ", line_of(&broken, at));
        let found = stdout(&output).lines().any(|line| line.starts_with(&place) && line.contains(words));
        assert!(found, "{to}: no {place}{words} in\n{}", stdout(&output));
    }
    assert!(BROKEN.len() >= 30);
}

#[test]
fn all_faults_are_told_at_once_and_a_right_one_is_told_once() {
    let project = Project::new("several");
    let broken = project
        .read("wrangler.toml")
        .replace("6/minute", "six")
        .replace("RULES = \"first\"", "RULES = \"x\"")
        .replace("\"LEDGER\"", "\"LEDGERS\"");
    project.write("wrangler.toml", &broken);
    project
        .write("policies/plans.toml", &project.read("policies/plans.toml").replace("\"2/minute\"", "\"2\""));
    let output = project.check(&["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> =
        report["faults"].as_array().unwrap().iter().map(|fault| fault["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["", "LEDGER", "MACHINE_RATE", "RULES"], "{report}");
    assert_eq!(report["ok"], false);
}

#[test]
fn a_fault_in_a_policy_is_named_with_its_place() {
    #[rustfmt::skip]
    let cases = [
        ("plans.toml", "rate = \"30/minute\"", "rate = \"30/fortnight\"", "rate = \"30/f", "is not N/second, N/minute, N/hour or N/day"),
        ("plans.toml", "[plan.trusted]", "[plan.standard]", "[plan.standard]", "its values are the MACHINE_* settings"),
        ("plans.toml", "[plan.anonymous]", "[plan.nobody]", "# The plans", "there is no plan \"anonymous\""),
        ("plans.toml", "burst = \"10\"", "bursts = \"10\"", "bursts = ", "unknown field `bursts`"),
        ("prices.toml", "cached_input = 3\n", "cached_input = 300\n", "[[model.price]]", "cached_input is dearer than input"),
        ("prices.toml", "output = 600", "output = \"600\"", "output = \"600\"", "invalid type"),
        ("upstreams.toml", "model = \"gpt-4o-mini\"", "model = \"gpt-5o\"", "[[upstream]]", "its model has no price in prices.toml"),
        ("upstreams.toml", "https://api.openai.com", "http://api.openai.com", "[[upstream]]", "api_base must be an https URL"),
        ("commands.toml", "most_commands = 5", "most_commands = 500", "most_commands", "most_commands is 1 to 20"),
        ("commands.toml", "name = \"--user\"", "name = \"--target\"", "[[option]]\nname = \"--target\"", "--target must not be allowed"),
        ("redaction.toml", "\"oldpwd\"", "\"OldPwd\"", "harmless", "is not a lower-case word"),
        ("rules/1-command.toml", "{option}\"]", "{flag}\"]", "[[rule]]", "takes {flag}, which is not a kind of part"),
        ("rules/imports.toml", "\"opencv-python\"", "\"opencv-pythn\"", "cv = ", "is not in packages.txt"),
        ("packages.txt", "\nrequests\n", "\nRequests\n", "Requests", "is not a normalised name"),
    ];
    for (file, from, to, at, words) in cases {
        let project = Project::new("policies");
        let file = format!("policies/{file}");
        let right = project.read(&file);
        let broken = right.replacen(from, to, 1);
        assert_ne!(broken, right, "{from:?} is not in {file} any more");
        project.write(&file, &broken);
        let output = project.check(&[]);
        assert_eq!(output.status.code(), Some(1), "{to}");
        let line = line_of(&broken, at);
        let place = format!("{file}:{line}: ");
        let found = stdout(&output).lines().any(|line| line.starts_with(&place) && line.contains(words));
        assert!(found, "{to}: no {place}{words} in\n{}", stdout(&output));
    }
    // Right ones that are others than this program knows: the settings were read with the wrong ones.
    let project = Project::new("policies");
    project
        .write("policies/plans.toml", &project.read("policies/plans.toml").replace("\"0.50\"", "\"0.60\""));
    let output = project.check(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("other policies than this program was built with"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn an_environment_is_checked_by_itself() {
    let project = Project::new("environments");
    let shipped = project.read("wrangler.toml");
    let trial = "\n[env.trial]\n[env.trial.vars]\nDAILY_USD = \"1\"\n\
                   [[env.trial.durable_objects.bindings]]\nname = \"LEDGER\"\nclass_name = \"Ledger\"\n\
                   [[env.trial.kv_namespaces]]\nbinding = \"LOGS_KV\"\nid = \"0123456789abcdef0123456789abcdef\"\n";
    let right = format!("{shipped}{trial}");
    project.write("wrangler.toml", &right);
    for arguments in [&["--env", "trial", "--deploy"][..], &[]] {
        let output = project.check(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    }
    for (from, to, at, words) in [
        ("DAILY_USD = \"1\"", "DAILY_USD = \"one\"", "DAILY_USD = \"one\"", "must be dollars"),
        (
            "[env.trial.vars]\nDAILY_USD = \"1\"\n",
            "",
            "[env.trial]",
            "env.trial.vars is missing: an environment does not take over [vars]",
        ),
        (
            "binding = \"LOGS_KV\"\nid = \"0123",
            "binding = \"LOGS\"\nid = \"0123",
            "binding = \"LOGS\"",
            "LOGS_KV is missing",
        ),
        (
            "[[env.trial.durable_objects.bindings]]\nname = \"LEDGER\"\nclass_name = \"Ledger\"\n",
            "",
            "[env.trial]",
            "bind class Ledger to it under [[env.trial.durable_objects.bindings]]",
        ),
        (
            "[env.trial]\n",
            "[env.trial]\nRULES = \"off\"\n",
            "RULES = \"off\"",
            "stands outside of [env.trial.vars]",
        ),
    ] {
        let broken = right.replacen(from, to, 1);
        assert_ne!(broken, right);
        project.write("wrangler.toml", &broken);
        let output = project.check(&["--env", "trial"]);
        assert_eq!(output.status.code(), Some(1), "{to}");
        let place = format!("wrangler.toml:{}: ", line_of(&broken, at));
        let found = stdout(&output).lines().any(|line| line.starts_with(&place) && line.contains(words));
        assert!(found, "{to}: no {place}{words} in\n{}", stdout(&output));
        // It is not the top level's fault.
        let top = project.check(&[]);
        assert_eq!(top.status.code(), Some(0), "{to}");
        let place = format!("wrangler.toml:{}: env is not looked at: ", line_of(&broken, "[env."));
        let noted = stderr(&top).lines().any(|line| line.contains(&place) && line.contains("trial"));
        assert!(noted, "{place} {}", stderr(&top));
    }
    let output = project.check(&["--env", "trail"]);
    assert!(
        stdout(&output).contains("env.trail is no environment; did you mean trial?"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn secrets_are_checked_and_never_printed() {
    let project = Project::new("secrets");
    let (a, b) = (render_entry("a", &[1; 32]), render_entry("b", &[2; 32]));
    let (key_a, key_b) = (&a[2..], &b[2..]);
    let api_key = "sk-0123456789abcdef0123456789";
    let right = format!("# Keys\nTOKEN_KEYS={a}\nOPERATOR_KEYS=\"{b}\"\nAPI_KEY={api_key}\n");
    project.write(".dev.vars", &right);
    let check = || project.check(&["--secrets", ".dev.vars"]);
    assert_eq!(check().status.code(), Some(0), "{}", stdout(&check()));
    for (from, to, line, words) in [
        (a.as_str(), String::new(), 2, "TOKEN_KEYS is missing"),
        (&a, "a=c2hvcnQ".to_owned(), 2, "fewer than 32 bytes"),
        (&a, format!("{a},a={key_b}"), 2, "TOKEN_KEYS entry 2"),
        (&a, format!("{a},c={key_a}"), 2, "TOKEN_KEYS entry 2"),
        (&a, key_a.to_owned(), 2, "TOKEN_KEYS entry 1"),
        (&b, format!("z={key_a}"), 3, "OPERATOR_KEYS must not share a key with TOKEN_KEYS"),
        ("OPERATOR_KEYS", "OPERATOR_KEY".to_owned(), 3, "did you mean OPERATOR_KEYS?"),
        ("OPERATOR_KEYS", "OPERATOR_KEY".to_owned(), 1, "OPERATOR_KEYS is missing"),
        (api_key, format!("{api_key} {api_key}"), 4, "API_KEY must be visible ASCII"),
        (api_key, String::new(), 4, "API_KEY is empty"),
        ("API_KEY=", format!("TOKEN_KEYS={a}\nAPI_KEY="), 4, "TOKEN_KEYS stands twice: first on line 2"),
        ("API_KEY=", "API_KEY_NOBODY=".to_owned(), 4, "API_KEY_NOBODY is no setting"),
        ("API_KEY=", "RULES=perhaps\nAPI_KEY=".to_owned(), 4, "RULES must be one of"),
        ("API_KEY=", "api_key=".to_owned(), 4, "api_key is no setting; did you mean API_KEY?"),
        ("API_KEY=", "APIKEY=".to_owned(), 4, "APIKEY is no setting; did you mean API_KEY?"),
        // What stands before such a line's first `=` may be a key with padding.
        ("API_KEY=", "API_KEY: ".to_owned(), 4, "must be NAME=value"),
        (&format!("API_KEY={api_key}"), format!("API_KEY: {api_key}=="), 4, "must be NAME=value"),
    ] {
        project.write(".dev.vars", &right.replacen(from, &to, 1));
        for arguments in [&["--secrets", ".dev.vars"][..], &["--secrets", ".dev.vars", "--json"]] {
            let output = project.check(arguments);
            assert_eq!(output.status.code(), Some(1), "{words}");
            let all = format!("{}{}", stdout(&output), stderr(&output));
            for secret in [key_a, key_b, api_key, "c2hvcnQ", "perhaps"] {
                assert!(!all.contains(secret), "{words}: {all}");
            }
        }
        let place = format!(".dev.vars:{line}: ");
        let output = check();
        let found = stdout(&output).lines().any(|line| line.starts_with(&place) && line.contains(words));
        assert!(found, "no {place}{words} in\n{}", stdout(&output));
    }
    // A secret has no place in wrangler.toml, under its own name or under one that is close.
    let shipped = project.read("wrangler.toml");
    for name in ["API_KEY", "TOKEN_KEYS", "API_KEYS"] {
        project.write(
            "wrangler.toml",
            &shipped.replace("\n[vars]\n", &format!("\n[vars]\n{name} = \"{api_key}\"\n")),
        );
        let output = project.check(&[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stdout(&output).contains(name) && !stdout(&output).contains(api_key), "{}", stdout(&output));
    }
    // Nor has a password in a URL.
    project.write("wrangler.toml", &shipped.replace("https://api.", "https://me:hunter2hunter2@api."));
    let output = project.check(&[]);
    assert!(
        stdout(&output).contains("API_BASE") && !stdout(&output).contains("hunter2"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    let project = Project::new("unreadable");
    for (arguments, words) in [
        (&["--config", "nowhere.toml"][..], "cannot read nowhere.toml"),
        (&["--secrets", "nowhere"], "cannot read nowhere"),
    ] {
        let output = project.check(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    let output = project.check(&["--policies", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with("nowhere:1: there is no such folder"), "{}", stdout(&output));
}

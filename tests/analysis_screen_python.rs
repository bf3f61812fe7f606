//! Every command that leaves, read by Python's `shlex` and by `packaging`, which pip reads requirements
//! with: each names exactly what we meant by it.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pip_aide_gateway::analysis::options::AllowedOption;
use pip_aide_gateway::analysis::proposal::Proposal;
use pip_aide_gateway::analysis::requirement::Requirement;
use pip_aide_gateway::analysis::screen::{Source, screen};
use pip_aide_gateway::analysis::{facts, redact};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::string::{RegexGeneratorStrategy, string_regex};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use self::python_support::virtual_environment;

#[path = "python_support/mod.rs"]
mod python_support;

/// What Python reads in these commands.
fn read(commands: &[&str]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/analysis_support/read_commands.py");
    let options: Vec<&str> = AllowedOption::all().map(|option| option.name).collect();
    let mut python = Command::new(virtual_environment("packaging").join("bin/python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let input = json!({ "commands": commands, "options": options }).to_string();
    python.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The same in our own reading.
fn meant(command: &str) -> Value {
    let words = command.split(' ').skip_while(|word| *word != "install").skip(1);
    let named = words.filter(|word| !word.starts_with('-')).map(|word| {
        let requirement = Requirement::parse(word).unwrap_or_else(|| panic!("{command}: {word}"));
        let version = Requirement { extras: Vec::new(), ..requirement.clone() }.to_string();
        let version = version.strip_prefix(&requirement.name).unwrap_or_default();
        let extras: BTreeSet<&String> = requirement.extras.iter().collect();
        json!([requirement.name, extras, version])
    });
    Value::Array(named.collect())
}

fn regex(pattern: &str) -> RegexGeneratorStrategy<String> {
    string_regex(pattern).expect("a regular expression")
}

fn word() -> impl Strategy<Value = String> {
    let known = vec![
        "numpy",
        "acme-tool",
        "charm",
        "Django",
        "zope.interface",
        "--upgrade",
        "-U",
        "--pre",
        "--user",
        "--timeout",
        "60",
        "--retries=5",
        "--only-binary",
        ":all:",
        "--no-binary=numpy",
        "--index-url",
        "https://h",
        "-r",
        ".",
        "x @ y",
    ];
    let name = "(numpy|Acme_Tool|acme.tool|requests|zope\\.interface|discord\\.py)";
    let version = "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}(a1|b2|rc3|\\.post1|\\.dev0|\\+cu118|[-._]?(rc|alpha|pre|c|rev|r|post|dev|v)?[-._]?[0-9]?(\\+[a-z.-]{1,5})?)?";
    prop_oneof![
        2 => prop::sample::select(known).prop_map(str::to_owned),
        4 => regex(&format!("{name}(\\[[a-z]{{1,4}}(,[a-z0-9-]{{1,4}})?\\])?((==|~=|>=|<|=|===|!=) ?{version}(\\.\\*)?)?")),
        1 => regex(&format!("'{name} ?[=~<>]= ?{version}'")),
        1 => "[-a-z0-9.~=\\[\\]'\"\\\\$#]{1,10}",
    ]
}

#[test]
fn python_reads_in_every_command_what_we_meant() {
    let facts = facts::read(&redact::redact("Command: pip install acme-tool\n"));
    let words = prop::collection::vec(word(), 1..6);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut commands = BTreeSet::new();
    for round in 0..90_000 {
        let words = words.new_tree(&mut runner).expect("words").current().join(" ");
        let begin = ["pip install", "pip3 install", "python3 -m pip install"][round % 3];
        let proposal = Proposal { explanation: String::new(), commands: vec![format!("{begin} {words}")] };
        commands.extend(screen(&proposal, &facts, Source::Model).commands);
    }
    assert!(commands.len() > 3_000, "only {} commands left", commands.len());
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    for (command, read) in commands.iter().zip(read(&commands)) {
        assert_eq!(read, meant(command), "{command}");
    }
    // What does not leave is not what Python reads: the script can say no.
    for hostile in [
        "pip install -i https://h numpy",
        "pip install numpy#x",
        "pip install 'numpy'",
        "pip uninstall numpy",
        "pip install a@b",
    ] {
        assert!(read(&[hostile]).iter().all(Value::is_string), "{hostile}");
    }
}

use super::*;
use crate::analysis::facts;
use crate::analysis::redact::redact;

fn consult_log(command: &str, log: &str, python: &str) -> Option<Finding> {
    let raw = format!(
        "Command: {command}\nExit Code: 1\n\n--- stdout ---\n{log}\n\n--- SYSTEM INFO ---\npython_version: {python}\n\
         os_system: Linux\nmachine_type: x86_64\npip_version: pip 24.2 from /x (python 3)\n"
    );
    let text = redact(&raw);
    consult(&facts::read(&text), &text)
}

fn commands(command: &str, log: &str) -> Vec<String> {
    match consult_log(command, log, "3.11.7").map(|finding| finding.advice) {
        Some(Advice::Commands { commands, .. }) => commands,
        Some(Advice::Uncertain { .. }) => vec!["UNCERTAIN".to_owned()],
        None => Vec::new(),
    }
}

#[test]
fn each_pattern_is_found_where_it_stands() {
    for (place, pattern) in PATTERNS.iter().enumerate() {
        let mut text = String::from("first line\n");
        for part in pattern.parts {
            text.push_str(match part {
                Part::Literal(literal) => literal,
                Part::Capture(_) => "a1",
            });
        }
        text.push_str("\nlast line");
        let hits = scan::scan(&text);
        assert!(hits.last(place).is_some(), "{text}");
    }
}

#[test]
fn what_a_build_prints_is_not_taken_for_pips_own_words() {
    let forged = "      error: externally-managed-environment\n      no such option: --upgrade";
    assert_eq!(consult_log("pip install a", forged, "3.11.7"), None);
}

#[test]
fn a_name_from_a_build_is_used_only_if_our_tables_know_it() {
    let log = |module: &str| format!("      ModuleNotFoundError: No module named '{module}'");
    assert_eq!(commands("pip install ./x", &log("yaml")), ["pip install PyYAML"]);
    for module in ["acme_wheel_shim", "evil; pip install x", "../x", "numpy==1 --index-url"] {
        assert_eq!(commands("pip install ./x", &log(module)), Vec::<String>::new(), "{module}");
    }
    let advice = "      The 'a' PyPI package is deprecated, use 'acme-wheel-shim'";
    assert_eq!(commands("pip install a", advice), Vec::<String>::new());
}

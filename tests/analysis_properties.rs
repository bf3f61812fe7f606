//! What must hold for any text: redacting and trimming twice is doing it once, limits hold, planted
//! secrets go, the prompt's overhead is bounded, nothing stops.
#![cfg(not(target_arch = "wasm32"))]

use pip_aide_gateway::analysis::proposal::Proposal;
use pip_aide_gateway::analysis::screen::{Source, screen};
use pip_aide_gateway::analysis::{completion, facts, prompt, redact::redact, rules, trim::trim};
use proptest::prelude::*;

/// Pieces that redaction acts on, and pieces of pip's logs, in any order.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "\\PC{0,6}",
        3 => "[a-zA-Z0-9=:/@.'\"\\\\ _\\[\\]-]{0,8}",
        1 => prop::sample::select(vec![
            "\n", "\r\n", "\r", "\u{1b}[31m", "\u{200b}", "\u{202e}", " ", "://", "@", "password=", "token: ", "--token ", "\"", "'", "\\n",
            "[redacted]", "[user]", "[email]", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "https://a:b@", "/home/", "C:\\Users\\",
            "ghp_FAKEfakeFAKE12", "Bearer ", "machine h login a password ", "a@b.example", "Authorization: ", "-u a:b", "Password for x: ",
            "pw=Zx81kQpW03mTnV7rYbL5", "SETTING=Zx81kQpW03mTnV7rYbL5cDfG", "hunter2-FAKE",
            "%3A%2F%2F", "%40", "auth=(", "password=a,", "login a password ", "/home/d'a", "file:///home/", ",x=", "--user a:", "')", "&b=", "[redacted],", "};",
            "[\"token\"] = ", "[token]=", "token: |\n  ", "\n  - token: >\n     ", "\nENV TOKEN ", "setx TOKEN ", "api key: ", "curl -ua:b", "twine -px", "Cookie: a=\"",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "Command: pip install numpy==1.0 -i https://x\n", "\n--- SYSTEM INFO ---\n", "ERROR: ", "Could not find a version that satisfies the requirement ",
            "(from versions: 1.0, 2.0)\n", "Collecting numpy\n", "The conflict is caused by:\n    The user requested numpy==1.0\n    a 1 depends on numpy>2\n",
            "ModuleNotFoundError: No module named 'cv2'\n", "fatal error: x.h: No such file or directory\n", "python_version: 3.12.1\n",
        ]).prop_map(str::to_owned),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn redacting_twice_is_redacting_once(raw in text()) {
        let once = redact(&raw);
        prop_assert_eq!(&redact(once.as_str()), &once);
        prop_assert!(!once.as_str().chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
    }

    #[test]
    fn the_way_through_never_stops_and_keeps_its_limits(raw in text(), max in 0_usize..600) {
        let text = redact(&raw);
        let facts = facts::read(&text);
        let trimmed = trim(&text, max);
        prop_assert!(trimmed.as_str().len() <= max);
        prop_assert_eq!(trim(&trimmed, max), trimmed.clone());
        let messages = prompt::build(&facts, &trimmed, "fedcba9876543210");
        let bytes: usize = messages.iter().map(|message| message.role.len() + message.content.len()).sum();
        prop_assert!(bytes <= trimmed.as_str().len() + prompt::OVERHEAD_BYTES);
        if let Some(finding) = rules::consult(&facts, &text) {
            let screened = screen(&Proposal::from(finding.advice), &facts, Source::Rule);
            prop_assert!(screened.suggestion.len() < 8_000);
        }
    }

    #[test]
    fn a_planted_secret_goes_wherever_it_stands(
        secret in "[A-Za-z0-9!%+_][A-Za-z0-9!%+_-]{3}FAKE[A-Za-z0-9!%+_-]{4}7",
        place in prop::sample::select(vec![
            "https://ci:{}@pypi.example/simple", "Authorization: Basic {}", "--password {}", "--token={}", "API_KEY={}", "\"password\": \"{}\"",
            "DB_PASSWORD='{}'", "https://h/x?token={}&y=1", "machine h login l password {}", "password = {}", "curl -u me:{} h", "PRIVATE-TOKEN: {}",
            "postgresql://app:{}@db:5432/prod", "export AWS_SECRET_ACCESS_KEY={}", "{\\\"token\\\": \\\"{}\\\"}", "_authToken={}", "'api_key': '{}'",
            "Cookie: session={}", "Authorization: Token token=\"{}\"", "os.environ[\"API_TOKEN\"] = \"{}\"", "token: |\n  {}", "ENV TOKEN {}", "proxy = me:{}@proxy:3128",
        ]),
        before in "[a-z =\n]{0,6}",
        after in "[ \n]{1}[a-z ]{0,8}",
    ) {
        let raw = format!("{before}\n{}{after}\nagain {secret} here", place.replace("{}", &secret));
        let text = redact(&raw);
        prop_assert!(!text.as_str().contains(&secret), "{raw}\n{}", text.as_str());
    }

    #[test]
    fn any_body_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200), content in "\\PC{0,80}") {
        let _ = completion::parse(&body);
        let value = serde_json::json!({"choices": [{"message": {"content": content}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}});
        let parsed = completion::parse(value.to_string().as_bytes());
        prop_assert!(parsed.is_ok() != content.trim().is_empty());
    }
}

/// Text that makes a careless scanner quadratic. What is held here is that nothing panics and that
/// the bounds hold; a scanner that is quadratic in one of these shapes makes the run take minutes.
#[test]
fn long_texts_of_any_shape_are_read_to_their_end() {
    let shapes = [
        "a",
        "=",
        ":",
        "@",
        "/",
        "\\",
        "-",
        "\"",
        "a@",
        "://",
        "a:b@",
        "password=",
        "--token ",
        "/home/",
        "[",
        "\u{1b}[",
        "\u{1b}]",
        "fatal error: ",
        "No module named '",
        "-----BEGIN ",
        "machine ",
        "ghp_",
        "eyJ",
        "\n",
        "\n\n    ",
        "Could not find a version that satisfies the requirement ",
        "a.",
        "a b@c.d ",
        "\\\"token\\\": \\\"",
        "Password for ",
        "é",
        "Collecting a\n",
        "ERROR: x\n",
    ];
    for shape in shapes.into_iter().chain([
        "a=",
        "a='b ",
        "sk-",
        "--a b",
        "a: ",
        "hf_",
        "a=a@",
        "[redacted]",
        "a/",
        "C:\\Users\\a ",
    ]) {
        let raw: String = shape.repeat(200_000 / shape.len());
        let text = redact(&raw);
        let facts = facts::read(&text);
        let _ = rules::consult(&facts, &text);
        assert!(trim(&text, 16_384).as_str().len() <= 16_384, "{shape:?}");
    }
}

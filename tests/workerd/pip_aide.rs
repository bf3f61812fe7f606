//! The real client, unchanged from its registry, really run.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::peers::python_support::virtual_environment;
use crate::support::aimock::Aimock;
use crate::support::credentials::Key;
use crate::support::gateway::{Gateway, Settings};
use crate::support::logs::{Record, wait_for_record};
use crate::support::process::Folder;
use crate::support::{project, random_word};

/// How the client is given its token.
#[derive(Clone, Copy, Debug)]
enum By {
    Netrc,
    Url,
}

/// Runs `pip-aide install <arguments>` as a user would, answers no to whatever it proposes, and
/// gives all that it printed.
fn pip_aide(gateway: &Gateway, token: &str, by: By, arguments: &[&str]) -> String {
    let home = Folder::new("home");
    let address = format!("127.0.0.1:{}", gateway.port());
    let url = match by {
        By::Url => format!("http://me:{token}@{address}"),
        By::Netrc => {
            let netrc = home.path().join(".netrc");
            let text = format!("machine 127.0.0.1\nlogin me\npassword {token}\n");
            std::fs::write(&netrc, text).expect("the home folder takes a file");
            std::fs::set_permissions(&netrc, Permissions::from_mode(0o600)).expect("it can be made private");
            format!("http://{address}")
        }
    };
    run_pip_aide(gateway, &home, Some(&url), arguments)
}

/// The same in a home folder that is set up already; without `url` the client has its own
/// configuration to go by.
fn run_pip_aide(gateway: &Gateway, home: &Folder, url: Option<&str>, arguments: &[&str]) -> String {
    let bin = virtual_environment("pip-aide").join("bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(bin.join("pip-aide"));
    command.arg("install").args(arguments).current_dir(home.path());
    for name in ["NETRC", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    if let Some(url) = url {
        command.env("PIP_AIDE_SERVER_URL", url);
    }
    let mut child = command
        .env("HOME", home.path())
        .env("PATH", path)
        // An index that cannot be reached has no such package either.
        .env("PIP_RETRIES", "0")
        .env("PIP_AIDE_LANG", "en")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pip-aide starts");
    let _ = child.stdin.take().expect("standard input is a pipe").write_all(b"n\nn\nn\n");
    let output = child.wait_with_output().expect("pip-aide ends");
    gateway.note_use();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Checks what the user saw and what was recorded of it.
#[track_caller]
fn assert_helped(gateway: &Gateway, machine: &str, printed: &str, source: &str) -> Record {
    assert!(printed.contains("No matching distribution found for cv2"), "pip failed otherwise:\n{printed}");
    assert!(
        printed.contains("Proposed fix command: pip install opencv-python\n"),
        "no fix was proposed:\n{printed}"
    );
    assert!(printed.contains("Skipping execution due to user input"), "{printed}");
    // One record: it did not have to ask twice.
    let record = wait_for_record(gateway, "machine_id", machine);
    assert_eq!(record.text("source"), source, "{record:?}");
    assert!(record.text("reported_machine_id").starts_with("0x"), "{record:?}");
    let context = record.text("error_context");
    assert!(context.contains("Command: pip install cv2"), "{context}");
    assert!(context.contains("No matching distribution found for cv2"), "{context}");
    assert!(record.expiration.is_some(), "{record:?}");
    record
}

#[test]
fn it_is_helped_by_rules_without_a_model() {
    let gateway = Gateway::start(Settings::new());
    for by in [By::Netrc, By::Url] {
        let machine = format!("rules-{}", random_word());
        let printed = pip_aide(&gateway, &gateway.key().token(&machine), by, &["cv2"]);
        let record = assert_helped(&gateway, &machine, &printed, "rules");
        assert_eq!(record.text("cost_usd"), "0", "{record:?}");
    }
}

#[test]
fn it_is_helped_by_the_model_which_never_sees_its_secrets() {
    let model = Aimock::start("Use the package's own name.\n```\npip install opencv-python\n```\n", 200, 30);
    let gateway = Gateway::start(Settings::new().model_on(model.port()));
    for by in [By::Netrc, By::Url] {
        let machine = format!("model-{}", random_word());
        let password = format!("pw{}", random_word());
        // Nothing listens there: pip says so and goes on to the next index.
        let index = format!("--extra-index-url=http://me:{password}@127.0.0.1:9/simple");
        let printed = pip_aide(&gateway, &gateway.key().token(&machine), by, &["cv2", &index]);
        assert!(printed.contains(&password), "the client itself shows what it sends:\n{printed}");
        let record = assert_helped(&gateway, &machine, &printed, "model");
        assert_eq!(record.fields["usage"]["prompt_tokens"], 200, "{record:?}");
        assert_ne!(record.text("cost_usd"), "0", "{record:?}");
        assert!(!record.fields.to_string().contains(&password), "the log has a secret: {record:?}");
        assert!(model.journal_of(&password).is_empty(), "the model saw a secret");
        assert!(!gateway.output().contains(&password), "the Worker printed a secret");
    }
    assert_eq!(model.journal().len(), 2);
}

/// Runs `pip-aide-login` from the tree, with nothing but Python.
fn login(home: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
    let source = project().join("clients/python/src");
    let mut command = Command::new("python3");
    for name in ["NETRC", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "PIP_AIDE_SERVER_URL"] {
        command.env_remove(name);
    }
    let output = command
        .args(["-m", "pip_aide_login"])
        .args(arguments)
        .env("PYTHONPATH", source)
        .env("HOME", home.path())
        .env("LC_ALL", "C.UTF-8")
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .expect("python3 starts");
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&printed).into_owned())
}

#[test]
fn a_stranger_logs_in_and_is_helped_without_any_other_change() {
    // The default difficulty: what a user waits for.
    let gateway = Gateway::start(Settings::new());
    let home = Folder::new("home");
    let netrc = home.path().join(".netrc");
    let before = "machine elsewhere.example\n  login me\n  password kept\n";
    std::fs::write(&netrc, before).expect("the home folder takes a file");
    let url = format!("http://127.0.0.1:{}", gateway.port());

    let (code, printed) = login(&home, &[&url, "--configure"]);
    assert_eq!(code, Some(0), "{printed}");
    let mode = std::fs::metadata(&netrc).expect("the file is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the token is for its owner only");
    let stored = std::fs::read_to_string(&netrc).expect("the file is text");
    assert!(stored.starts_with(before), "other entries are left as they were:\n{stored}");

    let (code, status) = login(&home, &["--status"]);
    assert_eq!(code, Some(0), "{status}");
    let machine = status.split_whitespace().find(|word| word.starts_with('e') && word.len() == 42);
    let machine = machine.unwrap_or_else(|| panic!("no machine id in:\n{status}")).to_owned();

    let printed = run_pip_aide(&gateway, &home, None, &["cv2"]);
    let record = assert_helped(&gateway, &machine, &printed, "rules");
    assert_eq!(record.text("auth"), "basic", "{record:?}");

    let (code, printed) = login(&home, &["--logout", &url]);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(std::fs::read_to_string(&netrc).expect("the file is text"), before);
    let (code, _) = login(&home, &["--status", &url]);
    assert_eq!(code, Some(1), "logged out");
}

#[test]
fn it_says_so_when_the_token_is_wrong() {
    let gateway = Gateway::start(Settings::new());
    let stranger = Key::random(&gateway.key().kid).token("stranger");
    let printed = pip_aide(&gateway, &stranger, By::Netrc, &["cv2"]);
    assert!(printed.contains("Server error from AI service: 401"), "{printed}");
    assert!(!printed.contains("Proposed fix command"), "{printed}");
}

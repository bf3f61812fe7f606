use super::*;
use crate::analysis::redact::redact;
use crate::analysis::trim::trim;

const NOISE: &str = "      copying a/b.py -> build/lib/a/b.py\n";

/// A failed build whose log is `noise` times three lines longer than what explains it.
fn long_log(noise: usize) -> String {
    let noise = NOISE.repeat(noise);
    format!(
        "Command: pip install pandas==1.3.5\nExit Code: 1\n\n--- stdout ---\n{noise}--- stderr ---\n{noise}\
         In file included from a.c:1:\n      a.c:234:12: fatal error: x.h: No such file\n  234 | #include <x.h>\n{noise}\
         ERROR: Could not build wheels for pandas\n\n\n--- SYSTEM INFO ---\npython_version: 3.12.1\nos_system: Linux\n"
    )
}

#[test]
fn what_fits_is_looked_at_whole() {
    let log = long_log(10);
    assert_eq!(excerpt(&log, log.len()), log);
    assert_ne!(excerpt(&log, log.len() - 1), log);
}

#[test]
fn the_model_gets_of_an_excerpt_what_it_would_get_of_the_whole() {
    let log = long_log(9_000);
    assert!(log.len() > 1_000_000);
    for context in [1_024, 4_096, 16_384] {
        let looked_at = excerpt(&log, context * TIMES_CONTEXT);
        assert!(looked_at.len() <= context * TIMES_CONTEXT);
        assert!(looked_at.len() > context * TIMES_CONTEXT * 3 / 4, "it takes the room that it has");
        let told = |log: &str| {
            let trimmed = trim(&redact(log), context);
            // How the room's last bytes are used may differ.
            let lines =
                trimmed.as_str().lines().filter(|line| !line.is_empty() && !line.ends_with("left out ...]"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(told(&looked_at), told(&log));
    }
}

#[test]
fn each_of_its_lines_is_one_of_the_logs_or_says_how_many_are_not_there() {
    let log = long_log(1_000);
    for most in [256, 1_000, 8_192, 50_000] {
        let looked_at = excerpt(&log, most);
        assert!(looked_at.len() <= most, "{most}");
        let mut log = log.lines();
        for line in looked_at.lines() {
            let left_out =
                line.strip_prefix("[... ").and_then(|rest| rest.strip_suffix(" lines left out ...]"));
            match left_out.map(|count| count.parse::<usize>().expect("a number")) {
                Some(count) => assert!(log.nth(count - 1).is_some(), "{most}: {line}"),
                None => assert_eq!(log.next(), Some(line), "{most}"),
            }
        }
        assert_eq!(log.next(), None, "{most}: the end is there");
    }
}

#[test]
fn a_key_is_no_easier_to_see_wherever_it_is_cut() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n";
    let key = format!(
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{}\n\n{}-----END RSA PRIVATE KEY-----\n",
        "0123456789ABCDEF",
        line.repeat(20)
    );
    for after in (0..3_000).step_by(7) {
        let log =
            format!("Command: pip install x\n{}{key}error: a\n{}", NOISE.repeat(60), "x\n".repeat(after));
        for text in [log.clone(), format!("{}{log}", NOISE.repeat(100)), format!("{key}{log}")] {
            let looked_at = excerpt(&text, 2_048);
            assert!(!redact(&looked_at).as_str().contains("MIIEvQ"), "{after}: {looked_at}");
        }
    }
}

#[test]
fn a_key_is_no_easier_to_see_whatever_hides_its_lines() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    for (before, after) in [
        ("\u{1b}[31m", "\u{1b}[0m"),
        ("", "\u{1b}[0m"),
        ("", "\u{1b}[K"),
        ("\u{200b}", ""),
        ("\u{feff}", ""),
        ("\u{202e}", "\u{202c}"),
        ("  | ", "\r"),
        ("", "\r\u{1b}[K"),
        ("\u{1b}]0;x\u{7}", ""),
    ] {
        let lines = format!("{before}{line}{after}\n").repeat(30);
        let key = format!("{before}-----BEGIN PRIVATE KEY-----{after}\n{lines}");
        for behind in (0..4_000).step_by(31) {
            let end = format!("  error: a\n{}", "x y\n".repeat(behind));
            let log = format!("Command: pip install x\n{}{key}{end}", NOISE.repeat(100));
            let looked_at = redact(&excerpt(&log, 2_048));
            assert!(!looked_at.as_str().contains("MIIEvQ"), "{before:?} {after:?} {behind}: {looked_at:?}");
        }
    }
}

#[test]
fn no_line_is_looked_at_in_part() {
    for secret in
        ["<password>S3cretPass9 ", "password S3cretPass9x login ", "ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N "]
    {
        for before in 0..60 {
            let line = format!("{}{secret}{}", "x ".repeat(before), "w".repeat(500));
            for text in [line.clone(), format!("{line}\nERROR: a\n"), format!("a b\n{line}\nc d\n")] {
                let looked_at = excerpt(&text, 256);
                assert!(!looked_at.contains('w'), "{before}: {looked_at}");
            }
        }
    }
    // Not a word of it, but that there was one.
    assert_eq!(excerpt(&"x".repeat(300), 256), "[... 1 lines left out ...]\n");
    assert_eq!(excerpt(&format!("{}\na b\n", "x".repeat(300)), 256), "[... 1 lines left out ...]\na b\n");
}

#[test]
fn what_was_left_out_is_counted_once() {
    let log = long_log(2_000);
    let trimmed = trim(&redact(&excerpt(&log, 16_384)), 2_048);
    let left_out: usize = trimmed
        .as_str()
        .lines()
        .filter_map(|line| {
            line.strip_prefix("[... ")?.strip_suffix(" lines left out ...]")?.parse::<usize>().ok()
        })
        .sum();
    let marks = trimmed.as_str().matches(" lines left out").count();
    assert_eq!(left_out + trimmed.as_str().lines().count() - marks, log.lines().count());
}

//! A panic ends the module with all that is under way in its isolate. The lints deny what panics by itself; this looks
//! at what the compiler made of the sources: each place that can panic is in the module with its file, line and column.
//! None of ours may be there, and of each other crate that is there `elsewhere.toml` says why nobody gets there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::project;

/// How the names of sources begin: ours, the dependencies', and the standard library's with its own dependencies.
const ROOTS: [&str; 4] = ["src/", "registry/", "/rustc/", "/rust/deps/"];

/// What the module's memory holds when it starts.
fn memory(module: &[u8]) -> Vec<u8> {
    const DATA: u8 = 11;
    const I32_CONST: u8 = 0x41;
    const END: u8 = 0x0b;
    let mut memory = Vec::new();
    // Past the magic number and the version.
    let mut at = 8;
    while at < module.len() {
        let section = module[at];
        let length = number(module, {
            at += 1;
            &mut at
        });
        let end = at + length;
        if section == DATA {
            for _ in 0..number(module, &mut at) {
                assert_eq!(
                    (number(module, &mut at), module[at]),
                    (0, I32_CONST),
                    "a segment of another kind"
                );
                let place = number(module, {
                    at += 1;
                    &mut at
                });
                assert_eq!(module[at], END);
                let length = number(module, {
                    at += 1;
                    &mut at
                });
                memory.resize(memory.len().max(place + length), 0);
                memory[place..place + length].copy_from_slice(&module[at..at + length]);
                at += length;
            }
        }
        at = end;
    }
    memory
}

/// LEB128 (WebAssembly core specification, 5.2.2). No place here is negative.
fn number(bytes: &[u8], at: &mut usize) -> usize {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// Places that panics tell of, each with its file, line and column: `core::panic::Location` is a text's place and
/// length, a line and a column.
fn locations(memory: &[u8]) -> BTreeSet<(String, usize, usize)> {
    let mut files: BTreeMap<usize, String> = BTreeMap::new();
    for start in 0..memory.len() {
        if ROOTS.iter().any(|root| memory[start..].starts_with(root.as_bytes())) {
            let letters = |byte: &&u8| byte.is_ascii_alphanumeric() || b"/_.-".contains(byte);
            let name: Vec<u8> = memory[start..].iter().take_while(letters).copied().collect();
            let name = String::from_utf8(name).expect("it is ASCII");
            if let Some((name, _)) = name.split_once(".rs") {
                files.insert(start, format!("{name}.rs"));
            }
        }
    }
    let words: Vec<usize> = memory
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")) as usize)
        .collect();
    let found = words.windows(4).filter_map(|words| {
        let name = files.get(&words[0])?;
        // Since 1.91 a zero follows the name.
        let is_name = words[1] == name.len() || words[1] == name.len() + 1;
        is_name.then(|| (name.clone(), words[2], words[3]))
    });
    found.collect()
}

/// Of the module that `make build` made.
fn built_locations() -> BTreeSet<(String, usize, usize)> {
    let path = project().join("build/index_bg.wasm");
    locations(&memory(&std::fs::read(path).expect("there is no built Worker: run `make build` first")))
}

/// The crate of a file that is not ours.
fn crate_of(file: &str) -> Option<&str> {
    if let Some((_, path)) = file.split_once("/library/") {
        return path.split('/').next();
    }
    let folder = if let Some((_, path)) = file.split_once("/rust/deps/") {
        path.split('/').next()?
    } else {
        // After the registry's name.
        file.split_once("registry/")?.1.split('/').nth(1)?
    };
    folder.rsplit_once('-').map(|(name, _)| name)
}

#[test]
fn nothing_of_ours_in_the_module_can_panic() {
    let mut locations = built_locations();
    locations.retain(|(name, ..)| name.starts_with("src/") && project().join(name).is_file());
    // Every `async` has one, for being polled after its end, which the runtime's own executor does not do.
    let (of_futures, others): (Vec<_>, Vec<_>) = locations.iter().partition(|(name, line, column)| {
        let text = std::fs::read_to_string(project().join(Path::new(name))).expect("a source");
        let from = text.lines().nth(line - 1).and_then(|line| line.get(column - 1..)).unwrap_or_default();
        from == "{" || from.starts_with("async ")
    });
    assert!(of_futures.len() > 20, "this test looks in the wrong place: {of_futures:?}");
    assert!(others.is_empty(), "these can panic: {others:?}");
}

#[test]
fn whatever_else_can_panic_has_a_reason_why_nobody_gets_there() {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reasons {
        #[serde(rename = "crate")]
        crates: BTreeMap<String, Reason>,
    }
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reason {
        why: String,
    }
    let locations = built_locations();
    let found: BTreeSet<&str> = locations.iter().filter_map(|(name, ..)| crate_of(name)).collect();
    let Reasons { crates } = toml::from_str(include_str!("elsewhere.toml")).expect("a list of crates");
    let known: BTreeSet<&str> =
        crates.iter().filter(|(_, reason)| !reason.why.is_empty()).map(|(name, _)| name.as_str()).collect();
    let places = locations.iter().filter(|(name, ..)| crate_of(name).is_some()).count();
    println!("{places} places of {} crates", found.len());
    assert_eq!(found, known, "what can panic, and what has a reason");
}

#[test]
fn no_path_of_this_machine_is_in_the_module() {
    let path = project().join("build/index_bg.wasm");
    let module = std::fs::read(path).expect("there is no built Worker: run `make build` first");
    let holds = |text: &str| module.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(holds("registry/"), "this test looks in the wrong place");
    for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "RUSTUP_HOME"] {
        if let Ok(folder) = std::env::var(name).map(|folder| format!("{folder}/")) {
            assert!(!holds(&folder), "{name} is in the module");
        }
    }
    for folder in [project().to_string_lossy().as_ref(), "/.cargo/", "/.rustup/", "/registry/src/"] {
        assert!(!holds(folder), "{folder} is in the module");
    }
}

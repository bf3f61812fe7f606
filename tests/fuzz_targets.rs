//! The fuzz targets (`fuzz/`) on their seeds, on what a fuzzer once found, on the corpus and on what comes of
//! cutting and joining it, so that a change that breaks one is seen without a fuzzer.
#![cfg(not(target_arch = "wasm32"))]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::path::{Path, PathBuf};

use proptest::prelude::*;

type Target = fn(&[u8]);

/// Those that read a failure or an answer to it begin with the corpus.
const OF_TEXT: [(&str, Target); 5] = [
    ("redaction", fuzz::redaction),
    ("rules", fuzz::rules),
    ("screening", fuzz::screening),
    ("trimming", fuzz::trimming),
    ("upstream", fuzz::upstream),
];

/// The others begin with the seeds in fuzz/seeds.
const OF_FORMS: [(&str, Target); 7] = [
    ("body", fuzz::body),
    ("ledger", fuzz::ledger),
    ("messages", fuzz::messages),
    ("policies", fuzz::policies),
    ("settings", fuzz::settings),
    ("signature", fuzz::signature),
    ("token", fuzz::token),
];

fn every() -> impl Iterator<Item = (&'static str, Target)> {
    OF_TEXT.into_iter().chain(OF_FORMS)
}

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The files of a folder, if there is one.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn contexts() -> Vec<String> {
    let text = include_str!("data/corpus_public.jsonl");
    let context = |line: &str| {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case a line");
        case["error_context"].as_str().expect("a context").to_owned()
    };
    text.lines().map(context).collect()
}

fn all_of_text(data: &[u8]) {
    OF_TEXT.iter().for_each(|(_, target)| target(data));
}

#[test]
fn they_hold_for_the_corpus() {
    contexts().iter().for_each(|context| all_of_text(context.as_bytes()));
}

#[test]
fn they_hold_for_their_seeds() {
    for (name, target) in OF_FORMS {
        let seeds = files(&fuzz_folder().join("seeds").join(name));
        assert!(!seeds.is_empty(), "{name} has no seeds");
        seeds.iter().for_each(|(_, seed)| target(seed));
    }
}

/// Each file in `fuzz/cases/TARGET` failed once.
#[test]
fn they_hold_for_what_was_found() {
    for (name, target) in every() {
        for (path, case) in files(&fuzz_folder().join("cases").join(name)) {
            println!("{}", path.display());
            target(&case);
        }
    }
}

/// A target that nothing runs, or one that has no entry for cargo-fuzz, is a mistake.
#[test]
fn each_is_built_and_each_case_is_of_one() {
    let mut names: Vec<String> = every().map(|(name, _)| name.to_owned()).collect();
    names.sort();
    let stems = |folder: &str| -> Vec<String> {
        let files = std::fs::read_dir(fuzz_folder().join(folder)).into_iter().flatten();
        let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut stems: Vec<String> = files.map(|entry| stem(entry.unwrap().path())).collect();
        stems.sort();
        stems
    };
    assert_eq!(stems("fuzz_targets"), names);
    let manifest = std::fs::read_to_string(fuzz_folder().join("Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
    for folder in ["cases", "seeds"] {
        assert!(stems(folder).iter().all(|name| names.contains(name)), "{folder}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn they_hold_for_pieces_of_it(pieces in prop::collection::vec((0..54_usize, any::<prop::sample::Index>(), 1..400_usize), 1..8)) {
        let contexts = contexts();
        let mut data = Vec::new();
        for (case, start, length) in pieces {
            let bytes = contexts[case % contexts.len()].as_bytes();
            let start = start.index(bytes.len());
            data.extend(&bytes[start..(start + length).min(bytes.len())]);
        }
        all_of_text(&data);
    }

    #[test]
    fn they_hold_for_any_bytes(data in prop::collection::vec(any::<u8>(), 0..300)) {
        every().for_each(|(_, target)| target(&data));
    }

    /// Seeds with some bytes changed: what a fuzzer does first.
    #[test]
    fn they_hold_for_changed_seeds(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        for (name, target) in OF_FORMS {
            let seeds = files(&fuzz_folder().join("seeds").join(name));
            let (_, mut seed) = seeds[which.index(seeds.len())].clone();
            for (at, byte) in &changes {
                if !seed.is_empty() {
                    let at = at.index(seed.len());
                    seed[at] = *byte;
                }
            }
            target(&seed);
        }
    }
}

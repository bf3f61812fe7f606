//! The fuzz targets (`fuzz/`) on the corpus and on what comes of cutting and joining it, so that a change
//! that breaks one is seen without a fuzzer.
#![cfg(not(target_arch = "wasm32"))]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use proptest::prelude::*;

fn contexts() -> Vec<String> {
    let text = include_str!("data/corpus_public.jsonl");
    let context = |line: &str| {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case a line");
        case["error_context"].as_str().expect("a context").to_owned()
    };
    text.lines().map(context).collect()
}

fn all(data: &[u8]) {
    for target in [fuzz::redaction, fuzz::trimming, fuzz::rules, fuzz::screening, fuzz::upstream] {
        target(data);
    }
}

#[test]
fn they_hold_for_the_corpus() {
    contexts().iter().for_each(|context| all(context.as_bytes()));
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
        all(&data);
    }

    #[test]
    fn they_hold_for_any_bytes(data in prop::collection::vec(any::<u8>(), 0..300)) {
        all(&data);
    }
}

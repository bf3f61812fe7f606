//! The ledger under everything that may happen to it: messages that are late, lost, doubled and out
//! of order; objects and isolates that crash between any two steps; alarms that ring late, twice or
//! never; clocks that move. A seeded scheduler plays it on the real shards and the real treasury, a
//! book of its own says what the provider may bill, and after each step the ledger is held against
//! that book.
//!
//! A failing seed is printed with the line that plays it alone. `LEDGER_SEEDS=n` plays more of them.
#![cfg(not(target_arch = "wasm32"))]

mod book;
#[path = "../ledger_support/mod.rs"]
mod ledger_support;
mod random;
mod weather;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use weather::Weather;
use world::World;

const DEFAULT_SEEDS: u64 = 2_500;
/// Tests run side by side; each plays the seeds of its own remainder.
const PARTS: u64 = 2;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn play(seed: u64) -> World {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, Weather::of(seed));
        world.run();
        world
    }));
    played.unwrap_or_else(|_| {
        panic!("seed {seed} failed; again: LEDGER_SEED={seed} cargo test --test ledger_simulation")
    })
}

fn play_part(part: u64) {
    if let Some(seed) = number("LEDGER_SEED") {
        if seed % PARTS == part {
            play(seed);
        }
        return;
    }
    let mut total = world::Tally::default();
    for seed in (0..number("LEDGER_SEEDS").unwrap_or(DEFAULT_SEEDS)).filter(|seed| seed % PARTS == part) {
        total.add(&play(seed).tally);
    }
    println!("{total:?}");
    // What did not happen was not tried.
    if number("LEDGER_SEEDS").is_none() {
        total.assert_everything_happened();
    }
}

#[test]
fn no_cap_is_passed_and_nothing_is_lost_even_seeds() {
    play_part(0);
}

#[test]
fn no_cap_is_passed_and_nothing_is_lost_odd_seeds() {
    play_part(1);
}

//! The token bucket against an independent one: the `governor` crate with a clock that stands still.
#![cfg(not(target_arch = "wasm32"))]

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use governor::{Quota as Oracle, RateLimiter};
use pip_aide_gateway::ledger::bucket::Quota;

/// A small generator (xorshift64*), so that a failing case is found again from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }
}

#[test]
fn agrees_with_governor_on_every_one_of_200_000_random_steps() {
    const STEPS_A_QUOTA: usize = 5_000;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut steps = 0;
    // Counts that divide their window: governor rounds the others down, we round them up.
    let quotas = [(6, 60), (1, 1), (10, 1), (1, 60), (100, 3_600), (24, 86_400), (5_000, 1), (60, 60)];
    for (count, window_seconds) in quotas {
        for burst in [1, 2, 3, 10, 1_000] {
            let quota = Quota::new(count, window_seconds, burst).unwrap();
            let interval = Duration::from_secs(window_seconds.into()) / count;
            let oracle = Oracle::with_period(interval).unwrap().allow_burst(NonZeroU32::new(burst).unwrap());
            let clock = FakeRelativeClock::default();
            let limiter = RateLimiter::direct_with_clock(oracle, clock.clone());
            // Any beginning will do: governor's clock begins at zero, ours at the epoch.
            let (mut now, mut tat) = (1_795_401_599_000_000_000_u64, 0);
            for _ in 0..STEPS_A_QUOTA {
                let span = u64::try_from(interval.as_nanos()).unwrap();
                // Often just around the moment at which a request becomes possible.
                let step = match random.below(4) {
                    0 => 0,
                    1 => random.below(span / 2 + 2),
                    2 => span + random.below(3) - 1,
                    _ => random.below(span * u64::from(burst) + 2),
                };
                clock.advance(Duration::from_nanos(step));
                now += step;
                let ours = quota.take(tat, now);
                assert_eq!(
                    ours.is_ok(),
                    limiter.check().is_ok(),
                    "{count}/{window_seconds} s, burst {burst}, at {now}"
                );
                tat = ours.unwrap_or(tat);
                steps += 1;
            }
        }
    }
    assert_eq!(steps, 200_000);
}

#[test]
fn the_level_is_what_take_then_does() {
    let mut random = Random(42);
    for _ in 0..20_000 {
        let quota = Quota::new(
            u32::try_from(random.below(200) + 1).unwrap(),
            60,
            u32::try_from(random.below(20) + 1).unwrap(),
        )
        .unwrap();
        let now = 1_795_401_599_000_000_000 + random.below(1_000_000_000_000);
        let mut tat = now.saturating_sub(random.below(1_000)) + random.below(quota.empty_at(now) - now + 1);
        let level = quota.level(tat, now);
        for _ in 0..level.remaining {
            tat = quota.take(tat, now).expect("the level said that there was room");
        }
        let wait = quota.take(tat, now).expect_err("the level said that there was no more room");
        if level.remaining == 0 {
            assert_eq!(wait, level.next_in);
        }
    }
}

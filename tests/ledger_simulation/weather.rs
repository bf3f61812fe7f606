//! What a run is like: how many shards and machines, how busy, and how much goes wrong.

use super::random::Random;

/// All chances are in thousandths.
#[derive(Clone, Debug)]
pub struct Weather {
    pub shards: u32,
    pub machines: u64,
    pub requests: u64,
    /// The longest pause between two requests, in milliseconds.
    pub pause_ms: u64,
    /// The request before which the operator changes the number of shards.
    pub reshard_at: Option<u64>,
    pub crash: u64,
    pub lose: u64,
    pub double: u64,
    pub late: u64,
    /// The furthest that an object's clock is off, in milliseconds.
    pub clock_ms: u64,
    /// In thousandths of the requests: with a nonce.
    pub signed: u64,
    /// The service's cap in units of a usual request's worst cost.
    pub cap_requests: u64,
}

impl Weather {
    /// Of each seed: every fourth is calm, so that what is exact can be held to be exact.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xabcd);
        let calm = seed.is_multiple_of(4);
        let pauses = [3, 40, 400, 5_000, 60_000];
        let crowded = random.chance(3);
        let pause_ms = if crowded { 40 } else { pauses[usize::try_from(random.below(5)).unwrap()] };
        let bad = |random: &mut Random, most: u64| if calm { 0 } else { random.below(most) };
        Self {
            shards: if crowded { 1 } else { 1 + u32::try_from(random.below(4)).unwrap() },
            // A few seeds have more machines than fit into memory.
            machines: if crowded { 3_000 } else { 2 + random.below(40) },
            requests: if crowded { 1_500 } else { 40 + random.below(160) },
            pause_ms,
            reshard_at: random.chance(200).then(|| random.below(100)),
            crash: bad(&mut random, 60),
            lose: bad(&mut random, 100),
            // The platform's calls are not doubled: half of the seeds hold the log to that.
            double: if random.chance(500) { 0 } else { bad(&mut random, 100) },
            late: if random.chance(300) { 0 } else { bad(&mut random, 200) },
            clock_ms: bad(&mut random, 5_000),
            signed: random.below(700),
            cap_requests: 5 + random.below(200),
        }
    }

    pub const fn is_calm(&self) -> bool {
        self.crash == 0 && self.lose == 0 && self.double == 0 && self.late == 0 && self.clock_ms == 0
    }
}

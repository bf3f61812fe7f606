//! What lies beside a batch in KV as its metadata: enough to tell, without reading the batch, whether a
//! record that is looked for can be in it.
//!
//! KV takes 1,024 bytes of it (developers.cloudflare.com/kv, limits) and gives them back with each
//! listing, so the machines are in a Bloom filter: ten bits and six hashes a machine as long as there is
//! room, which takes one in 120 other machines for one of them. Room ends at 512 machines a batch; with
//! 1,024 it is one in 11, with 2,048 one in three, with 13,000, the most that a batch has room for, nine in
//! ten: such a batch is read in vain, and nothing else happens. No machine that is in a batch is missed.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::bytes::fnv1a;
use crate::units::UnixMillis;

/// Bytes of the filter at most: 854 characters of the metadata.
const MOST_BYTES: usize = 640;
/// And at least, where ten bits a machine are fewer: a batch of one is mistaken for no other.
const FEWEST_BYTES: usize = 8;
const BITS_A_MACHINE: usize = 10;
const MOST_HASHES: u32 = 7;

/// The metadata of one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The time of its earliest record, in milliseconds.
    pub first: UnixMillis,
    /// The time of its latest.
    pub last: UnixMillis,
    /// How many records it has.
    pub count: u32,
    /// Bits that each machine sets.
    hashes: u32,
    /// The filter, base64.
    machines: String,
}

impl Label {
    /// The label of records with these keys: a machine, `:`, and a time each.
    pub fn of<'a>(keys: impl Iterator<Item = &'a str>) -> Self {
        let (mut first, mut last, mut count) = (None::<UnixMillis>, UnixMillis::default(), 0_u32);
        let mut hashes_of = HashSet::new();
        for key in keys {
            count = count.saturating_add(1);
            let (machine, at) = parts(key);
            if let Some(at) = at {
                first = Some(first.map_or(at, |first| first.min(at)));
                last = last.max(at);
            }
            hashes_of.insert(hash(machine));
        }
        let machines = hashes_of.len().max(1);
        let bytes = machines.saturating_mul(BITS_A_MACHINE).div_ceil(8).clamp(FEWEST_BYTES, MOST_BYTES);
        // The number that sets half of all bits, which leaves the fewest mistakes.
        let ideal = (bytes.saturating_mul(8 * 69) / 100).checked_div(machines).unwrap_or(0);
        let hashes = u32::try_from(ideal).unwrap_or(MOST_HASHES).clamp(1, MOST_HASHES);
        let mut filter = vec![0_u8; bytes];
        for hash in hashes_of {
            for (byte, bit) in places(hash, hashes, bytes) {
                if let Some(byte) = filter.get_mut(byte) {
                    *byte |= bit;
                }
            }
        }
        let first = first.unwrap_or_default();
        Self { first, last, count, hashes, machines: STANDARD_NO_PAD.encode(filter) }
    }

    /// Whether the batch may have records of a machine. `false` is certain.
    #[must_use]
    pub fn may_have(&self, machine: &str) -> bool {
        // A filter that cannot be read rules nothing out.
        let Ok(filter) = STANDARD_NO_PAD.decode(&self.machines) else { return true };
        let hashes = self.hashes.clamp(1, MOST_HASHES);
        filter.is_empty()
            || places(hash(machine), hashes, filter.len())
                .all(|(byte, bit)| filter.get(byte).is_some_and(|byte| byte & bit != 0))
    }
}

/// The machine and the time of a record's key. A machine's name may have colons of its own.
#[must_use]
pub fn parts(key: &str) -> (&str, Option<UnixMillis>) {
    /// `2026-11-23T02:40:00.000Z`.
    const TIME: usize = 24;
    let split = key.len().checked_sub(TIME).and_then(|at| key.split_at_checked(at));
    let parted =
        split.and_then(|(name, time)| Some((name.strip_suffix(':')?, UnixMillis::parse_rfc3339(time)?)));
    match parted {
        Some((machine, at)) => (machine, Some(at)),
        None => (key, None),
    }
}

/// A hash of a name. FNV leaves names alike that differ in their last letter only, hence forwards and
/// backwards, and mixed.
#[must_use]
pub fn hash(name: &str) -> u64 {
    let forwards = u64::from(fnv1a(name.bytes()));
    let backwards = u64::from(fnv1a(name.bytes().rev()));
    mix(forwards << 32 | backwards)
}

/// The finish of splitmix64.
const fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The bits of a machine: byte and bit for each hash.
fn places(hash: u64, hashes: u32, bytes: usize) -> impl Iterator<Item = (usize, u8)> {
    let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8).max(1);
    (1..=u64::from(hashes)).map(move |number| {
        // The remainder cannot fail: there is a bit at least.
        let place = mix(hash.wrapping_add(number)).checked_rem(bits).unwrap_or(0);
        (usize::try_from(place / 8).unwrap_or(0), 1_u8 << (place % 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-23T02:40:00.000Z";

    fn label(machines: usize) -> Label {
        let keys: Vec<String> = (0..machines).map(|number| format!("machine-{number}:{TIME}")).collect();
        Label::of(keys.iter().map(String::as_str))
    }

    /// How many of 10,000 machines that are not in it are taken for ones that are.
    fn mistakes(label: &Label) -> usize {
        (0..10_000).filter(|number| label.may_have(&format!("machine-x{number}"))).count()
    }

    #[test]
    fn no_machine_is_missed_and_few_are_mistaken() {
        for (machines, fewest, most) in
            [(1, 0, 1), (3, 0, 60), (100, 0, 130), (512, 0, 130), (1_024, 600, 1_100), (2_048, 2_500, 3_600)]
        {
            let label = label(machines);
            assert!((0..machines).all(|number| label.may_have(&format!("machine-{number}"))), "{machines}");
            let mistakes = mistakes(&label);
            assert!((fewest..=most).contains(&mistakes), "{machines} machines: {mistakes} of 10,000");
        }
    }

    #[test]
    fn it_fits_however_many_records_there_are() {
        // The smallest records and the largest batch: some 13,000 lines of 330 bytes in 4 MiB.
        for machines in [1, 10, 512, 13_000] {
            let text = serde_json::to_string(&label(machines)).unwrap();
            assert!(text.len() <= 1_024, "{machines}: {} bytes", text.len());
            assert_eq!(serde_json::from_str::<Label>(&text).unwrap(), label(machines));
        }
    }

    #[test]
    fn it_knows_the_first_and_the_last_in_whatever_order_they_come() {
        let at = |second: u64| UnixMillis::from_seconds(1_795_401_600 + second);
        let keys = [5, 2, 9].map(|second| format!("a:b:{}", at(second).rfc3339()));
        let label = Label::of(keys.iter().map(String::as_str));
        assert_eq!((label.first, label.last, label.count), (at(2), at(9), 3));
        assert!(label.may_have("a:b") && !label.may_have("a"));
    }

    #[test]
    fn its_form_is_pinned() {
        let text = serde_json::to_string(&label(1)).unwrap();
        assert_eq!(
            text,
            r#"{"first":1795401600000,"last":1795401600000,"count":1,"hashes":7,"machines":"CAEICDAAAIA"}"#
        );
        for odd in [
            r#"{"first":1,"last":2,"count":1,"hashes":0,"machines":""}"#,
            r#"{"first":1,"last":2,"count":1,"hashes":9,"machines":"?"}"#,
        ] {
            assert!(serde_json::from_str::<Label>(odd).unwrap().may_have("any"), "{odd}");
        }
    }

    #[test]
    fn keys_are_taken_apart() {
        let at = UnixMillis::parse_rfc3339(TIME);
        assert_eq!(parts(&format!("net~2001-db8--_64:{TIME}")), ("net~2001-db8--_64", at));
        assert_eq!(parts(&format!("a:b:{TIME}")), ("a:b", at));
        for odd in ["", "x", "m:yesterday", TIME, "日本語日本語日本語日本語", &format!("é{TIME}")]
        {
            assert_eq!(parts(odd), (odd, None));
        }
    }
}

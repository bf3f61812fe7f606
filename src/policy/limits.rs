//! What a machine may use: a rate, a burst, a number of requests in flight, money a day.

use crate::ledger::bucket::Quota;
use crate::policy::day::DayStart;
use crate::policy::plans::{Plan, Plans};
use crate::units::NanoUsd;

/// Everything the ledger has to hold to, taken from the settings.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Every plan by its name.
    pub plans: Plans,
    /// `DAILY_USD`: the cap of the whole service.
    pub service_daily: NanoUsd,
    /// `DAY_STARTS_AT`.
    pub day: DayStart,
    /// `ENROLLMENT_DIFFICULTY`, in leading zero bits.
    pub enrolment_difficulty: u8,
    /// `SHARDS`: ledger objects that machines are spread over. It takes effect when a day begins.
    pub shards: u32,
}

impl Limits {
    /// The plan with this name.
    #[must_use]
    pub fn plan(&self, name: &str) -> Option<&Plan> {
        self.plans.get(name)
    }
}

/// Reads a rate, `N/second|minute|hour|day`, as a bucket with the given burst.
/// `None` when the form is wrong, the number is zero, or it is more than one a microsecond.
#[must_use]
pub fn parse_rate(text: &str, burst: u32) -> Option<Quota> {
    let (count, unit) = text.split_once('/')?;
    let window_seconds = match unit {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    let count = parse_whole(count)?;
    Quota::new(u32::try_from(count).ok()?, window_seconds, burst)
}

/// Reads a whole number without sign, space or leading zeros.
#[must_use]
pub fn parse_whole(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    (plain && !text.is_empty()).then(|| text.parse().ok())?
}

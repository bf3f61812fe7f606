//! The units that the gateway counts in, one type each, so that seconds never meet milliseconds
//! and dollars are never floats.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Money in nano-dollars (10⁻⁹ USD). An integer, because a sum of floats drifts and a spend cap
/// must not. `u64` holds eighteen billion dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(u64);

impl NanoUsd {
    /// No money.
    pub const ZERO: Self = Self(0);

    const PER_USD: u64 = 1_000_000_000;

    /// `nanos` nano-dollars.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The amount in nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The amount in whole micro-dollars, rounded down.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0 / 1_000
    }

    /// Sum, or `None` past the largest amount.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// Sum, held at the largest amount: for totals, where the largest amount is over any cap.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference, held at zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This amount for each of `count` things, held at the largest amount.
    #[must_use]
    pub const fn saturating_mul(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// Reads a plain decimal number of dollars: `5`, `5.00`, `0.05`; at most nine places.
    /// No sign, exponent, separator or space, so that what is read is what was meant.
    #[must_use]
    pub fn parse_usd(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
            return None;
        }
        let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
        let whole: u64 = whole.parse().ok()?;
        whole.checked_mul(Self::PER_USD)?.checked_add(nanos).map(Self)
    }
}

/// Dollars as the contract writes them: a decimal string without trailing zeros, `0` for nothing.
impl fmt::Display for NanoUsd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / Self::PER_USD;
        let rest = self.0 % Self::PER_USD;
        if rest == 0 {
            return write!(formatter, "{whole}");
        }
        let fraction = format!("{rest:09}");
        write!(formatter, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// A moment, in milliseconds since the Unix epoch: what the platform's clock gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// `seconds` seconds after the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000
    }

    /// Nanoseconds since the epoch, held at the largest (the year 2554).
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0.saturating_mul(1_000_000)
    }

    /// This moment and `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Reads RFC 3339 in UTC, `2026-11-23T02:40:00Z`, with or without three digits of milliseconds.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let (time, millis) = time.split_once('.').unwrap_or((time, "000"));
        let number = |text: &str, digits: usize| {
            let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| text.parse::<u64>().ok())?
        };
        let mut date = date.splitn(3, '-');
        let (year, month, day) =
            (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
        let mut time = time.splitn(3, ':');
        let (hour, minute, second) =
            (number(time.next()?, 2)?, number(time.next()?, 2)?, number(time.next()?, 2)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = days_from_civil(year, month, day)?
            .checked_mul(86_400)?
            .checked_add(hour.checked_mul(3_600)?)?
            .checked_add(minute.checked_mul(60)?)?
            .checked_add(second)?;
        Some(Self(seconds.checked_mul(1_000)?.checked_add(number(millis, 3)?)?))
    }

    /// RFC 3339 in UTC with milliseconds, `2026-11-23T02:40:00.000Z`: the form of log keys, whose
    /// order as text is their order in time.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let (year, month, day) = civil_from_days(self.seconds() / 86_400);
        let second_of_day = self.seconds() % 86_400;
        format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second_of_day / 3_600,
            second_of_day / 60 % 60,
            second_of_day % 60,
            self.0 % 1_000
        )
    }
}

/// Days from 1970-01-01 to a civil date, or `None` for a date that is none.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    // The first day whose date is this one or later: dates grow with their days.
    let (mut low, mut high) = (0_u64, 3_000_000_u64);
    while low < high {
        let middle = low.midpoint(high);
        if civil_from_days(middle) < (year, month, day) {
            low = middle.saturating_add(1)
        } else {
            high = middle
        }
    }
    (civil_from_days(low) == (year, month, day)).then_some(low)
}

/// The civil date of a day counted from 1970-01-01, in the proleptic Gregorian calendar: years of
/// 365 days with the leap days counted off by 4, 100 and 400 years from a March-based year.
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    // Days from 0000-03-01, so that the leap day is the last day of a year.
    let days = days.saturating_add(719_468);
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let leap_days =
        (day_of_era / 1_460).saturating_sub(day_of_era / 36_524).saturating_add(day_of_era / 146_096);
    let year_of_era = day_of_era.saturating_sub(leap_days) / 365;
    let before_year =
        year_of_era.saturating_mul(365).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100);
    let day_of_year = day_of_era.saturating_sub(before_year);
    let march_month = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    let before_month = march_month.saturating_mul(153).saturating_add(2) / 5;
    let day = day_of_year.saturating_sub(before_month).saturating_add(1);
    let month = if march_month < 10 { march_month.saturating_add(3) } else { march_month.saturating_sub(9) };
    let year =
        era.saturating_mul(400).saturating_add(year_of_era).saturating_add(if month <= 2 { 1 } else { 0 });
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_exactly_or_not_at_all() {
        for (text, nanos) in
            [("5", 5_000_000_000), ("5.00", 5_000_000_000), ("0.05", 50_000_000), ("0.000000001", 1)]
        {
            assert_eq!(NanoUsd::parse_usd(text), Some(NanoUsd::from_nanos(nanos)), "{text}");
        }
        for text in [
            "",
            ".",
            "5.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,000",
            " 1",
            "1 ",
            "0.0000000001",
            "99999999999999999999",
            "$5",
            "٥",
        ] {
            assert_eq!(NanoUsd::parse_usd(text), None, "{text:?}");
        }
    }

    #[test]
    fn dollars_are_written_without_trailing_zeros() {
        for (nanos, text) in [(0, "0"), (50_000_000, "0.05"), (5_000_000_000, "5"), (1, "0.000000001")] {
            assert_eq!(NanoUsd::from_nanos(nanos).to_string(), text);
        }
    }

    #[test]
    fn moments_are_written_as_rfc3339() {
        // Each is what `date -u -d @N +%FT%T` prints.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (1_795_401_599, "2026-11-23T02:39:59.000Z"),
        ] {
            assert_eq!(UnixMillis::from_seconds(seconds).rfc3339(), text);
            assert_eq!(UnixMillis::parse_rfc3339(text), Some(UnixMillis::from_seconds(seconds)));
        }
        for text in [
            "",
            "2026-02-29T00:00:00Z",
            "2026-11-23 00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-1-2T00:00:00Z",
            "2026-11-23T00:00:00",
            "2026-11-23T00:00:00+00:00",
            "1969-12-31T00:00:00Z",
        ] {
            assert_eq!(UnixMillis::parse_rfc3339(text), None, "{text}");
        }
        assert_eq!(UnixMillis::from_millis(1_007).rfc3339(), "1970-01-01T00:00:01.007Z");
    }
}

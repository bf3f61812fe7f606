//! Spending days: which one a moment belongs to, and when it ends.

use serde::{Deserialize, Serialize};

use crate::units::UnixMillis;

const SECONDS_A_DAY: u64 = 86_400;

/// The number of a spending day; days that begin at the same time of day have successive numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(u64);

impl Day {
    /// The day with this number.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The day's number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// When a spending day begins: `DAY_STARTS_AT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayStart {
    /// Seconds after 00:00 UTC at which a day begins.
    second_of_utc_day: u64,
}

impl DayStart {
    /// Reads `HH:MM` followed by `Z` or an offset `+HH:MM` / `-HH:MM`. The offset is required: a
    /// reset time whose zone is guessed is wrong for somebody.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (time, zone) = text.split_at_checked(5)?;
        let local = minutes(time, 23)?;
        let east = match zone.split_at_checked(1)? {
            ("Z", "") => 0,
            ("+", offset) => minutes(offset, 14)?,
            // West of Greenwich the same clock time comes later; a whole day keeps it positive.
            ("-", offset) => 1_440_u64.checked_sub(minutes(offset, 14)?)?,
            _ => return None,
        };
        let minute_of_utc_day = local.checked_add(2_880)?.checked_sub(east)? % 1_440;
        Some(Self { second_of_utc_day: minute_of_utc_day.checked_mul(60)? })
    }

    /// The spending day of a moment.
    #[must_use]
    pub fn day_of(self, now: UnixMillis) -> Day {
        // One day is added before the shift so that the first hours of 1970 do not go below zero.
        let shifted = now.seconds().saturating_add(SECONDS_A_DAY).saturating_sub(self.second_of_utc_day);
        Day(shifted / SECONDS_A_DAY)
    }

    /// The moment at which a day ends and the next begins.
    #[must_use]
    pub fn end_of(self, day: Day) -> UnixMillis {
        UnixMillis::from_seconds(day.0.saturating_mul(SECONDS_A_DAY).saturating_add(self.second_of_utc_day))
    }
}

/// Minutes of `HH:MM`, with hours up to `most_hours`.
fn minutes(text: &str, most_hours: u64) -> Option<u64> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u64>().ok())?
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours <= most_hours && minutes <= 59).then(|| hours.checked_mul(60)?.checked_add(minutes))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_read_with_its_zone_or_not_at_all() {
        for (text, second) in [
            ("00:00Z", 0),
            ("08:30Z", 30_600),
            ("00:00+08:00", 57_600),
            ("00:00-05:00", 18_000),
            ("23:00-05:00", 14_400),
            ("00:00+05:30", 66_600),
        ] {
            assert_eq!(DayStart::parse(text).map(|start| start.second_of_utc_day), Some(second), "{text}");
        }
        for text in [
            "",
            "00:00",
            "24:00Z",
            "0:00Z",
            "00:60Z",
            "00:00z",
            "00:00 Z",
            "00:00+0800",
            "00:00+15:00",
            "midnight",
        ] {
            assert_eq!(DayStart::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_day_ends_where_the_next_begins() {
        for text in ["00:00Z", "00:00+08:00", "23:59-11:30"] {
            let start = DayStart::parse(text).unwrap();
            for seconds in [0, 1, 86_399, 86_400, 1_795_401_599, 1_795_478_400] {
                let now = UnixMillis::from_seconds(seconds);
                let day = start.day_of(now);
                let end = start.end_of(day);
                assert!(end > now, "{text} {seconds}");
                assert!(end.since(now).as_secs() <= SECONDS_A_DAY, "{text} {seconds}");
                assert_eq!(start.day_of(end), Day(day.0 + 1), "{text} {seconds}");
            }
        }
    }

    #[test]
    fn the_offset_moves_the_reset() {
        let beijing = DayStart::parse("00:00+08:00").unwrap();
        // 2026-11-22T15:59:59Z is a second before midnight in Beijing.
        let before = UnixMillis::from_seconds(1_795_363_199);
        let after = UnixMillis::from_seconds(1_795_363_200);
        assert_ne!(beijing.day_of(before), beijing.day_of(after));
        let utc = DayStart::parse("00:00Z").unwrap();
        assert_eq!(utc.day_of(before), utc.day_of(after));
    }
}

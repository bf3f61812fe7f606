//! What a model costs: `policies/prices.toml`, as integers of nano-dollars a token.

use crate::units::{NanoUsd, UnixMillis};

include!(concat!(env!("OUT_DIR"), "/prices.rs"));

/// A model and its prices over time, latest period last.
#[derive(Debug, PartialEq, Eq)]
pub struct ModelPrice {
    /// The name sent to the upstream as `model`.
    pub model: &'static str,
    /// How it wants to be asked.
    pub request: RequestForm,
    /// Periods in order of their start.
    pub periods: &'static [Period],
}

/// Members of a chat completion request in which models differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestForm {
    /// The member that limits the output: `max_tokens` or `max_completion_tokens`.
    pub output_limit: &'static str,
    /// Whether the model takes a `temperature`.
    pub temperature: bool,
    /// Whether it has to be told not to think (DeepSeek's `thinking` member).
    pub thinking_off: bool,
}

/// The prices from one moment until the next period begins.
#[derive(Debug, PartialEq, Eq)]
pub struct Period {
    /// First second of the period, since the Unix epoch.
    pub from_unix_seconds: u64,
    /// Prices outside every window.
    pub rates: Rates,
    /// Hours with prices of their own.
    pub peak: &'static [Window],
}

/// Hours of the week, in UTC, with prices of their own.
#[derive(Debug, PartialEq, Eq)]
pub struct Window {
    /// Days on which the window applies; bit 0 is Monday.
    pub weekdays: u8,
    /// First minute of the window, counted from 00:00 UTC.
    pub from_minute: u16,
    /// First minute after the window.
    pub to_minute: u16,
    /// Prices within the window.
    pub rates: Rates,
}

/// Nano-dollars a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// An input token that the provider has not cached.
    pub input: u64,
    /// An input token that the provider has cached.
    pub cached_input: u64,
    /// An output token, hidden reasoning included.
    pub output: u64,
}

/// The prices of `model`, if `policies/prices.toml` has it.
#[must_use]
pub fn find(model: &str) -> Option<&'static ModelPrice> {
    PRICES.iter().find(|price| price.model == model)
}

impl ModelPrice {
    /// The dearest prices in force at either of two moments less than a minute apart: windows and
    /// periods begin on whole minutes, so no third price can lie between them.
    #[must_use]
    pub fn dearest(&self, from: UnixMillis, until: UnixMillis) -> Rates {
        self.at(from).dearer(self.at(until))
    }

    /// The prices in force at a moment; before the first period, those of the first.
    fn at(&self, now: UnixMillis) -> Rates {
        let current = self.periods.iter().rev().find(|period| period.from_unix_seconds <= now.seconds());
        let Some(period) = current.or(self.periods.first()) else {
            // The build refuses a model without a period; a price beyond any cap refuses all the same.
            return Rates { input: u64::MAX, cached_input: u64::MAX, output: u64::MAX };
        };
        let minute_of_day = now.seconds() % 86_400 / 60;
        // 1970-01-01 was a Thursday, day 3 of a week that begins on Monday.
        let weekday = (now.seconds() / 86_400).saturating_add(3) % 7;
        let open = |window: &&Window| {
            u64::from(window.weekdays) >> weekday & 1 == 1
                && (u64::from(window.from_minute)..u64::from(window.to_minute)).contains(&minute_of_day)
        };
        period.peak.iter().find(open).map_or(period.rates, |window| window.rates)
    }
}

impl Rates {
    /// What a call can cost at most: every byte of the prompt a token of its own and not cached,
    /// and the whole output allowance used.
    #[must_use]
    pub fn bound(self, most_input_tokens: u64, most_output_tokens: u64) -> NanoUsd {
        NanoUsd::from_nanos(self.input.max(self.cached_input))
            .saturating_mul(most_input_tokens)
            .saturating_add(NanoUsd::from_nanos(self.output).saturating_mul(most_output_tokens))
    }

    /// What a call did cost, by the provider's own count. `cached` is the cached part of `input`.
    #[must_use]
    pub fn cost(self, input: u64, cached: u64, output: u64) -> NanoUsd {
        let cached = cached.min(input);
        NanoUsd::from_nanos(self.input)
            .saturating_mul(input.saturating_sub(cached))
            .saturating_add(NanoUsd::from_nanos(self.cached_input).saturating_mul(cached))
            .saturating_add(NanoUsd::from_nanos(self.output).saturating_mul(output))
    }

    /// For each kind of token the higher price of two.
    fn dearer(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            cached_input: self.cached_input.max(other.cached_input),
            output: self.output.max(other.output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: Rates = Rates { input: 220, cached_input: 7, output: 660 };
    const HIGH: Rates = Rates { input: 440, cached_input: 14, output: 1320 };
    const OLD: Rates = Rates { input: 140, cached_input: 3, output: 280 };
    const MODEL: ModelPrice = ModelPrice {
        model: "example",
        request: RequestForm { output_limit: "max_tokens", temperature: true, thinking_off: false },
        periods: &[
            Period { from_unix_seconds: 0, rates: OLD, peak: &[] },
            Period {
                // 2026-08-16T16:00:00Z
                from_unix_seconds: 1_786_896_000,
                rates: LOW,
                peak: &[Window { weekdays: 0b001_1111, from_minute: 60, to_minute: 240, rates: HIGH }],
            },
        ],
    };

    #[test]
    fn the_price_follows_the_date_the_hour_and_the_weekday() {
        for (seconds, rates, why) in [
            (1_786_895_999, OLD, "a second before the new prices"),
            (1_786_896_000, LOW, "the first second of the new prices, 16:00"),
            (1_795_395_599, LOW, "Monday 2026-11-23, a second before 01:00"),
            (1_795_395_600, HIGH, "Monday 01:00"),
            (1_795_406_399, HIGH, "Monday, a second before 04:00"),
            (1_795_406_400, LOW, "Monday 04:00"),
            (1_795_395_600 - 86_400, LOW, "Sunday 01:00"),
            (1_795_395_600 - 3 * 86_400, HIGH, "Friday 01:00"),
        ] {
            assert_eq!(MODEL.at(UnixMillis::from_seconds(seconds)), rates, "{why}");
        }
    }

    #[test]
    fn the_dearest_price_until_the_deadline_counts() {
        let before = UnixMillis::from_seconds(1_795_395_599);
        let after = UnixMillis::from_seconds(1_795_395_601);
        assert_eq!(MODEL.dearest(before, after), HIGH);
        assert_eq!(MODEL.dearest(before, before), LOW);
    }

    #[test]
    fn the_cost_is_never_over_the_bound() {
        for (input, cached, output) in [(0, 0, 0), (100, 0, 10), (100, 100, 150), (100, 900, 150)] {
            assert!(LOW.cost(input, cached, output) <= LOW.bound(100, 150));
        }
        assert_eq!(LOW.cost(1_000, 400, 10), NanoUsd::from_nanos(600 * 220 + 400 * 7 + 10 * 660));
    }

    #[test]
    fn every_shipped_model_has_a_price_for_each_kind_of_token() {
        for model in PRICES {
            for period in model.periods {
                let windows = period.peak.iter().map(|window| window.rates);
                for rates in windows.chain([period.rates]) {
                    assert!(rates.input > 0 && rates.output > 0, "{}", model.model);
                }
            }
        }
        assert!(find("deepseek-chat").is_some());
        assert!(find("no-such-model").is_none());
    }
}

//! The same for Prometheus: `GET /admin/metrics`. Counters begin at zero with each spending day, which
//! Prometheus takes for a restart.

use std::fmt::{self, Display, Write as _};

use super::gather::{Gathered, Gone};
use super::usage::refusals;
use crate::ledger::fund::SERVICE;
use crate::ledger::shard::plan_pool;
use crate::ledger::tally::OfPlan;
use crate::ledger::wire::ended::{Ending, Source};
use crate::policy::limits::Limits;
use crate::reject::Reject;
use crate::seams::Ledger;
use crate::units::UnixMillis;

/// The text format's media type.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4";

const PREFIX: &str = "pip_aide_gateway_";

/// Asks every object of the ledger.
///
/// # Errors
/// [`Reject::LedgerUnavailable`].
pub async fn metrics<L: Ledger>(limits: &Limits, ledger: &L, now: UnixMillis) -> Result<String, Reject> {
    let gathered = Gathered::ask(ledger, 1, now).await?;
    let mut page = Page::default();
    page.counters(&gathered);
    page.money(limits, &gathered);
    page.latency(&gathered);
    page.platform(&gathered);
    Ok(page.0)
}

/// A page in the making (prometheus.io/docs/instrumenting/exposition_formats, text-based format).
#[derive(Debug, Default)]
struct Page(String);

/// What kind of metric.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Page {
    /// Begins a metric. Writing to a text does not fail.
    fn begin(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = write!(self.0, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "{PREFIX}{name}");
        for (place, (label, value)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", Escaped(value));
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// A metric of one number.
    fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.begin(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A metric with one label.
    fn by<'a, V: Display>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, V)>,
    ) {
        self.begin(name, kind, help);
        for (of, value) in values {
            self.sample(name, &[(label, of)], value);
        }
    }

    fn counters(&mut self, gathered: &Gathered) {
        let today = gathered.today();
        let outcomes = Ending::ALL.iter().map(|of| (of.name(), today.outcomes.get(of.place())));
        self.by(
            "requests_total",
            Kind::Counter,
            "Admitted requests of the spending day that are over, by how they ended.",
            "outcome",
            outcomes,
        );
        let sources = || Source::ALL.iter().map(|of| (of.name(), today.sources.get(of.place())));
        let none = ("none", today.without_answer());
        self.by(
            "answers_total",
            Kind::Counter,
            "The same by where their answers came from.",
            "source",
            sources().chain([none]),
        );
        let requests = today.requests();
        self.by(
            "answers_ratio",
            Kind::Gauge,
            "The share of each source in the requests of the spending day.",
            "source",
            sources().map(|(source, count)| (source, Thousandths::share(count, requests))),
        );
        let plans = today.plans.iter().map(|(plan, OfPlan(requests, _))| (plan.as_str(), *requests));
        self.by("plan_requests_total", Kind::Counter, "The same by plan.", "plan", plans);
        self.by(
            "refusals_total",
            Kind::Counter,
            "Requests of the spending day that a limit refused, and analyses refused otherwise, by reason.",
            "reason",
            refusals(&today),
        );
        self.by(
            "tokens_total",
            Kind::Counter,
            "Tokens of the spending day that providers counted.",
            "direction",
            [("input", today.tokens.get(0)), ("output", today.tokens.get(1))],
        );
    }

    fn money(&mut self, limits: &Limits, gathered: &Gathered) {
        let today = gathered.today();
        self.one(
            "charged_usd_total",
            Kind::Counter,
            "What the requests of the spending day that are over were charged.",
            today.spent,
        );
        let plans = today.plans.iter().map(|(plan, OfPlan(_, spent))| (plan.as_str(), *spent));
        self.by("plan_charged_usd_total", Kind::Counter, "The same by plan.", "plan", plans);
        let capped =
            limits.plans.iter().filter_map(|(plan, limits)| Some((plan.clone(), limits.total_daily?)));
        let caps: Vec<_> = std::iter::once((SERVICE.to_owned(), SERVICE.to_owned(), limits.service_daily))
            .chain(capped.map(|(plan, cap)| (plan_pool(&plan), format!("plan:{plan}"), cap)))
            .map(|(pool, name, cap)| (name, cap, gathered.gone(&pool)))
            .collect();
        for (metric, help) in [
            ("spent_usd", "What is gone of a cap that machines share, this spending day."),
            ("reserved_usd", "What is set aside of it for requests in flight."),
            ("cap_usd", "The cap."),
        ] {
            self.begin(metric, Kind::Gauge, help);
            for (name, cap, Gone { spent, reserved }) in &caps {
                let value = match metric {
                    "spent_usd" => spent,
                    "reserved_usd" => reserved,
                    _ => cap,
                };
                self.sample(metric, &[("cap", name)], value);
            }
        }
        self.one(
            "model_enabled",
            Kind::Gauge,
            "1 while the model may be asked, 0 while an operator has switched it off.",
            u8::from(gathered.is_model_on()),
        );
    }

    fn latency(&mut self, gathered: &Gathered) {
        let latency = gathered.today().latency;
        let name = "request_duration_seconds";
        self.begin(name, Kind::Histogram, "From a request's arrival to its answer, this spending day.");
        let bucket = format!("{name}_bucket");
        for (bound, up_to) in latency.cumulative() {
            self.sample(&bucket, &[("le", &Thousandths(bound).to_string())], up_to);
        }
        self.sample(&bucket, &[("le", "+Inf")], latency.count());
        self.sample(&format!("{name}_sum"), &[], Thousandths(latency.sum_ms()));
        self.sample(&format!("{name}_count"), &[], latency.count());
    }

    fn platform(&mut self, gathered: &Gathered) {
        let allowances = gathered.allowances();
        let names = allowances.map(|(name, ..)| name.replace(' ', "_"));
        let named = |value: fn(&(&str, u64, u64)) -> u64| {
            names.iter().map(String::as_str).zip(allowances.iter().map(value)).collect::<Vec<_>>()
        };
        self.by(
            "operations_total",
            Kind::Counter,
            "Operations of the UTC day, as the free plan counts them.",
            "operation",
            named(|(_, used, _)| *used),
        );
        self.by(
            "operations_allowance",
            Kind::Gauge,
            "The free plan's allowance of each a day.",
            "operation",
            named(|(.., of)| *of),
        );
        let shards = &gathered.shards;
        let sum = |of: fn(&crate::ledger::wire::state::ShardState) -> u64| {
            shards.iter().map(of).fold(0_u64, u64::saturating_add)
        };
        self.one("shards", Kind::Gauge, "Shards of the ledger today.", gathered.treasury.shards);
        self.one(
            "reservations_open",
            Kind::Gauge,
            "Requests in flight, for which money may be set aside.",
            sum(|shard| shard.open),
        );
        self.one(
            "log_records_waiting",
            Kind::Gauge,
            "Log records that wait in the ledger for KV.",
            sum(|shard| shard.log_records),
        );
        self.one(
            "log_records_dropped_total",
            Kind::Counter,
            "Log records dropped for want of room, ever.",
            sum(|shard| shard.log_dropped),
        );
        self.begin("shard_restores_total", Kind::Counter, "How often a shard was restored from storage.");
        for shard in shards {
            let number = shard.shard.to_string();
            self.sample("shard_restores_total", &[("shard", &number)], shard.epoch.saturating_sub(1));
        }
        self.begin("build_info", Kind::Gauge, "The version that answers.");
        self.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    }
}

/// A label's value: backslash, quote and line feed are escaped.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '\\' => formatter.write_str("\\\\"),
            '"' => formatter.write_str("\\\""),
            '\n' => formatter.write_str("\\n"),
            letter => formatter.write_char(letter),
        })
    }
}

/// A number of thousandths, as a decimal: no float is reckoned with.
struct Thousandths(u64);

impl Thousandths {
    /// A part of a whole, rounded down.
    fn share(part: u64, whole: u64) -> Self {
        Self(part.saturating_mul(1_000).checked_div(whole).unwrap_or(0))
    }
}

impl Display for Thousandths {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 1_000, self.0 % 1_000) {
            (whole, 0) => write!(formatter, "{whole}"),
            (whole, rest) => {
                let rest = format!("{rest:03}");
                write!(formatter, "{whole}.{}", rest.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_labels_are_written_as_the_format_says() {
        let text = |thousandths| Thousandths(thousandths).to_string();
        assert_eq!([0, 5, 25, 1_000, 2_500, 60_000].map(text), ["0", "0.005", "0.025", "1", "2.5", "60"]);
        assert_eq!(Thousandths::share(1, 3).to_string(), "0.333");
        assert_eq!(Thousandths::share(0, 0).to_string(), "0");
        let mut page = Page::default();
        page.by("x_total", Kind::Counter, "Of x.", "plan", [("a\\b\"c\nd", 7)]);
        assert_eq!(
            page.0,
            "# HELP pip_aide_gateway_x_total Of x.\n# TYPE pip_aide_gateway_x_total counter\n\
             pip_aide_gateway_x_total{plan=\"a\\\\b\\\"c\\nd\"} 7\n"
        );
    }
}

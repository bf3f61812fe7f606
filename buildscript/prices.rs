//! `policies/prices.toml` to the table of prices.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::value::{Date, Datetime, Offset};

use super::place;

/// No token costs a hundredth of a dollar: a larger price was written in another unit.
const MAX_NANO_USD: u64 = 10_000_000;
const MINUTES_PER_DAY: u16 = 24 * 60;
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    model: Vec<Spanned<Model>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    name: String,
    source: String,
    checked: Datetime,
    #[serde(default)]
    request: Request,
    price: Vec<Spanned<Period>>,
}

/// How the model wants to be asked, where that is not as OpenAI's first models were.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
struct Request {
    #[serde(default)]
    output_limit: OutputLimit,
    /// `false`: the model takes no `temperature`.
    temperature: Option<bool>,
    /// `false` turns the thinking off that the model does unasked.
    thinking: Option<bool>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutputLimit {
    #[default]
    MaxTokens,
    MaxCompletionTokens,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Period {
    from: Option<Datetime>,
    input: u64,
    cached_input: u64,
    output: u64,
    #[serde(default)]
    peak: Vec<Peak>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Peak {
    weekdays: Vec<String>,
    from: String,
    to: String,
    percent: Option<u64>,
    input: Option<u64>,
    cached_input: Option<u64>,
    output: Option<u64>,
}

#[derive(Clone, Copy)]
struct Rates {
    input: u64,
    cached_input: u64,
    output: u64,
}

struct Window {
    weekdays: u8,
    from_minute: u16,
    to_minute: u16,
    rates: Rates,
}

/// The Rust table, or what is wrong with the file.
pub fn compile(policies: &Path) -> Result<String, String> {
    place::read(&policies.join("prices.toml"), render)
}

pub fn render(text: &str) -> Result<String, String> {
    let file: File = toml::from_str(text).map_err(|error| place::parsed(text, &error))?;
    let mut models = BTreeMap::new();
    for spanned in &file.model {
        let model = spanned.get_ref();
        let here = spanned.span().start;
        let entry = render_model(model).map_err(|(offset, reason)| {
            place::at(text, offset.unwrap_or(here), format!("model {:?}: {reason}", model.name))
        })?;
        if models.insert(&model.name, entry).is_some() {
            return Err(place::at(text, here, format!("model {:?} is there twice", model.name)));
        }
    }
    let entries: String = models.into_values().collect();
    Ok(format!(
        "/// The models that have a price, in the order of their names.\n\
         pub static PRICES: &[crate::policy::prices::ModelPrice] = &[\n{entries}];\n"
    ))
}

/// The table entry, or why there is none and, where it is one of the prices, its byte.
fn render_model(model: &Model) -> Result<String, (Option<usize>, String)> {
    check_model(model).map_err(|reason| (None, reason))?;
    let mut entry = format!(
        "crate::policy::prices::ModelPrice {{ model: {:?}, request: {}, periods: &[\n",
        model.name,
        render_request(&model.request).map_err(|reason| (None, reason))?
    );
    let mut last = None;
    for spanned in &model.price {
        let fail = |reason: String| (Some(spanned.span().start), reason);
        let period = spanned.get_ref();
        let from = period.from.map_or(Ok(0), unix_seconds).map_err(fail)?;
        if last.is_some_and(|last| from <= last) {
            return Err(fail("its prices are not in the order of `from`".to_owned()));
        }
        last = Some(from);
        entry.push_str(&render_period(from, period).map_err(fail)?);
    }
    entry.push_str("] },\n");
    Ok(entry)
}

fn check_model(model: &Model) -> Result<(), String> {
    if model.name.is_empty() || model.name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("the name is empty or has white space in it".to_owned());
    }
    if !model.source.starts_with("https://") {
        return Err(format!("source {:?} is not an https address", model.source));
    }
    if model.checked.time.is_some() || model.checked.date.is_none() {
        return Err(format!("checked {} is not a date", model.checked));
    }
    if model.price.is_empty() { Err("it has no price".to_owned()) } else { Ok(()) }
}

fn render_request(request: &Request) -> Result<String, String> {
    if request.thinking == Some(true) {
        return Err("thinking = true is not supported: it would take up the answer's tokens".to_owned());
    }
    Ok(format!(
        "crate::policy::prices::RequestForm {{ output_limit: {:?}, temperature: {}, thinking_off: {} }}",
        match request.output_limit {
            OutputLimit::MaxTokens => "max_tokens",
            OutputLimit::MaxCompletionTokens => "max_completion_tokens",
        },
        request.temperature != Some(false),
        request.thinking == Some(false)
    ))
}

fn render_period(from: u64, period: &Period) -> Result<String, String> {
    let rates = Rates { input: period.input, cached_input: period.cached_input, output: period.output };
    check_rates(rates)?;
    let mut windows: Vec<Window> = Vec::new();
    for peak in &period.peak {
        let window = read_window(peak, rates)?;
        if windows.iter().any(|other| overlap(other, &window)) {
            return Err(format!("the peak window {} to {} overlaps another", peak.from, peak.to));
        }
        windows.push(window);
    }
    let mut code = format!(
        "  crate::policy::prices::Period {{ from_unix_seconds: {from}, rates: {}, peak: &[\n",
        render_rates(rates)
    );
    for Window { weekdays, from_minute, to_minute, rates } in windows {
        let rates = render_rates(rates);
        code.push_str(&format!(
            "    crate::policy::prices::Window {{ weekdays: {weekdays:#09b}, from_minute: {from_minute}, \
             to_minute: {to_minute}, rates: {rates} }},\n"
        ));
    }
    code.push_str("  ] },\n");
    Ok(code)
}

fn render_rates(Rates { input, cached_input, output }: Rates) -> String {
    format!(
        "crate::policy::prices::Rates {{ input: {input}, cached_input: {cached_input}, output: {output} }}"
    )
}

fn check_rates(Rates { input, cached_input, output }: Rates) -> Result<(), String> {
    if input == 0 || output == 0 {
        return Err("input and output must cost something, or no cap would hold".to_owned());
    }
    if cached_input > input {
        return Err("cached_input is dearer than input".to_owned());
    }
    if input.max(output) > MAX_NANO_USD {
        return Err(format!("a price is over {MAX_NANO_USD}: the unit is nano-dollars a token"));
    }
    Ok(())
}

fn read_window(peak: &Peak, ordinary: Rates) -> Result<Window, String> {
    let rates = match (peak.percent, peak.input, peak.cached_input, peak.output) {
        (Some(percent), None, None, None) => percent_of(ordinary, percent)?,
        (None, Some(input), Some(cached_input), Some(output)) => Rates { input, cached_input, output },
        _ => return Err("a peak window has either percent, or input, cached_input and output".to_owned()),
    };
    check_rates(rates)?;
    let from_minute = minute_of_day(&peak.from)?;
    let to_minute = minute_of_day(&peak.to)?;
    if from_minute >= to_minute {
        return Err(format!("the peak window {} to {} ends before it begins", peak.from, peak.to));
    }
    Ok(Window { weekdays: weekday_bits(&peak.weekdays)?, from_minute, to_minute, rates })
}

/// Rounded up: never cheaper than the provider.
fn percent_of(rates: Rates, percent: u64) -> Result<Rates, String> {
    let scale = |rate: u64| rate.checked_mul(percent).map(|product| product.div_ceil(100));
    match (scale(rates.input), scale(rates.cached_input), scale(rates.output)) {
        (Some(input), Some(cached_input), Some(output)) => Ok(Rates { input, cached_input, output }),
        _ => Err(format!("{percent} percent is too much")),
    }
}

/// Bit 0 is Monday.
fn weekday_bits(names: &[String]) -> Result<u8, String> {
    let mut bits = 0;
    for name in names {
        let day = WEEKDAYS
            .iter()
            .position(|day| day == name)
            .ok_or_else(|| format!("weekday {name:?} is none of {}", WEEKDAYS.join(", ")))?;
        if bits & (1 << day) != 0 {
            return Err(format!("weekday {name:?} is there twice"));
        }
        bits |= 1 << day;
    }
    if bits == 0 { Err("a peak window has no weekdays".to_owned()) } else { Ok(bits) }
}

fn minute_of_day(text: &str) -> Result<u16, String> {
    let wrong = || format!("{text:?} is not a time of day as HH:MM, up to 24:00");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let two_digits = |part: &str| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u16>().ok())
            .flatten()
    };
    match (two_digits(hour), two_digits(minute)) {
        (Some(hour), Some(minute)) if minute < 60 && hour * 60 + minute <= MINUTES_PER_DAY => {
            Ok(hour * 60 + minute)
        }
        _ => Err(wrong()),
    }
}

fn overlap(one: &Window, other: &Window) -> bool {
    one.weekdays & other.weekdays != 0
        && one.from_minute < other.to_minute
        && other.from_minute < one.to_minute
}

fn unix_seconds(moment: Datetime) -> Result<u64, String> {
    let (Some(date), Some(time), Some(Offset::Z)) = (moment.date, moment.time, moment.offset) else {
        return Err(format!("from {moment} is not a date and time in UTC, such as 2026-09-10T04:00:00Z"));
    };
    // The ledger looks at the price at both ends of a call of less than a minute.
    if time.second.unwrap_or(0) != 0 || time.nanosecond.unwrap_or(0) != 0 {
        return Err(format!("from {moment} is not on a whole minute"));
    }
    let seconds = u64::from(time.hour) * 3_600 + u64::from(time.minute) * 60;
    Ok(days_since_1970(date)? * 86_400 + seconds)
}

fn days_since_1970(date: Date) -> Result<u64, String> {
    if date.year < 1970 {
        return Err(format!("from {date} is before 1970"));
    }
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let year = u64::from(date.year);
    let years: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let months: u64 = lengths.iter().take(usize::from(date.month) - 1).sum();
    Ok(years + months + u64::from(date.day) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "[[model]]\nname = \"m\"\nsource = \"https://example.com\"\nchecked = 2026-11-15\n";
    const RATES: &str = "input = 100\ncached_input = 3\noutput = 601\n";

    fn model(price: &str) -> Result<String, String> {
        render(&format!("{HEAD}[[model.price]]\n{price}"))
    }

    fn peak(window: &str) -> Result<String, String> {
        model(&format!("{RATES}peak = [{window}]"))
    }

    #[test]
    fn a_model_becomes_a_table_entry() {
        let code = model(&format!(
            "from = 2026-09-10T04:00:00Z\n{RATES}\
             peak = [{{ weekdays = [\"mon\", \"sun\"], from = \"01:00\", to = \"24:00\", percent = 150 }}]"
        ))
        .unwrap();
        // `date -u -d 2026-09-10T04:00:00Z +%s`
        assert!(code.contains("from_unix_seconds: 1789012800, rates: crate::policy::prices::Rates { input: 100, cached_input: 3, output: 601 }"), "{code}");
        assert!(code.contains("weekdays: 0b1000001, from_minute: 60, to_minute: 1440, rates: crate::policy::prices::Rates { input: 150, cached_input: 5, output: 902 }"), "{code}");
    }

    #[test]
    fn what_would_make_a_request_cheap_or_ambiguous_is_refused() {
        for (price, reason) in [
            ("input = 100\ncached_input = 3\noutput = 0\n", "must cost something"),
            ("input = 0\ncached_input = 0\noutput = 1\n", "must cost something"),
            ("input = 1\ncached_input = 2\noutput = 1\n", "dearer"),
            ("input = 1\ncached_input = 1\noutput = 10000001\n", "nano-dollars"),
            ("input = -1\ncached_input = 1\noutput = 1\n", "invalid value"),
            ("input = 0.5\ncached_input = 1\noutput = 1\n", "invalid type"),
            ("input = 1\noutput = 1\n", "missing field `cached_input`"),
            ("input = 1\ncached_input = 1\noutput = 1\nouptut = 2\n", "unknown field `ouptut`"),
            (&format!("from = 2026-09-10T04:00:01Z\n{RATES}"), "not on a whole minute"),
            (&format!("from = 2026-09-10\n{RATES}"), "not a date and time in UTC"),
            (&format!("from = 2026-09-10T04:00:00+08:00\n{RATES}"), "not a date and time in UTC"),
            (&format!("from = 2026-09-10T04:00:00Z\n{RATES}[[model.price]]\n{RATES}"), "order"),
        ] {
            let error = model(price).unwrap_err();
            assert!(error.contains(reason), "{price}: {error}");
        }
        let twice = format!("{HEAD}[[model.price]]\n{RATES}\n{HEAD}[[model.price]]\n{RATES}");
        assert!(render(&twice).unwrap_err().contains("twice"));
    }

    #[test]
    fn a_model_says_how_it_wants_to_be_asked() {
        let ask = |request: &str| render(&format!("{HEAD}{request}\n[[model.price]]\n{RATES}"));
        let form = "request: crate::policy::prices::RequestForm";
        let plain =
            format!("{form} {{ output_limit: \"max_tokens\", temperature: true, thinking_off: false }}");
        assert!(ask("").unwrap().contains(&plain));
        let other =
            "request = { output_limit = \"max_completion_tokens\", temperature = false, thinking = false }";
        let wanted = format!(
            "{form} {{ output_limit: \"max_completion_tokens\", temperature: false, thinking_off: true }}"
        );
        assert!(ask(other).unwrap().contains(&wanted));
        assert!(ask("request = { thinking = true }").unwrap_err().contains("not supported"));
        assert!(ask("request = { output_limit = \"tokens\" }").is_err());
    }

    #[test]
    fn a_wrong_peak_window_is_refused() {
        let ordinary = r#"{ weekdays = ["mon"], from = "01:00", to = "04:00", percent = 200 }"#;
        assert!(peak(ordinary).is_ok());
        assert!(peak(&format!("{ordinary}, {}", ordinary.replace("mon", "tue"))).is_ok());
        assert!(
            peak(&format!("{ordinary}, {}", ordinary.replace("01:00", "03:59")))
                .unwrap_err()
                .contains("overlaps")
        );
        for (from, to, reason) in [
            ("\"mon\"", "\"monday\"", "none of"),
            ("\"mon\"", "\"mon\", \"mon\"", "twice"),
            ("\"mon\"", "", "no weekdays"),
            ("01:00", "04:00", "ends before"),
            ("04:00", "24:01", "time of day"),
            ("04:00", "4:00", "time of day"),
            ("percent = 200", "percent = 0", "must cost something"),
            ("percent = 200", "percent = 200, input = 5", "either"),
            ("percent = 200", "input = 5", "either"),
        ] {
            let error = peak(&ordinary.replace(from, to)).unwrap_err();
            assert!(error.contains(reason), "{from} -> {to}: {error}");
        }
    }

    #[test]
    fn days_are_counted_as_the_calendar_has_them() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("2026-11-23T02:39:00Z", 1_795_401_540),
        ] {
            assert_eq!(unix_seconds(text.parse().unwrap()), Ok(seconds));
        }
    }
}

//! The names of settings: which there are, which only look like ours, and what was meant by one that
//! is not there.

use crate::policy::plans::{PLANS, STANDARD};
use crate::policy::upstreams;

/// Beginnings of names that are ours. A name that begins so and is not a setting is a mistake.
pub const PREFIXES: [&str; 20] = [
    "ANONYMOUS",
    "API_",
    "CACHE_",
    "CORS_",
    "DAILY_",
    "DAY_",
    "ENROL",
    "JWKS_",
    "JWT_",
    "LIMIT_",
    "LOG_",
    "MACHINE_",
    "MAX_",
    "MODEL",
    "OPERATOR_",
    "PLAN_",
    "RULES",
    "SHARDS",
    "TOKEN_",
    "UPSTREAM_",
];

/// Settings that stand alone; `PLAN_<NAME>_*` come besides.
pub const NAMES: [&str; 32] = [
    "ANONYMOUS",
    "API_BASE",
    "API_KEY",
    "CACHE_TTL_SECONDS",
    "CORS_ORIGINS",
    "DAILY_USD",
    "DAY_STARTS_AT",
    "ENROLLMENT",
    "ENROLLMENT_DIFFICULTY",
    "JWKS_URL",
    "JWT_AUDIENCE",
    "JWT_ISSUER",
    "LIMIT_STORE",
    "LOG_ERROR_CONTEXT",
    "LOG_RETENTION_DAYS",
    "MACHINE_BURST",
    "MACHINE_CONCURRENCY",
    "MACHINE_DAILY_USD",
    "MACHINE_RATE",
    "MAX_BODY_BYTES",
    "MAX_CONTEXT_BYTES",
    "MAX_OUTPUT_TOKENS",
    "MODEL",
    "OPERATOR_KEYS",
    "RULES",
    "SHARDS",
    "TOKEN_AUDIENCE",
    "TOKEN_ISSUER",
    "TOKEN_KEYS",
    "TOKEN_TTL_DAYS",
    "UPSTREAM_TIMEOUT_MS",
    // The standard plan's cap on all of its machines together; its other limits are MACHINE_*.
    "PLAN_STANDARD_TOTAL_DAILY_USD",
];

/// The parts of a plan's settings, longest first so that `_TOTAL_DAILY_USD` is not taken for
/// `_DAILY_USD` of a plan called `x_total`.
const PLAN_PARTS: [&str; 5] = ["_TOTAL_DAILY_USD", "_DAILY_USD", "_CONCURRENCY", "_BURST", "_RATE"];

/// What is wrong with a name that begins like ours, or is so near to one of ours that it is meant; `None` for a
/// setting and for names of others.
#[must_use]
pub fn fault(name: &str) -> Option<String> {
    if is_setting(name) {
        return None;
    }
    if !PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return meant(name).map(|meant| format!("is no setting; did you mean {meant}?"));
    }
    if let Some(part) = name.strip_prefix("PLAN_STANDARD_") {
        return Some(format!("is no setting: plan standard is set by MACHINE_{part}"));
    }
    let of_plans: Vec<String> = PLANS
        .iter()
        .flat_map(|plan| PLAN_PARTS.map(|part| format!("PLAN_{}{part}", plan.name.to_ascii_uppercase())))
        .collect();
    let of_upstreams = upstreams::fallbacks().iter().map(|fallback| fallback.key);
    let known: Vec<&str> =
        NAMES.into_iter().chain(of_plans.iter().map(String::as_str)).chain(of_upstreams).collect();
    Some(match nearest(name, &known, MOST_EDITS) {
        Some(meant) => format!("is no setting; did you mean {meant}?"),
        None => "is no setting".to_owned(),
    })
}

/// Edits between a name and the setting that it is taken for.
const MOST_EDITS: usize = 3;
/// The same of a name that does not begin like one of ours.
const CLOSE: usize = 2;

/// The setting that is meant by a name that does not begin like one of ours.
fn meant(name: &str) -> Option<String> {
    let capitals = name.to_ascii_uppercase();
    if is_setting(&capitals) {
        return Some(capitals);
    }
    nearest(name, &NAMES, CLOSE).map(str::to_owned)
}

/// Whether there is a setting of this name.
#[must_use]
pub fn is_setting(name: &str) -> bool {
    NAMES.contains(&name) || plan_part(name).is_some() || upstreams::is_key_name(name)
}

/// Whether the setting of this name is a secret: a text that no file of settings may hold.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    matches!(name, "API_KEY" | "TOKEN_KEYS" | "OPERATOR_KEYS") || upstreams::is_key_name(name)
}

/// The one of these names that is nearest, if it takes at most so many edits and keeps some of the name.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: &[&'a str], most: usize) -> Option<&'a str> {
    let most = most.min(name.len() / 2);
    // Two names are at least as many edits apart as their lengths: most need no reckoning.
    let near = candidates.iter().filter(|candidate| candidate.len().abs_diff(name.len()) <= most);
    let nearest =
        near.map(|candidate| (distance(name, candidate), *candidate)).min_by_key(|(edits, _)| *edits);
    nearest.filter(|(edits, _)| *edits <= most).map(|(_, candidate)| candidate)
}

/// The plan (in lower case) and the part of a name `PLAN_<NAME>_<PART>`. Not for `standard`, whose
/// limits have names of their own.
#[must_use]
pub fn plan_part(name: &str) -> Option<(String, &'static str)> {
    let rest = name.strip_prefix("PLAN_")?;
    let (plan, part) = PLAN_PARTS.iter().find_map(|part| Some((rest.strip_suffix(part)?, *part)))?;
    let characters =
        plan.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let plan = plan.to_ascii_lowercase();
    (characters && (1..=32).contains(&plan.len()) && plan != STANDARD).then_some((plan, part))
}

/// Edits between two names (Levenshtein), for suggestions. Small and capital letters are the same: who writes
/// the wrong ones means the name.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, left_byte) in left.bytes().enumerate() {
        let mut before = index;
        let mut current = index.saturating_add(1);
        let mut next = vec![current];
        for (right_byte, above) in right.bytes().zip(row.iter().skip(1)) {
            let change = before.saturating_add(usize::from(!left_byte.eq_ignore_ascii_case(&right_byte)));
            before = *above;
            current = change.min(above.saturating_add(1)).min(current.saturating_add(1));
            next.push(current);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

//! What the Worker is bound to, and what Wrangler needs to know of it.

use pip_aide_gateway::units::UnixMillis;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Scope, did_you_mean, item, members};
use super::report::Report;

const MAIN: &str = "build/index.js";
const LEDGER: &str = "LEDGER";
const CLASS: &str = "Ledger";

/// Keys that Wrangler knows and that this project may have use for, to find misspelt ones.
const KEYS: [&str; 30] = [
    "account_id",
    "analytics_engine_datasets",
    "assets",
    "build",
    "compatibility_date",
    "compatibility_flags",
    "dev",
    "durable_objects",
    "env",
    "keep_vars",
    "kv_namespaces",
    "limits",
    "logpush",
    "main",
    "migrations",
    "minify",
    "name",
    "no_bundle",
    "observability",
    "placement",
    "preview_urls",
    "ratelimits",
    "route",
    "routes",
    "rules",
    "send_metrics",
    "triggers",
    "unsafe",
    "vars",
    "workers_dev",
];

/// Checks them.
pub fn check(scope: &Scope<'_>, buckets_in_kv: bool, now: UnixMillis, report: &mut Report) {
    misspelt_keys(scope, report);
    required(scope, now, report);
    ledger(scope, report);
    migrations(scope, report);
    namespaces(scope, buckets_in_kv, report);
}

fn misspelt_keys(scope: &Scope<'_>, report: &mut Report) {
    let document = scope.document;
    let mut tables = vec![scope.root()];
    tables.extend(scope.env.map(|_| scope.table));
    for (name, item) in tables.into_iter().flat_map(|table| members(document, table)) {
        let meant = did_you_mean(name, &KEYS);
        if !KEYS.contains(&&**name) && !meant.is_empty() {
            let problem = format!("is no key of Wrangler's{meant}");
            report.fault(document.finding(item.line, name, document.shown(name, item.value), problem));
        }
    }
}

fn required(scope: &Scope<'_>, now: UnixMillis, report: &mut Report) {
    let document = scope.document;
    let mut check = |name: &str, accepted: &str, fits: &dyn Fn(&str) -> bool| match scope.inherited(name) {
        None => report.fault(document.finding(1, name, None, format!("is missing: {accepted}"))),
        Some(item) if item.value.get_ref().as_str().is_some_and(fits) => {}
        Some(item) => {
            let value = document.shown(name, item.value);
            report.fault(document.finding(item.line, name, value, format!("must be {accepted}")));
        }
    };
    let is_name = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-')
    };
    check("name", "the Worker's name: up to 63 small letters, digits and dashes", &is_name);
    check("main", "\"build/index.js\", which `make build` writes", &|text| {
        text.strip_prefix("./").unwrap_or(text) == MAIN
    });
    // Wrangler refuses a date to come; a day more for those who are ahead of UTC.
    let tomorrow = now.millis().saturating_add(86_400_000);
    check("compatibility_date", "a date in quotes that is not to come, like \"2026-04-20\"", &|text| {
        UnixMillis::parse_rfc3339(&format!("{text}T00:00:00Z")).is_some_and(|date| date.millis() <= tomorrow)
    });
}

/// The tables of an array of tables.
fn tables<'a>(value: Option<&'a Spanned<DeValue<'a>>>) -> Vec<(&'a DeTable<'a>, usize)> {
    let array = value.and_then(|value| value.get_ref().as_array());
    let each = array.into_iter().flat_map(|array| array.iter());
    each.filter_map(|value| Some((value.get_ref().as_table()?, value.span().start))).collect()
}

fn text<'a>(table: &'a DeTable<'a>, name: &str) -> Option<&'a str> {
    table.get(name)?.get_ref().as_str()
}

fn ledger(scope: &Scope<'_>, report: &mut Report) {
    let document = scope.document;
    let objects = scope.item("durable_objects");
    let bindings = objects.and_then(|item| item.value.get_ref().as_table()?.get("bindings"));
    let bindings = tables(bindings);
    let names: Vec<&str> = bindings.iter().filter_map(|(table, _)| text(table, "name")).collect();
    let found = bindings.iter().find(|(table, _)| text(table, "name") == Some(LEDGER));
    let Some((table, _)) = found else {
        let near = bindings.iter().find(|(table, _)| {
            text(table, "name").is_some_and(|name| !did_you_mean(LEDGER, &[name]).is_empty())
        });
        let line = near.map(|(_, offset)| document.line_of(*offset)).or(objects.map(|item| item.line));
        let problem = format!(
            "is missing: bind class {CLASS} to it under [[{}]]{}",
            scope.path("durable_objects.bindings"),
            did_you_mean(LEDGER, &names)
        );
        report.fault(document.finding(line.unwrap_or(scope.line), LEDGER, None, problem));
        return;
    };
    if table.get("script_name").is_some() {
        return;
    }
    match item(document, table, "class_name") {
        Some(class) if class.value.get_ref().as_str() == Some(CLASS) => {}
        class => {
            let line = class.or_else(|| item(document, table, "name")).map_or(scope.line, |item| item.line);
            let value = class.and_then(|class| document.shown("class_name", class.value));
            report.fault(document.finding(line, "class_name", value, format!("must be {CLASS:?}")));
        }
    }
}

fn migrations(scope: &Scope<'_>, report: &mut Report) {
    let document = scope.document;
    let listed = scope.inherited("migrations");
    let steps = tables(listed.map(|item| item.value));
    let mut tags: Vec<&str> = Vec::new();
    let mut is_sqlite = false;
    let mut other = None;
    for (table, offset) in &steps {
        match text(table, "tag") {
            Some(tag) if tags.contains(&tag) => {
                let line = item(document, table, "tag").map_or(1, |item| item.line);
                let problem = "stands twice: every migration has a tag of its own";
                report.fault(document.finding(line, "tag", Some(format!("{tag:?}")), problem));
            }
            Some(tag) => tags.push(tag),
            None => {
                let problem = "has no tag: every migration has one of its own";
                report.fault(document.finding(document.line_of(*offset), "migrations", None, problem));
            }
        }
        let lists = |name: &str| {
            let classes = table.get(name).and_then(|value| value.get_ref().as_array());
            classes.is_some_and(|list| list.iter().any(|class| class.get_ref().as_str() == Some(CLASS)))
        };
        is_sqlite |= lists("new_sqlite_classes");
        if lists("new_classes") {
            other = item(document, table, "new_classes").map(|item| item.line);
        }
    }
    if let Some(line) = other {
        let problem =
            format!("must not have {CLASS:?}: the ledger needs SQLite, so it goes to new_sqlite_classes");
        report.fault(document.finding(line, "new_classes", None, problem));
    } else if !is_sqlite {
        let line = listed.map_or(1, |item| item.line);
        let problem = format!("must make the class once: new_sqlite_classes = [{CLASS:?}]");
        report.fault(document.finding(line, "migrations", None, problem));
    }
}

fn namespaces(scope: &Scope<'_>, buckets_in_kv: bool, report: &mut Report) {
    let document = scope.document;
    let listed = scope.item("kv_namespaces");
    let bindings = tables(listed.map(|item| item.value));
    let names: Vec<&str> = bindings.iter().filter_map(|(table, _)| text(table, "binding")).collect();
    let mut needed = vec![("LOGS_KV", "the log is kept there")];
    if buckets_in_kv {
        needed.push(("LIMITS_KV", "LIMIT_STORE is kv"));
    }
    for (name, why) in needed {
        if !names.contains(&name) {
            let near = bindings.iter().find(|(table, _)| {
                text(table, "binding").is_some_and(|near| !did_you_mean(name, &[near]).is_empty())
            });
            let line = near.and_then(|(table, _)| item(document, table, "binding")).or(listed);
            let others: Vec<&str> = names.iter().copied().filter(|name| !name.ends_with("S_KV")).collect();
            let problem = format!(
                "is missing: {why}; bind a KV namespace to it under [[{}]]{}",
                scope.path("kv_namespaces"),
                did_you_mean(name, &others)
            );
            report.fault(document.finding(line.map_or(scope.line, |item| item.line), name, None, problem));
        }
    }
    for (at, (table, offset)) in bindings.iter().enumerate() {
        let Some(name) = text(table, "binding") else {
            let problem = "has no binding: the name by which the Worker finds it";
            report.fault(document.finding(document.line_of(*offset), "kv_namespaces", None, problem));
            continue;
        };
        if names.iter().take(at).any(|other| *other == name) {
            let line = item(document, table, "binding").map_or(1, |item| item.line);
            report.fault(document.finding(line, name, None, "is bound twice"));
        }
        let Some(id) = item(document, table, "id") else {
            let problem = "has no id: `npx wrangler kv namespace create` prints one";
            report.fault(document.finding(document.line_of(*offset), name, None, problem));
            continue;
        };
        let value = document.shown("id", id.value);
        let id_text = id.value.get_ref().as_str().unwrap_or_default();
        if id_text.len() != 32 || !id_text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let problem = format!(
                "of {name} must be 32 hexadecimal digits, as `npx wrangler kv namespace create` prints"
            );
            report.fault(document.finding(id.line, "id", value, problem));
        } else if id_text.bytes().all(|byte| byte == b'0') {
            let problem = format!(
                "of {name} is a placeholder: before a deploy, put there what `npx wrangler kv namespace create {name}` prints"
            );
            report.before_deploy(document.finding(id.line, "id", value, problem));
        }
    }
}

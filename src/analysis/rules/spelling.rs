//! How people write requirements and options that pip does not read, put into pip's own words.

use crate::analysis::options::{AllowedOption, RefusedOption};
use crate::analysis::version::Version;

/// Left of a version.
const SIGNS: &[char] = &['=', '<', '>', '~', '!'];
/// Words for the version that pip takes without one.
const NEWEST: &[&str] = &["", "latest", "newest", "stable", "*"];
/// Conditions on the system belong to the requirement before them, and no answer may hold them.
const MARKERS: &[&str] =
    &["python_version", "python_full_version", "sys_platform", "platform_", "os_name", "implementation_"];

/// The user's command with each word as pip reads it, if any had to be changed.
pub(super) fn respelt(line: &str) -> Option<String> {
    let plain: String = line.chars().filter(|c| !"“”‘’„\"'".contains(*c)).map(half_width).collect();
    let words = joined(&plain);
    if words.iter().any(|word| MARKERS.iter().any(|marker| word.starts_with(marker))) {
        return None;
    }
    let mut out: Vec<String> = Vec::new();
    let mut is_value = false;
    for word in words {
        let takes_value = |word: &str| {
            AllowedOption::find(word)
                .map(AllowedOption::takes_value)
                .or_else(|| RefusedOption::find(word).map(|option| option.value))
                .unwrap_or(false)
        };
        let next_is_value = word.starts_with('-') && takes_value(&word);
        if is_value || word.contains(['/', '\\']) {
            out.push(word);
        } else if word.starts_with(['-', '–', '—', '−']) {
            out.extend(option(&word));
        } else {
            out.extend(requirements(&word)?);
        }
        is_value = next_is_value;
    }
    let out = out.join(" ");
    (out != line.split_whitespace().collect::<Vec<_>>().join(" ")).then_some(out)
}

/// Full-width letters and signs, as an input method for Chinese writes them, in ASCII.
fn half_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c),
        '\u{3000}' => ' ',
        '、' => ',',
        c => c,
    }
}

/// The words, with those that a sign parts put together: `flask == 2`, `flask: 2`.
fn joined(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        match words.last_mut() {
            Some(last)
                if !last.starts_with('-')
                    && (word.starts_with(SIGNS)
                        || word.starts_with('[')
                        || last.ends_with(SIGNS)
                        || (last.ends_with(':') && Version::parse(word).is_some())) =>
            {
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// `–upgrade`, `-upgrade` and `--upgrade=true` as `--upgrade`; none for `--upgrade=false`.
fn option(word: &str) -> Option<String> {
    let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    let full = format!("--{}", name.trim_start_matches(['-', '–', '—', '−']));
    let is_known = !(name.starts_with('-') && name.len() == 2);
    match AllowedOption::find(&full).filter(|_| is_known) {
        Some(option) if option.takes_value() => {
            Some(value.map_or_else(|| full.clone(), |value| format!("{full}={value}")))
        }
        Some(_) => match value.map(str::to_ascii_lowercase).as_deref() {
            Some("false" | "no" | "0" | "off") => None,
            _ => Some(full),
        },
        None => Some(word.to_owned()),
    }
}

/// The requirements that one word holds.
fn requirements(word: &str) -> Option<Vec<String>> {
    let mut pieces: Vec<String> = Vec::new();
    let mut in_extras = false;
    let mut begins = true;
    for c in word.trim_end_matches([',', ';']).chars() {
        in_extras = (in_extras || c == '[') && c != ']';
        let ends_one = c == ',' && !in_extras;
        match pieces.last_mut() {
            // A version after a comma belongs to the name before it.
            Some(last) if begins && SIGNS.contains(&c) => last.extend([',', c]),
            Some(last) if !begins && !ends_one => last.push(c),
            _ if !ends_one => pieces.push(c.to_string()),
            _ => {}
        }
        begins = ends_one;
    }
    pieces.iter().map(|piece| requirement(piece)).collect()
}

/// `name=1.0`, `name@1.0`, `name=>1.0`, `name>=1.0<2`, `name==1.x`, `name==latest` as pip reads them.
fn requirement(piece: &str) -> Option<String> {
    if let Some((name, version)) = piece.split_once(['@', ':']) {
        let version = Version::parse(version.trim_start_matches('='))?;
        return Some(format!("{name}=={version}"));
    }
    let Some(at) = piece.find(SIGNS) else { return Some(piece.to_owned()) };
    let (name, mut rest) = piece.split_at_checked(at)?;
    let mut clauses: Vec<String> = Vec::new();
    while !rest.is_empty() {
        let sign_end = rest.find(|c| !SIGNS.contains(&c)).unwrap_or(rest.len());
        let (sign, after) = rest.split_at_checked(sign_end)?;
        let end = after.find(|c| SIGNS.contains(&c) || c == ',').unwrap_or(after.len());
        let (version, next) = after.split_at_checked(end)?;
        let sign = match sign {
            "=" | "==" | "====" => "==",
            "=>" | ">=" => ">=",
            "=<" | "<=" => "<=",
            "=~" | "~=" | "~" => "~=",
            "<" | ">" | "!=" | "===" => sign,
            _ => return None,
        };
        let lower = version.to_ascii_lowercase();
        let begin = lower.trim_end_matches(".x").trim_end_matches(".*");
        // `v1.0` is what repositories call it.
        let begin = begin.strip_prefix('v').unwrap_or(begin).trim_end_matches('.');
        if !(sign == "==" && NEWEST.contains(&lower.as_str())) {
            let star = if lower.ends_with(".x") || lower.ends_with(".*") { ".*" } else { "" };
            clauses.push(format!("{sign}{begin}{star}"));
        }
        rest = next.trim_start_matches(',');
    }
    Some(format!("{name}{}", clauses.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_put_as_pip_reads_them() {
        for (wrong, right) in [
            ("pandas=>1.5", "pandas>=1.5"),
            ("numpy, pandas", "numpy pandas"),
            ("numpy,pandas,six", "numpy pandas six"),
            ("“numpy==1.26.4”", "numpy==1.26.4"),
            ("numpy＝＝1.26.4", "numpy==1.26.4"),
            ("requests:2.31 six", "requests==2.31 six"),
            ("flask: 2.3.0", "flask==2.3.0"),
            ("requests[socks,x]=2.31", "requests[socks,x]==2.31"),
            ("numpy==latest", "numpy"),
            ("numpy==", "numpy"),
            ("numpy==v1.26.4.", "numpy==1.26.4"),
            ("pandas~2.0", "pandas~=2.0"),
            ("uvicorn [standard]=0.2", "uvicorn[standard]==0.2"),
            ("flask==2.x", "flask==2.*"),
            ("numpy>=1.20<2", "numpy>=1.20,<2"),
            ("numpy >= 1.20, < 2 six", "numpy>=1.20,<2 six"),
            ("Pillow==9.0.0;", "Pillow==9.0.0"),
            ("flask= =2", "flask==2"),
            ("flask == 2", "flask==2"),
            ("flask@2.0", "flask==2.0"),
            ("-upgrade pip", "--upgrade pip"),
            ("–upgrade pip", "--upgrade pip"),
            ("--upgrade=true pip", "--upgrade pip"),
            ("--upgrade=false pip", "pip"),
            ("--only-binary a,b c=1", "--only-binary a,b c==1"),
        ] {
            assert_eq!(respelt(wrong).as_deref(), Some(right), "{wrong}");
        }
        for nothing in ["numpy==1.0", "-U six", "--upgade six", "-r a,b.txt", "a; python_version<3", "a==>1"]
        {
            assert_eq!(respelt(nothing), None, "{nothing}");
        }
    }
}

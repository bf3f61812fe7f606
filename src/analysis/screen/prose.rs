//! The text around the commands. The client shows it to a person, who may do what it says: so
//! nothing in it may be an address, a command, or a package that nobody vouches for.

use crate::analysis::facts::Facts;
use crate::analysis::options::AllowedOption;
use crate::analysis::packages;
use crate::analysis::redact::is_hidden;
use crate::analysis::version::Version;

/// The longest explanation, in bytes.
pub(super) const LONGEST: usize = 600;
/// How much of a longer one is looked at.
const LOOKED_AT: usize = 4_000;
/// What stands for a word that was left out.
const LEFT_OUT: &str = "…";

/// First words of lines that are commands rather than text.
const COMMANDS: &[&str] = &[
    "$",
    ">",
    "#",
    "%",
    "!",
    "pip",
    "pip3",
    "python",
    "python3",
    "py",
    "sudo",
    "curl",
    "wget",
    "bash",
    "sh",
    "zsh",
    "rm",
    "mv",
    "cp",
    "dd",
    "cat",
    "echo",
    "export",
    "set",
    "eval",
    "exec",
    "source",
    "cd",
    "chmod",
    "chown",
    "apt",
    "apt-get",
    "yum",
    "dnf",
    "apk",
    "brew",
    "conda",
    "mamba",
    "uv",
    "pipx",
    "poetry",
    "git",
    "npm",
    "npx",
    "powershell",
    "cmd",
    "iex",
    "nc",
    "ssh",
];
/// Sentences with one of these tell what to run, which is the commands' place.
const PHRASES: &[&str] = &[
    "pip install",
    "pip3 install",
    "pip uninstall",
    "pip download",
    "pip config",
    "sudo",
    "curl ",
    "wget ",
    "| sh",
    "&& ",
];

/// A rule's text: our own words, and parts that were checked as they were taken.
pub(super) fn of_rule(text: &str) -> String {
    bounded(&visible(text).replace('`', "'"))
}

/// A model's text, which may be whatever the log's writer had it say.
pub(super) fn of_model(text: &str, facts: &Facts) -> String {
    let text = visible(text.get(..text.floor_char_boundary(LOOKED_AT)).unwrap_or_default());
    let mut out = String::new();
    let mut in_fence = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") || line.starts_with("~~~") {
            in_fence = !in_fence;
            continue;
        }
        let first = line.split_whitespace().next().unwrap_or_default();
        if in_fence || COMMANDS.contains(&first.trim_matches('`')) {
            continue;
        }
        for sentence in line.split_inclusive(['。', '！', '？']).flat_map(|part| part.split_inclusive(". "))
        {
            // One space between words, as it will be shown: a phrase is one however it is spaced.
            let lower = sentence.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase() + " ";
            if !PHRASES.iter().any(|phrase| lower.contains(phrase)) {
                // Host names may be written with it for a dot (IDNA): `evil。example`.
                if out.ends_with('。') && sentence.starts_with(|next: char| next.is_ascii_alphanumeric()) {
                    out.push(' ');
                }
                push_words(&mut out, sentence, facts);
            }
        }
        out.push(' ');
    }
    bounded(&out)
}

/// What a reader sees of `text`, with full-width letters in ASCII: they read the same.
fn visible(text: &str) -> String {
    let seen = text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_hidden(*c));
    seen.map(|c| match c {
        '，' | '：' | '；' | '（' | '）' | '！' | '？' => c,
        '\u{ff01}'..='\u{ff5e}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c),
        c => c,
    })
    .collect()
}

/// Letters in another style, such as bold ones for formulas and those in circles.
fn is_styled(c: char) -> bool {
    matches!(c, '\u{2460}'..='\u{24ff}' | '\u{1d400}'..='\u{1d7ff}' | '\u{1f130}'..='\u{1f189}')
}

/// One line, at most [`LONGEST`] bytes, cut between words.
fn bounded(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        let space = usize::from(!out.is_empty());
        if out.len().saturating_add(word.len()).saturating_add(space) > LONGEST.saturating_sub(LEFT_OUT.len())
        {
            out.push_str(LEFT_OUT);
            break;
        }
        if space == 1 {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Adds what may stay of `text`: runs of ASCII word characters one by one, the rest by character.
fn push_words(out: &mut String, text: &str, facts: &Facts) {
    let is_word = |c: char| c.is_ascii_graphic() && !"\"'(),!?".contains(c);
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if !word.is_empty() {
            let bare = word.trim_end_matches(['.', ':', ';']);
            let marks = word.get(bare.len()..).unwrap_or_default();
            out.push_str(if may_stay(bare, facts) { bare } else { LEFT_OUT });
            out.push_str(marks);
        }
        let mut chars = after.chars();
        if let Some(c) = chars.next() {
            let stays = c == ' '
                || c.is_ascii_punctuation()
                || (c.is_alphanumeric() && !is_styled(c))
                || "，。：；、（）《》“”‘’！？…–—".contains(c);
            out.push(if stays { c } else { ' ' });
        }
        rest = chars.as_str();
    }
}

/// Whether a word is plain English, a version, an option that answers may hold, or a name that the
/// user or our tables vouch for.
fn may_stay(word: &str, facts: &Facts) -> bool {
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = word.len().saturating_sub(letters.len());
    if letters.bytes().all(|byte| byte.is_ascii_alphabetic()) && digits <= 2 && word.len() <= 40 {
        return true;
    }
    let version = word.trim_start_matches(['=', '~']).trim_end_matches('+');
    if Version::parse(version).is_some() && version.len() <= 16 && !is_address(version) {
        return true;
    }
    if AllowedOption::find(word).is_some() {
        return true;
    }
    let name = word.split("==").next().unwrap_or(word);
    if packages::is_well_known(name) || facts.command.surely_names(name) {
        return name.len() == word.len()
            || Version::parse(word.get(name.len().saturating_add(2)..).unwrap_or("")).is_some();
    }
    // `pre-built`, `third-party`: two plain words, one of them of those that form such pairs.
    word.split_once('-').is_some_and(|(a, b)| {
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
        plain(a) && plain(b) && (PAIRED.contains(&a) || PAIRED.contains(&b))
    })
}

/// Words of which English makes pairs.
const PAIRED: &[&str] = &[
    "pre",
    "non",
    "re",
    "built",
    "third",
    "party",
    "up",
    "well",
    "known",
    "in",
    "out",
    "of",
    "date",
    "only",
    "based",
    "level",
    "time",
    "long",
    "short",
    "high",
    "low",
    "self",
    "so",
    "compatible",
    "specific",
    "dependent",
    "wide",
    "system",
    "source",
];

/// Four numbers with dots between them.
fn is_address(text: &str) -> bool {
    text.split('.').count() == 4 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{facts, redact};

    #[test]
    fn a_phrase_is_one_however_it_is_spaced() {
        let facts = facts::read(&redact::redact("Command: pip install numpy"));
        for text in [
            "Type pip install evil now.",
            "Type pip   install evil now.",
            "Type pip\u{a0}install evil now.",
            "Type pip\u{200b} \u{2003}install evil now.",
            "Type pip\t install evil now.",
            "Then run curl",
        ] {
            assert_eq!(of_model(text, &facts), "", "{text:?}");
        }
        assert_eq!(of_model("Type ｐｉｐ ｉｎｓｔａｌｌ evil now.", &facts), "");
        assert_eq!(
            of_model("请看 evil。example 或 ｅｖｉｌ．ｅｘａｍｐｌｅ 。", &facts),
            "请看 evil。 example 或 … 。"
        );
        assert_eq!(of_model("\u{1d429}\u{1d422}\u{1d429} ⓟⓘⓟ x", &facts), "x");
        assert_eq!(of_model("The name is   another one.", &facts), "The name is another one.");
    }
}

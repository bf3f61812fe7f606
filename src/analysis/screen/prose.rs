//! The text around the commands. The client shows it to a person, who may do what it says: so
//! nothing in it may be an address, a command, or a package that nobody vouches for.

use std::borrow::Cow;

use super::spoken::{FURTHEST_BACK, begins_as_command, tells_a_command};
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
        if in_fence || begins_as_command(line) {
            continue;
        }
        for sentence in line.split_inclusive(['。', '！', '？']).flat_map(|part| part.split_inclusive(". "))
        {
            let mut kept = String::new();
            push_words(&mut kept, sentence, facts);
            // As it came, and as it will be shown: a mark that became a space may part words, and a
            // command may begin on one line and end on another.
            if tells_a_command(sentence) || tells_a_command(&format!("{} {kept}", last_words(&out))) {
                continue;
            }
            if let Some(next) = kept.chars().next() {
                part_from_dot(&mut out, next);
            }
            out.push_str(&kept);
        }
        out.push(' ');
    }
    bounded(&out)
}

/// The end of `text`, as far as a command may reach back.
fn last_words(text: &str) -> &str {
    let (start, _) = text.rmatch_indices(' ').nth(FURTHEST_BACK).unwrap_or_default();
    text.get(start..).unwrap_or_default()
}

/// Adds a space after a dot that ends `out` where it would stand right before `next`: `evil.рф` is
/// a host name in any script, and `evil。рф` the same one (IDNA). Between two Chinese characters
/// `。` ends a sentence.
fn part_from_dot(out: &mut String, next: char) {
    let mut back = out.chars().rev();
    let dot = back.next();
    let before = back.next();
    let is_other = |c: char| c.is_alphanumeric() && !is_chinese(c);
    let joins = match dot {
        Some('.') => next.is_alphanumeric(),
        Some('。') => is_other(next) || (next.is_alphanumeric() && before.is_some_and(is_other)),
        _ => false,
    };
    if joins {
        out.push(' ');
    }
}

/// Characters of the languages that end a sentence with `。`, and put no space after it.
fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
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
            out.push_str(&in_words(bare, facts));
            out.push_str(marks);
        }
        let mut chars = after.chars();
        if let Some(c) = chars.next() {
            let stays = c == ' '
                || c.is_ascii_punctuation()
                || (c.is_alphanumeric() && !is_styled(c))
                || "，。：；、（）《》“”‘’！？…–—".contains(c);
            let c = if stays { c } else { ' ' };
            part_from_dot(out, c);
            out.push(c);
        }
        rest = chars.as_str();
    }
}

/// A word as it may stay. A package's name has a dash for each dot, which pip takes for the same one: with dots it may
/// be a host, as `setuptools.download` is. So it stays as it is only where the user wrote it so.
fn in_words<'a>(word: &'a str, facts: &Facts) -> Cow<'a, str> {
    if may_stay(word, facts) {
        return Cow::Borrowed(word);
    }
    let name = word.split("==").next().unwrap_or(word);
    let version = word.get(name.len()..).unwrap_or_default();
    let dashed = format!("{}{version}", name.replace('.', "-"));
    if name.contains('.') && may_stay(&dashed, facts) { Cow::Owned(dashed) } else { Cow::Borrowed(LEFT_OUT) }
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
    let is_theirs = || facts.command.requirement(name).is_some_and(|asked| asked.name == name);
    let may_be_a_host = name.contains('.') && !is_theirs();
    if !may_be_a_host && (packages::is_well_known(name) || facts.command.surely_names(name)) {
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

//! Takes secrets and personal names out of a log, before a model, a log record, a cache key or a
//! metric sees it.
//!
//! Three passes, each linear in the text: what a reader cannot see goes (`clean`), secrets are
//! found by the place they stand in or by their shape (`secrets`, `line`), and a secret that
//! was found once is taken out wherever else it stands (`spread`). That is repeated until nothing
//! changes, so that redacting twice is redacting once.

mod assignment;
mod block;
mod clean;
mod line;
mod named;
mod netrc;
mod person;
mod secrets;
mod spread;
mod told;
mod url;
mod words;
mod work;

pub(in crate::analysis) use clean::is_hidden;
pub(in crate::analysis) use secrets::goes_on_a_key_block;

/// What stands where a secret stood.
pub const MARK: &str = "[redacted]";
/// What stands where an e-mail address stood.
pub const EMAIL_MARK: &str = "[email]";
/// What stands where the name of a home directory's owner stood.
pub const USER_MARK: &str = "[user]";

/// Text without secrets: made by [`redact`], shortened by [`super::trim::trim`], and by nothing
/// else, so that whatever takes one cannot be handed a raw log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted(String);

impl Redacted {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Only for parts of a text that was redacted.
    pub(in crate::analysis) fn from_parts(text: String) -> Self {
        Self(text)
    }
}

/// How often a text is gone over. A mark may join what stood beside the secret to a value that is
/// one secret more; few texts need a third time, and none is known that needs a fourth.
const MOST_PASSES: usize = 4;

/// `raw` without secrets, personal names, control and invisible characters.
#[must_use]
pub fn redact(raw: &str) -> Redacted {
    let mut text = clean::clean(raw);
    let mut before = None;
    for _ in 0..MOST_PASSES {
        let found = secrets::find(&text, before.as_deref());
        if found.spans().is_empty() {
            break;
        }
        let known = spread::Known::of(&text, &found);
        let less = known.take_out_of(secrets::replace(&text, found));
        if less == text {
            break;
        }
        before = Some(std::mem::replace(&mut text, less));
    }
    Redacted(text)
}

#[cfg(test)]
mod forms_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;

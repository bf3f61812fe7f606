//! What was asked, as the answer cache knows it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::analysis::facts::Facts;
use crate::analysis::redact::Redacted;
use crate::analysis::screen::{self, Screened};
use crate::analysis::{normal, prompt};
use crate::bytes::hex;
use crate::policy::settings::Settings;
use crate::seams::AnswerCache;
use crate::token::keys::Purpose;

/// For how long a machine that asks the same again gets the same answer, also where that is none.
const ASKED_AGAIN: Duration = Duration::from_secs(600);

/// What else shapes an answer: the prompt, the code and the policies.
const VERSIONS: [&str; 3] = [prompt::VERSION, env!("CARGO_PKG_VERSION"), env!("POLICY_VERSION")];

/// An answer of the model as the cache keeps it: screened. It is looked at again for each request that
/// gets it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// An answer without a command is only for the machine that has it already, which asked again.
    only_for: Option<String>,
    answer: Screened,
}

/// A question, and who asks it.
#[derive(Debug)]
pub struct Question {
    /// The name of its answer: everything that shapes it, under a key of our own, so that nobody can tell
    /// from a cache key what was asked.
    pub key: String,
    asker: String,
    lifetime: Duration,
}

impl Question {
    /// Of an asker; answers hold for `ttl` seconds.
    #[must_use]
    pub fn new(settings: &Settings, context: &Redacted, asker: &str, ttl: u64) -> Self {
        Self::under(VERSIONS, settings, context, asker, ttl)
    }

    fn under(versions: [&str; 3], settings: &Settings, context: &Redacted, asker: &str, ttl: u64) -> Self {
        let subkey = settings.token_keys.signing().subkey(Purpose::AnswerCache);
        let limit = settings.max_output_tokens.to_string();
        let upstreams = settings.upstreams.iter().flat_map(|to| [to.api_base.as_str(), to.model.model]);
        let question = normal::normalised(context);
        let shape = upstreams.chain([limit.as_str()]).chain(versions).chain([question.as_str()]);
        Self {
            key: hex(&subkey.mac(shape.collect::<Vec<_>>().join("\0").as_bytes())),
            asker: hex(&subkey.mac(asker.as_bytes())),
            lifetime: Duration::from_secs(ttl),
        }
    }

    /// What the model answered to it before, if it still is what this asker may have.
    pub async fn given_before<C: AnswerCache>(&self, cache: &C, facts: &Facts) -> Option<Screened> {
        let Kept { only_for, answer } = serde_json::from_str(&cache.get(&self.key).await?).ok()?;
        let is_theirs = only_for.is_none_or(|only| only == self.asker);
        (is_theirs && screen::holds(&answer, facts)).then_some(answer)
    }

    /// An answer to be kept: its name, its text, and for how long.
    #[must_use]
    pub fn to_keep(&self, answer: &Screened) -> Option<(String, String, Duration)> {
        let (only_for, lifetime) = if answer.commands.is_empty() {
            (Some(self.asker.clone()), self.lifetime.min(ASKED_AGAIN))
        } else {
            (None, self.lifetime)
        };
        let kept = serde_json::to_string(&Kept { only_for, answer: answer.clone() }).ok()?;
        Some((self.key.clone(), kept, lifetime))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::analysis::redact::redact;
    use crate::policy::settings::Entry;

    fn settings(changes: &[(&str, &str)]) -> Settings {
        let mut entries = BTreeMap::from([
            ("TOKEN_KEYS", "a=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ("OPERATOR_KEYS", "b=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"),
            ("API_KEY", "not-a-key"),
            ("MODEL", "deepseek-flash"),
        ]);
        entries.extend(changes.iter().copied());
        let text = |(name, value): (&str, &str)| (name.to_owned(), Entry::Text(value.to_owned()));
        Settings::read(&entries.into_iter().map(text).collect()).unwrap()
    }

    #[test]
    fn its_name_hangs_on_all_that_shapes_the_answer() {
        let usual = settings(&[]);
        let context = redact("ERROR: nobody knows this");
        let name = |settings: &Settings| Question::new(settings, &context, "a", 60).key;
        let mut names = BTreeSet::from([name(&usual)]);
        for change in [
            [("API_BASE", "https://models.example/v1")],
            [("MODEL", "gpt-4o-mini")],
            [("API_KEY_OPENAI", "not-a-key-either")],
            [("MAX_OUTPUT_TOKENS", "64")],
            [("TOKEN_KEYS", "a=AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI")],
        ] {
            assert!(names.insert(name(&settings(&change))), "{change:?}");
        }
        for place in 0..VERSIONS.len() {
            let mut versions = VERSIONS;
            assert_ne!(versions[place], "");
            versions[place] = "another";
            assert!(names.insert(Question::under(versions, &usual, &context, "a", 60).key), "{place}");
        }
        assert!(names.insert(Question::new(&usual, &redact("ERROR: nor this"), "a", 60).key));
        // Who asks, and for how long the answer holds, is not part of it.
        assert_eq!(Question::new(&usual, &context, "b", 90).key, name(&usual));
    }
}

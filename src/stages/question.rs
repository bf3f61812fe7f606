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
        let subkey = settings.token_keys.signing().subkey(Purpose::AnswerCache);
        let limit = settings.max_output_tokens.to_string();
        let upstreams = settings.upstreams.iter().flat_map(|to| [to.api_base.as_str(), to.model.model]);
        let question = normal::normalised(context);
        let versions = [prompt::VERSION, env!("CARGO_PKG_VERSION"), env!("POLICY_VERSION")];
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

//! The work on untrusted text. All pure: no clock, no randomness, no input or output.
//!
//! The way through, in order:
//!
//! 1. [`excerpt`] leaves out most of a log that is very long. [`redact`] takes secrets and personal
//!    names out of the raw log. Everything after it takes [`redact::Redacted`], so that a raw log
//!    cannot get past it.
//! 2. [`facts`] reads what can be trusted: the user's own command line, the versions and the
//!    platform that the client wrote, pip's own error lines.
//! 3. [`rules`] recognises the kinds of failure that need no model.
//! 4. [`normal`] tells whether two logs are one question to the cache.
//! 5. [`trim`] shortens the log for the model, [`prompt`] wraps it, [`completion`] reads the answer.
//! 6. [`screen`] lets out of any answer, whoever gave it, only commands that it has parsed and
//!    written anew itself.

pub mod command;
pub mod completion;
pub mod excerpt;
pub mod facts;
pub mod normal;
pub mod options;
pub mod packages;
pub mod prompt;
pub mod proposal;
pub mod redact;
pub mod requirement;
pub mod rules;
pub mod screen;
pub mod trim;
pub mod version;

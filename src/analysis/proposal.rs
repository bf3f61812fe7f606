//! What somebody proposes as an answer, before it is screened.

use super::rules::Advice;

/// An explanation and commands, from a rule or a model. Nothing in it has been checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Text around the commands.
    pub explanation: String,
    /// In the order in which they are to be run; empty where nothing is known to help.
    pub commands: Vec<String>,
}

impl From<Advice> for Proposal {
    fn from(advice: Advice) -> Self {
        match advice {
            Advice::Commands { explanation, commands } => Self { explanation, commands },
            Advice::Uncertain { sentence } => Self { explanation: sentence, commands: Vec::new() },
        }
    }
}

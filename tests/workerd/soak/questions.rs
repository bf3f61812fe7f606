//! What is asked, and how often.

use crate::support::random_word;

/// Questions that many ask.
const POPULAR: usize = 20;

/// A question that nobody asked before, and no rule knows. All are equally long, so that they cost the same.
pub fn new_question() -> String {
    format!("ERROR: nobody knows {}", random_word())
}

/// One of those, as long.
pub fn popular_question(number: usize) -> String {
    let letter = ('a'..='t').nth(number % POPULAR).unwrap_or('z');
    format!("ERROR: nobody knows {}", letter.to_string().repeat(16))
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    New,
    Popular,
    Rule,
    OldClient,
    Signed,
    HangsUp,
    Look,
    Stranger,
}

impl Kind {
    /// Where the model fails, there is nothing else to answer with, and the interface can say so.
    pub const fn needs_the_model(self) -> bool {
        matches!(self, Self::New | Self::Popular | Self::Signed)
    }
}

/// In turn, as often as they come.
pub const TURNS: [Kind; 20] = {
    use Kind::{HangsUp, Look, New, OldClient, Popular, Rule, Signed, Stranger};
    [
        New, Rule, New, Popular, New, Signed, New, OldClient, Rule, New, Stranger, New, Popular, New,
        OldClient, Rule, New, Look, New, HangsUp,
    ]
};

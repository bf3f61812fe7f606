//! What must hold whatever the bytes are. One function a target; a test of the gateway runs them too.

mod analysis;
mod body;
mod edits;
mod ledger;
mod messages;
mod objects;
mod policies;
mod settings;
mod signature;
mod token;

pub use analysis::{redaction, rules, screening, trimming, upstream};
pub use body::body;
pub use ledger::ledger;
pub use messages::messages;
pub use policies::policies;
pub use settings::settings;
pub use signature::signature;
pub use token::token;

/// Which of so many things the first byte asks for, counted from `0`, and the bytes after it.
fn choice(data: &[u8], count: u8) -> Option<(u8, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((first.wrapping_sub(b'0') % count, rest))
}

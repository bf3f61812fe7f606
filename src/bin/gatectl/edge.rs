//! The clock, randomness and standard input: what the library takes as arguments.

use std::io::Read as _;
use std::time::{SystemTime, UNIX_EPOCH};

use pip_aide_gateway::units::UnixMillis;

use crate::output::Failure;

/// More than any key ring or token.
const MAX_INPUT_BYTES: u64 = 65_536;

/// This moment.
#[expect(clippy::disallowed_methods, reason = "the command line is the edge that moments come from")]
pub fn now() -> Result<UnixMillis, Failure> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| Failure::new("the system clock is set before 1970: set it right"))?;
    Ok(UnixMillis::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(format!("the operating system gave no random bytes: {error}")))?;
    Ok(bytes)
}

/// All of standard input, without white space around it.
pub fn stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_INPUT_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(format!("cannot read standard input: {error}")))?;
    Ok(text.trim().to_owned())
}

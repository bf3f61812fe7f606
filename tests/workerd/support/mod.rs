//! What the front-door tests share.

pub mod aimock;
pub mod biller;
pub mod client;
pub mod credentials;
pub mod door;
pub mod enrol;
pub mod faulty;
pub mod fleet;
pub mod forge;
pub mod gateway;
pub mod load;
pub mod logs;
pub mod node;
pub mod overview;
pub mod prices;
pub mod process;
pub mod provider;
pub mod raw;
pub mod signing;
pub mod world;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The project's own folder.
pub fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file that is used by these tests, beside this one.
pub fn support_file(name: &str) -> PathBuf {
    project().join("tests/workerd/support").join(name)
}

/// Asks `question` until it answers, for at most `limit`. The limit is for failures only: a test
/// that passes does not depend on how fast the machine is.
pub fn wait_for<T>(limit: Duration, mut question: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = question() {
            return Some(answer);
        }
        if started.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `length` random bytes.
pub fn random_bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).expect("the platform has randomness");
    bytes
}

/// A random word of letters and digits, to make ids and secrets unlike any other.
pub fn random_word() -> String {
    random_bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Which policies these are.

use std::path::{Path, PathBuf};

/// A number that is another one whenever a policy is (FNV-1a): part of every key of the answer cache.
pub fn of(directory: &Path) -> String {
    format!("{:016x}", sum(directory))
}

fn sum(directory: &Path) -> u64 {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().fold(0xcbf2_9ce4_8422_2325, |sum, path| {
        if path.is_dir() {
            return sum.rotate_left(1) ^ self::sum(path);
        }
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.iter().fold(sum, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
    })
}

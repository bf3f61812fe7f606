//! Whether pip got past a failure of the network, so that what it failed by came later.

use super::Case;
use super::missing::Missing;

/// How pip warns that it will try again, and how often it still may.
const RETRYING: &str = "Retrying (Retry(total=";

/// What pip says of failures that come after it has fetched what it wanted.
const LATER: &[&str] = &[
    "exited-with-error",
    "exit status",
    "failed with error code",
    "Failed building wheel for",
    "Failed to build ",
    "metadata-generation-failed",
    "legacy-install-failure",
    "ResolutionImpossible",
    "requires a different Python",
    "Cannot uninstall",
    "OSError: [Errno ",
    "OSError: [WinError ",
];

/// Whether the failure was a try that pip repeated with success. `is_told_by_none`: an index that
/// offers nothing has answered too, after this failure.
pub(super) fn is_overcome(case: &Case<'_>, is_told_by_none: bool) -> bool {
    let line = case.line_from_start();
    let Some((before, tries_left)) = line.split_once(RETRYING) else { return false };
    // Of what a build fetches, the build's own failure tells nothing: it comes after it either way.
    if before.starts_with(' ') {
        return false;
    }
    // At its end pip asks whether there is a newer pip.
    let is_about_pip =
        tries_left.trim_end().ends_with("/simple/pip/") || tries_left.contains("/pypi/pip/json");
    if is_about_pip && !case.facts.command.names("pip") {
        return true;
    }
    let after = case.after();
    if LATER.iter().any(|sign| after.contains(sign)) {
        return true;
    }
    let is_last_try = tries_left.starts_with('0');
    let missing = after.lines().find_map(Missing::parse);
    !is_last_try && missing.is_some_and(|missing| is_told_by_none || !missing.offered.is_empty())
}

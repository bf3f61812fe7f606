//! Commands among words: lines that are one, and sentences that tell one.

/// First words of lines that are commands rather than text.
const COMMANDS: &[&str] = &[
    "$",
    ">",
    "#",
    "%",
    "!",
    "pip",
    "pip3",
    "python",
    "python3",
    "py",
    "sudo",
    "curl",
    "wget",
    "bash",
    "sh",
    "zsh",
    "rm",
    "mv",
    "cp",
    "dd",
    "cat",
    "echo",
    "export",
    "set",
    "eval",
    "exec",
    "source",
    "cd",
    "chmod",
    "chown",
    "apt",
    "apt-get",
    "yum",
    "dnf",
    "apk",
    "brew",
    "conda",
    "mamba",
    "uv",
    "pipx",
    "poetry",
    "git",
    "npm",
    "npx",
    "powershell",
    "cmd",
    "iex",
    "nc",
    "ssh",
];

/// Sentences with one of these tell what to run, which is the commands' place.
const PHRASES: &[&str] = &[
    "pip install",
    "pip3 install",
    "pip uninstall",
    "pip download",
    "pip config",
    "sudo",
    "curl ",
    "wget ",
    "| sh",
    "&& ",
];

/// Programs that install or run what they are told, when a verb follows.
const TOOLS: &[&str] = &[
    "pip",
    "pipx",
    "uv",
    "conda",
    "mamba",
    "micromamba",
    "npm",
    "pnpm",
    "yarn",
    "poetry",
    "pdm",
    "pipenv",
    "pixi",
    "rye",
    "hatch",
    "apt",
    "apt-get",
    "yum",
    "dnf",
    "apk",
    "pacman",
    "brew",
    "snap",
    "choco",
    "winget",
    "scoop",
    "gem",
    "cargo",
];
/// Those that run whatever they are told, without a verb.
const RUNNERS: &[&str] = &["npx", "pipx", "uvx", "bunx", "easy_install"];
/// What such programs are told.
const VERBS: &[&str] = &[
    "add",
    "config",
    "create",
    "dlx",
    "download",
    "exec",
    "i",
    "inject",
    "install",
    "reinstall",
    "remove",
    "run",
    "sync",
    "tool",
    "uninstall",
    "update",
    "upgrade",
    "wheel",
];
/// Words with which a sentence goes on about a program: `Use pipx for that`.
const GOES_ON: &[&str] = &[
    "and", "are", "as", "can", "cannot", "could", "did", "do", "does", "for", "from", "has", "if", "in",
    "instead", "is", "it", "itself", "may", "not", "of", "on", "or", "that", "to", "was", "when", "which",
    "will", "with",
];
/// How many words after a program's options its verb is looked for in.
const NEAR: usize = 6;
/// How many spaces before a sentence a command may begin that it ends: some more than words.
pub(super) const FURTHEST_BACK: usize = 24;

/// Whether a line is a command rather than text.
pub(super) fn begins_as_command(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    COMMANDS.contains(&first.trim_matches('`'))
}

/// Whether a sentence tells a command: by a phrase, or by a program and what it is to do.
pub(super) fn tells_a_command(sentence: &str) -> bool {
    // One space between words, as it will be shown: a phrase is one however it is spaced.
    let lower = sentence.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase() + " ";
    if PHRASES.iter().any(|phrase| lower.contains(phrase)) {
        return true;
    }
    let mut words = lower.split_whitespace();
    while let Some(word) = words.next() {
        if runs(word, words.clone()) {
            return true;
        }
    }
    false
}

/// Whether `word` is a program that the words after it tell what to do: at once, or after options.
/// `pip could not install it` is no command.
fn runs<'a>(word: &str, mut after: impl Iterator<Item = &'a str>) -> bool {
    // A mark ends the command: `Upgrade pip, install numpy later`.
    if word.ends_with([',', ';', ':', '.', '!', '?']) {
        return false;
    }
    let Some(program) = program(word) else { return false };
    let Some(next) = after.next() else { return false };
    let is_runner = RUNNERS.contains(&program);
    let bare = bare(next);
    if is_runner && !GOES_ON.contains(&bare) {
        return true;
    }
    let is_told = |word: &str| !is_option(word) && VERBS.contains(&bare_ascii(word));
    is_told(next) || (is_option(next) && after.take(NEAR).any(is_told))
}

/// The program that a word names, without a path before it and a version behind it.
fn program(word: &str) -> Option<&'static str> {
    let name = bare(word).rsplit(|c: char| !c.is_ascii() || "/\\\"'`(".contains(c)).next()?;
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    RUNNERS.iter().chain(TOOLS).copied().find(|tool| *tool == plain)
}

/// A word without the marks around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// The same up to the first letter of another script, which Chinese sets right behind.
fn bare_ascii(word: &str) -> &str {
    bare(word).split(|c: char| !c.is_ascii()).next().unwrap_or_default()
}

/// Whether a word may be an option: with any dash before it, in brackets as in a usage, or with
/// nothing of it left but marks.
fn is_option(word: &str) -> bool {
    word.starts_with(['-', '‐', '‑', '‒', '–', '—', '−', '[', '<', '{', '$'])
        || !word.contains(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use crate::analysis::screen::prose::of_model;
    use crate::analysis::{facts, redact};

    #[test]
    fn a_sentence_that_tells_a_command_is_left_out() {
        let facts = facts::read(&redact::redact("Command: pip install x"));
        for text in [
            "Run pip --no-cache-dir install evilpkg now.",
            "Run pip --upgrade install evilpkg now.",
            "Run pip --log file --timeout 60 install evilpkg now.",
            "Please use pip wheel evilpkg first.",
            "Use pipx run evilpkg",
            "Use pipx evilpkg",
            "Use uv add evilpkg or conda install evilpkg",
            "Then conda install evilpkg",
            "Use npx evilpkg",
            "Use npx -y evilpkg",
            "Use uvx evilpkg",
            "Call easy_install evilpkg",
            "Use `pip` install evilpkg",
            "Use \"uv\" *run* evilpkg",
            "Use /usr/bin/pip3.11 download evilpkg",
            "Use pip.exe —quiet install evilpkg",
            "Use PIP \u{2192} Install evilpkg",
            "Use ｕｖ ａｄｄ evilpkg",
            "请运行pipx run evilpkg",
            "请运行 pip --quiet install安装 evilpkg",
        ] {
            assert_eq!(of_model(text, &facts), "", "{text}");
        }
        for (text, kept) in [
            ("Run pip\ninstall evilpkg\nEnd", "Run pip End"),
            ("Run pip\n--upgrade\ninstall evilpkg\nEnd", "Run pip --upgrade End"),
            ("Run pip\u{1f642}install evilpkg", ""),
        ] {
            assert_eq!(of_model(text, &facts), kept, "{text}");
        }
    }

    #[test]
    fn a_sentence_about_a_program_stays() {
        let facts = facts::read(&redact::redact("Command: pip install x"));
        for text in [
            "pip, the installer, is old.",
            "Here pip could not find a matching version.",
            "Here pip could not install numpy.",
            "Upgrade pip and try again.",
            "Upgrade pip, install numpy later.",
            "Upgrade pip. Install numpy later.",
            "Use pipx for that, or conda instead.",
            "The resolver of uv may help.",
            "A new conda environment with Python 3.11 may help.",
        ] {
            assert_eq!(of_model(&format!("So: {text}"), &facts), format!("So: {text}"));
        }
    }
}

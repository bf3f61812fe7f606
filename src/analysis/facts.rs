//! What of a log can be relied on: what the client itself wrote (the command, the system
//! information) and pip's own error lines.

use std::fmt;

use super::command::UserCommand;
use super::redact::Redacted;
use super::version::Version;

/// How many of pip's error lines are kept, and how much of each, in bytes.
const MOST_ERRORS: usize = 12;
const LONGEST_ERROR: usize = 300;
const LONGEST_VALUE: usize = 64;

/// Which language the log's reader has set, as far as the log shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, or nothing that shows another.
    #[default]
    English,
    /// Chinese: the system or the compiler speaks it.
    Chinese,
}

/// A Python version, as far as compatibility goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PythonVersion {
    /// 3, or 2.
    pub major: u32,
    /// The feature version.
    pub minor: u32,
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// The operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Any Linux.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

/// What is known about a failed run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The user's command; empty where the log has none.
    pub command: UserCommand,
    /// The Python that pip runs on.
    pub python: Option<PythonVersion>,
    /// The operating system.
    pub system: Option<System>,
    /// The machine type, such as `x86_64`.
    pub machine: Option<String>,
    /// pip's version.
    pub pip: Option<Version>,
    /// The language to answer in.
    pub language: Language,
    /// pip's own error lines, in order, each at most 300 bytes.
    pub errors: Vec<String>,
    /// Whether packages come from another place than PyPI: the command or pip says so.
    pub other_source: bool,
}

const SYSTEM_INFO: &str = "\n--- SYSTEM INFO ---\n";

/// Where the system information begins, at its heading. The client appends it, so that the last
/// heading is the true one; a build's output can only print earlier ones.
pub(super) fn system_info_start(text: &str) -> Option<usize> {
    text.rfind(SYSTEM_INFO).map(|at| at.saturating_add(1))
}

/// Reads the facts of a log.
#[must_use]
pub fn read(text: &Redacted) -> Facts {
    let text = text.as_str();
    let mut facts = Facts::default();
    let (log, system) =
        system_info_start(text).and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""));
    if let Some(line) = log.lines().next().and_then(|line| line.strip_prefix("Command:")) {
        facts.command = UserCommand::parse(line);
    }
    facts.other_source = facts.command.other_source;
    facts.read_system(system);
    facts.read_log(log);
    if is_chinese(log) {
        facts.language = Language::Chinese;
    }
    facts
}

impl Facts {
    fn read_system(&mut self, block: &str) {
        for line in block.lines().take(40) {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match key {
                "python_version" => self.python = python_version(value),
                "os_system" => self.system = system_of(value),
                "machine_type" if is_plain(value) => self.machine = Some(value.to_owned()),
                "pip_version" => {
                    let version = value.strip_prefix("pip ").and_then(|rest| rest.split(' ').next());
                    self.pip = version.and_then(Version::parse);
                }
                _ => {}
            }
        }
    }

    fn read_log(&mut self, log: &str) {
        for line in log.lines() {
            if line.starts_with("Looking in indexes:") || line.starts_with("Looking in links:") {
                self.other_source = true;
            }
            if self.errors.len() < MOST_ERRORS && (line.starts_with("ERROR:") || line.starts_with("error:")) {
                self.errors.push(cut(line, LONGEST_ERROR).to_owned());
            }
        }
    }
}

/// The longest beginning of `text` of at most `most` bytes that ends between characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= LONGEST_VALUE
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn python_version(value: &str) -> Option<PythonVersion> {
    let mut parts = value.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    Some(PythonVersion { major, minor })
}

fn system_of(value: &str) -> Option<System> {
    match value {
        "Linux" => Some(System::Linux),
        "Darwin" => Some(System::MacOs),
        "Windows" => Some(System::Windows),
        _ => None,
    }
}

/// Words in which Windows, gcc and the shell report failures in Chinese, simplified and
/// traditional. Chinese in general is no sign: a build script may print anything.
const CHINESE: &[&str] = &[
    "拒绝访问",
    "致命错误",
    "编译中断",
    "没有那个文件或目录",
    "系统找不到指定的",
    "另一个程序正在使用此文件",
    "磁盘空间不足",
    "权限不够",
    "不是内部或外部命令",
    "由于目标计算机积极拒绝",
    "文件名或扩展名太长",
    "存取被拒",
    "嚴重錯誤",
    "沒有此一檔案或目錄",
    "错误：",
    "无法打开包括文件",
    "无法打开源文件",
    "無法開啟",
    "设备上没有空间",
    "未找到命令",
    "系統找不到指定的",
    "磁碟空間不足",
    "目标计算机",
    "远程主机强迫关闭",
    "由于连接方在一段时间后",
    "不知道这样的主机",
    "以一种访问权限不允许",
    "无法打开文件",
    "找不到 -l",
];

fn is_chinese(log: &str) -> bool {
    // The first bytes of the CJK ideographs in UTF-8: most logs have none of them.
    let is_ideograph = |byte: &u8| (0xe4..=0xe9).contains(byte);
    log.as_bytes().iter().enumerate().filter(|(_, byte)| is_ideograph(byte)).any(|(at, _)| {
        let rest = log.get(at..).unwrap_or_default();
        CHINESE.iter().any(|sign| rest.starts_with(sign))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::redact::redact;

    const LOG: &str = "Command: pip install numpy\nExit Code: 1\n\n--- stdout ---\nLooking in indexes: https://x/simple\n\
        --- stderr ---\n      --- SYSTEM INFO ---\n      python_version: 2.7.18\nERROR: one\n  ERROR: two\nerror: three\n\n\
        --- SYSTEM INFO ---\npython_version: 3.11.7\nos_system: Linux\nmachine_type: x86_64\n\
        pip_version: pip 23.2.1 from /x (python 3.11)\n";

    #[test]
    fn facts_are_read() {
        let facts = read(&redact(LOG));
        assert!(facts.command.names("NumPy"));
        assert_eq!(facts.python, Some(PythonVersion { major: 3, minor: 11 }));
        assert_eq!(facts.system, Some(System::Linux));
        assert_eq!(facts.machine.as_deref(), Some("x86_64"));
        assert_eq!(facts.pip.as_ref().map(Version::as_str), Some("23.2.1"));
        assert_eq!(facts.errors, ["ERROR: one", "error: three"]);
        assert!(facts.other_source);
        assert_eq!(facts.language, Language::English);
    }

    #[test]
    fn chinese_is_heard_from_the_system_only() {
        assert_eq!(read(&redact("a.c:1:1: 致命错误：x.h：没有那个文件或目录")).language, Language::Chinese);
        assert_eq!(read(&redact("正在检查构建环境")).language, Language::English);
    }

    #[test]
    fn nothing_is_read_from_nothing() {
        assert_eq!(read(&redact("")), Facts::default());
    }
}

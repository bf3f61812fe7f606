//! Programs that others wrote in Python.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::support_file;

/// A virtual environment with what `<name>-requirements.txt` lists, made once and kept with the build.
pub fn virtual_environment(name: &str) -> PathBuf {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(|failed| failed.into_inner());
    let requirements = support_file(&format!("{name}-requirements.txt"));
    let wanted = std::fs::read_to_string(&requirements).expect("the requirements are there");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let done = folder.join("installed.txt");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    let run = |command: &mut Command| {
        let output = command.stdin(Stdio::null()).output().expect("python3 starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    run(Command::new(folder.join("bin/pip")).args(["install", "--requirement"]).arg(&requirements));
    std::fs::write(&done, wanted).expect("the environment can be marked");
    folder
}

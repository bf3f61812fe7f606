//! Processes that end with the test.

use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use super::{support_file, wait_for};

/// A command in a process group of its own, with its output in a file.
pub struct Supervised {
    child: Mutex<Child>,
    output: PathBuf,
}

impl Supervised {
    /// Starts `program` with what `prepare` adds to it.
    pub fn start(program: &Path, output: PathBuf, prepare: impl FnOnce(&mut Command)) -> Self {
        let file = File::options().create(true).append(true).open(&output).expect("the output file opens");
        let mut command = Command::new("sh");
        command.arg(support_file("supervise.sh")).arg(program);
        prepare(&mut command);
        let child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(file.try_clone().expect("the output file opens twice"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{} starts: {error}", program.display()));
        Self { child: Mutex::new(child), output }
    }

    /// Whether the command still runs.
    pub fn runs(&self) -> bool {
        matches!(self.child.lock().expect("no test panicked here").try_wait(), Ok(None))
    }

    /// All that the command has printed.
    pub fn output(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = File::open(&self.output) {
            let _ = file.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The id of its process group.
    pub fn group(&self) -> u32 {
        self.child.lock().expect("no test panicked here").id()
    }

    /// Ends the whole group at once, as a crash would.
    pub fn kill(&self) {
        self.signal("-KILL");
        let _ = self.child.lock().expect("no test panicked here").wait();
    }

    /// Binds workerd to the first core, and to the others this process and, behind it, what only starts workerd and
    /// reads its console. Where `taskset` or a second core is missing, nothing changes.
    pub fn keep_apart(&self) {
        // Asked once: afterwards this process has fewer.
        static CORES: LazyLock<usize> =
            LazyLock::new(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
        let cores = *CORES;
        if cores < 2 {
            return;
        }
        let others = format!("1-{}", cores - 1);
        let run = |program, arguments: &[&str]| {
            let mut command = Command::new(program);
            let _ = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        };
        run("taskset", &["-a", "-c", "-p", &others, &std::process::id().to_string()]);
        for process in self.members() {
            if is_workerd(&process) {
                run("taskset", &["-a", "-c", "-p", "0", &process]);
            } else {
                run("taskset", &["-a", "-c", "-p", &others, &process]);
                run("renice", &["-n", "19", "-p", &process]);
            }
        }
    }

    /// The most memory that workerd has had so far, in bytes (proc_pid_status(5): `VmHWM`, in KiB); on Linux only.
    pub fn peak_memory(&self) -> Option<u64> {
        let workerd = self.members().into_iter().find(|process| is_workerd(process))?;
        let status = std::fs::read_to_string(format!("/proc/{workerd}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
    }

    /// Processor time that workerd has used so far.
    pub fn processor_time(&self) -> Duration {
        // In a hundredth of a second on every Linux (proc_pid_stat(5): fields 14 and 15); elsewhere unknown.
        let ticks = |process: &str| -> Option<u64> {
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
            Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
        };
        let processes = self.members().into_iter().filter(|process| is_workerd(process));
        Duration::from_millis(10 * processes.filter_map(|process| ticks(&process)).sum::<u64>())
    }

    /// The ids of the group's processes.
    fn members(&self) -> Vec<String> {
        let group = self.child.lock().expect("no test panicked here").id().to_string();
        let members = Command::new("pgrep").args(["-g", &group]).output();
        let members = members.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        members.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.group());
        let _ = Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
    }
}

/// Whether this is workerd itself, by its name (proc_pid_comm(5)).
fn is_workerd(process: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.trim_end() == "workerd")
}

impl Drop for Supervised {
    /// Lets it tidy up, then ends the whole group.
    fn drop(&mut self) {
        if self.runs() {
            self.signal("-TERM");
            wait_for(Duration::from_secs(3), || (!self.runs()).then_some(()));
            self.kill();
        }
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// The folder of everything that this run writes. Those of runs that have ended are removed.
pub fn run_folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let runs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runs");
        for run in std::fs::read_dir(&runs).into_iter().flatten().filter_map(Result::ok) {
            let process = run.file_name().to_string_lossy().into_owned();
            let signal = Command::new("kill").args(["-0", &process]).stderr(Stdio::null()).status();
            if !signal.is_ok_and(|status| status.success()) {
                let _ = std::fs::remove_dir_all(run.path());
            }
        }
        let folder = runs.join(std::process::id().to_string());
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        folder
    });
    &FOLDER
}

/// A new folder, removed when dropped unless the test is failing.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it in the folder of this run.
    pub fn new(purpose: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = run_folder().join(format!("{purpose}-{count}"));
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

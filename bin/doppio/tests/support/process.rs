//! Programs as children of the test: a log each, and none is left behind.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// Lines of a log that are shown when a test fails.
const SHOWN: usize = 25;

/// Says something past the test harness, which keeps what a passing test prints to itself.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A folder of a test; gone when dropped, unless the test failed.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file; its path.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if thread::panicking() {
            say(&format!("logs and data are kept in {}", self.0.display()));
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// `N` ports that nothing listens on, and that nobody else in this process was given: many programs
/// are started at once.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    [(); N].map(|()| {
        loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            if GIVEN.lock().unwrap().insert(port) {
                return port;
            }
        }
    })
}

/// When a test must be done.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// Time has not run out; if it has, says what was waited for.
    pub(crate) fn check(self, what: &str, error: &str) {
        assert!(
            Instant::now() < self.0,
            "time ran out, waiting until {what}: {error}"
        );
    }

    /// Asks again and again until there is an answer. `error` of the last question is shown if time
    /// runs out.
    pub(crate) fn wait<T>(self, what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
        loop {
            let error = match ask() {
                Ok(answer) => return answer,
                Err(error) => error,
            };
            self.check(what, &error);
            thread::sleep(Duration::from_millis(200));
        }
    }
}

/// A program that runs; killed when dropped.
pub(crate) struct Process {
    name: String,
    command: Command,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program. What it prints is added to a file of its name.
    pub(crate) fn start(name: &str, mut command: Command, folder: &Folder) -> Self {
        let log = folder.path(&format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        let child = spawn(&mut command, name);
        Self {
            name: name.to_owned(),
            command,
            child,
            log,
        }
    }

    /// Runs a program to its end, which must be a success.
    pub(crate) fn run(name: &str, command: Command, folder: &Folder) {
        let mut process = Self::start(name, command, folder);
        let status = process.child.wait().unwrap();
        assert!(status.success(), "{name} ended with {status}");
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended.
    pub(crate) fn assert_running(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "{} ended: {ended:?}", self.name);
    }

    /// How it ended; none while it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// What it printed so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Arguments that it is given from its next start on.
    pub(crate) fn add_arguments(&mut self, arguments: &[&str]) {
        self.command.args(arguments);
    }

    /// Ends it at once, as `kill -9` does, and starts it again as it was.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        self.child = spawn(&mut self.command, &self.name);
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(command: &mut Command, name: &str) -> Child {
    command
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(SHOWN)..];
            say(&format!("--- {} ---\n{}", self.name, tail.join("\n")));
        }
    }
}

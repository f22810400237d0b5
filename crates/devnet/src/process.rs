//! A program as a child that does not outlive its parent.

use crate::DevnetError;
use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
};

/// Lines that are kept of what a program prints.
const KEPT_LINES: usize = 60;
/// What watchdogs are scripts of.
const SHELL: &str = "/bin/sh";
/// Bytes that are kept of a line.
const KEPT_OF_A_LINE: u64 = 4096;

/// A program that runs; killed when dropped, and when this process ends in whatever way.
#[derive(Debug)]
pub(crate) struct ChildProcess {
    child: Child,
    /// Kills the child once this process is gone, and removes its folder: its standard input is a
    /// pipe from here, which the system closes then.
    watchdog: Option<Child>,
    output: Output,
}

/// The end of what a program printed.
#[derive(Clone, Debug, Default)]
struct Output(Arc<Mutex<VecDeque<String>>>);

impl Output {
    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a stream to its end: a program may stop if nobody does. Lines go to `listener` too, as
    /// long as there is one.
    fn read(&self, stream: impl Read + Send + 'static, listener: mpsc::Sender<String>) {
        let output = self.clone();
        thread::spawn(move || {
            let mut listener = Some(listener);
            let mut stream = BufReader::new(stream);
            loop {
                let mut bytes = Vec::new();
                let mut line = stream.by_ref().take(KEPT_OF_A_LINE);
                match line.read_until(b'\n', &mut bytes) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
                let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                if let Some(sender) = &listener
                    && sender.send(line.clone()).is_err()
                {
                    listener = None;
                }
                let mut lines = output.lines();
                if lines.len() == KEPT_LINES {
                    lines.pop_front();
                }
                lines.push_back(line);
            }
        });
    }
}

impl ChildProcess {
    /// Starts a program. The receiver gives the lines that it prints. `folder` is one that must not
    /// stay if this process is killed.
    pub(crate) fn start(
        program: &Path,
        command: &mut Command,
        folder: Option<&Path>,
    ) -> Result<(Self, mpsc::Receiver<String>), DevnetError> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| DevnetError::Spawn {
                program: program.to_owned(),
                error,
            })?;
        let output = Output::default();
        let (sender, receiver) = mpsc::channel();
        if let Some(stream) = child.stdout.take() {
            output.read(stream, sender.clone());
        }
        if let Some(stream) = child.stderr.take() {
            output.read(stream, sender);
        }
        let mut process = Self {
            child,
            watchdog: None,
            output,
        };
        // On an error the child is dropped, and killed.
        let watchdog = watchdog(Watched::Process(process.child.id()), folder);
        process.watchdog = Some(watchdog.map_err(|error| DevnetError::Spawn {
            program: SHELL.into(),
            error,
        })?);
        Ok((process, receiver))
    }

    /// The end of what it printed.
    pub(crate) fn output(&self) -> String {
        let lines = self.output.lines();
        lines
            .iter()
            .fold(String::new(), |text, line| text + line + "\n")
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended.
    pub(crate) fn check(&mut self) -> Result<(), DevnetError> {
        let status = match self.child.try_wait() {
            Ok(None) => return Ok(()),
            Ok(Some(status)) => status.to_string(),
            Err(error) => error.to_string(),
        };
        Err(DevnetError::Ended {
            status,
            output: self.output(),
        })
    }
}

/// Whom a watchdog kills.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Watched {
    /// A process.
    Process(u32),
    /// A process that leads a group, with all of the group.
    Group(u32),
}

/// Starts a process that waits until its standard input is closed, and then kills another, and removes
/// a folder.
pub(crate) fn watchdog(watched: Watched, folder: Option<&Path>) -> std::io::Result<Child> {
    const SCRIPT: &str = r#"read -r _; kill -9 -- "$1"; [ -z "$2" ] || rm -rf -- "$2""#;
    let whom = match watched {
        Watched::Process(id) => id.to_string(),
        Watched::Group(id) => format!("-{id}"),
    };
    Command::new(SHELL)
        .args(["-c", SCRIPT, "watchdog", &whom])
        .args(folder)
        // Ctrl-C, which all of the terminal's group get, must not end it first.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // The watchdog first: it must not kill whoever gets the child's id next.
        for child in self.watchdog.iter_mut().chain([&mut self.child]) {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

//! A role as a child process: its log is a file, and it does not outlive this process.

use super::{
    NetworkError,
    roles::{CommandLine, Role},
};
use crate::process::{Watched, watchdog};
use std::{
    env,
    fs::File,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

/// How the variables begin that programs read flags from. What a role does is what its printed command
/// says, whatever the environment of this process has for others.
const FLAG_VARIABLES: [&str; 5] = [
    "DOPPIO_NODE_",
    "DOPPIO_ENGINE_",
    "DOPPIO_BATCHER_",
    "OP_NODE_",
    "OP_BATCHER_",
];

/// A role that runs; ended when dropped, with all that it started, and when this process ends in
/// whatever way.
#[derive(Debug)]
pub(crate) struct RoleProcess {
    child: Child,
    watchdog: Child,
    status: Option<ExitStatus>,
}

impl RoleProcess {
    /// Starts a role. What it prints goes to the end of `log`.
    pub(crate) fn start(
        role: Role,
        command: &CommandLine,
        log: &Path,
    ) -> Result<Self, NetworkError> {
        let failed = |error| NetworkError::Spawn { role, error };
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(failed)?;
        writeln!(file, "$ {command}").map_err(failed)?;
        let mut words = command.0.iter();
        let program = words.next().map(String::as_str).unwrap_or_default();
        let mut command = Command::new(program);
        command
            .args(words)
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(failed)?)
            .stderr(file);
        clean(&mut command);
        let (child, watchdog) = spawn(&mut command).map_err(|error| {
            let error = match error.kind() {
                io::ErrorKind::NotFound => {
                    io::Error::new(error.kind(), format!("there is no program {program}"))
                }
                _ => error,
            };
            failed(error)
        })?;
        Ok(Self {
            child,
            watchdog,
            status: None,
        })
    }

    /// Its process id, which is its group's as well.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has. What it has started itself ends then as well.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.status = Some(status);
            end(&mut self.child, &mut self.watchdog);
        }
        self.status
    }

    /// Asks it to stop, as Ctrl-C does.
    pub(crate) fn ask_to_stop(&mut self) {
        if self.ended().is_none() {
            signal("TERM", &self.child.id().to_string());
        }
    }
}

impl Drop for RoleProcess {
    fn drop(&mut self) {
        if self.status.is_none() {
            end(&mut self.child, &mut self.watchdog);
        }
    }
}

/// Takes flags of roles out of a command's environment.
fn clean(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let is_flag = |name: &str| FLAG_VARIABLES.iter().any(|begin| name.starts_with(begin));
        if name.to_str().is_some_and(is_flag) {
            command.env_remove(name);
        }
    }
}

/// Starts a program in a group of its own, which is killed once this process is gone. Ctrl-C, which
/// all of the terminal's group get, so does not reach it: the roles are stopped one after the other.
pub(crate) fn spawn(command: &mut Command) -> io::Result<(Child, Child)> {
    let mut child = command.process_group(0).spawn()?;
    match watchdog(Watched::Group(child.id()), None) {
        Ok(watchdog) => Ok((child, watchdog)),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

/// Kills a program with all of its group, and its watchdog.
pub(crate) fn end(child: &mut Child, watchdog: &mut Child) {
    signal("KILL", &format!("-{}", child.id()));
    let _ = child.wait();
    // It must not kill whoever gets the child's id next.
    let _ = watchdog.kill();
    let _ = watchdog.wait();
}

/// Sends a signal to a process, or with a minus sign to a group.
pub(crate) fn signal(name: &str, to: &str) {
    let _ = Command::new("/bin/sh")
        .args(["-c", r#"kill -s "$1" -- "$2""#, "kill", name, to])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs, thread,
        time::{Duration, Instant},
    };

    fn runs(id: u32) -> bool {
        // a zombie has no command line
        fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty())
    }

    fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(10), "{what}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_role_is_stopped_by_a_signal_and_its_own_children_do_not_stay() {
        let log = std::env::temp_dir().join(format!("doppio-child-{}", std::process::id()));
        let _ = fs::remove_file(&log);
        let script = r#"trap 'echo asked; exit 3' TERM; sleep 100 & echo "$!"; wait"#;
        let command = CommandLine(["/bin/sh", "-c", script].map(str::to_owned).into());
        let mut role = RoleProcess::start(Role::Node, &command, &log).unwrap();
        let mut grandchild = 0;
        wait_until("it prints", || {
            let text = fs::read_to_string(&log).unwrap();
            match text.lines().nth(1).map(str::parse) {
                Some(Ok(id)) => grandchild = id,
                _ => return false,
            }
            true
        });
        assert!(runs(grandchild) && role.ended().is_none());
        role.ask_to_stop();
        wait_until("it ends", || role.ended().is_some());
        assert_eq!(role.ended().unwrap().code(), Some(3));
        let text = fs::read_to_string(&log).unwrap();
        assert!(
            text.starts_with("$ /bin/sh -c ") && text.ends_with("asked\n"),
            "{text}"
        );
        wait_until("the grandchild ends", || !runs(grandchild));
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let log = std::env::temp_dir().join(format!("doppio-nothing-{}", std::process::id()));
        let command = CommandLine(vec!["/nowhere/op-batcher".to_owned()]);
        let error = RoleProcess::start(Role::Batcher, &command, &log).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("batcher") && text.contains("/nowhere/op-batcher"),
            "{text}"
        );
        fs::remove_file(log).unwrap();
    }
}

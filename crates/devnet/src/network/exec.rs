//! A command beside a devnet: `--exec`.

use super::{
    NetworkError,
    child::{end, signal, spawn},
};
use serde_json::Value;
use std::{
    io::IsTerminal,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
};

/// What shells add to the number of a signal.
const BY_SIGNAL: i32 = 128;

/// A command that runs in a shell, with the devnet's URLs and keys in its environment.
#[derive(Debug)]
pub(crate) struct Exec {
    child: Child,
    /// None where the command has the terminal, and so is in this process's group.
    watchdog: Option<Child>,
    has_ended: bool,
}

impl Exec {
    /// Starts a command.
    pub(crate) fn start(text: &str, description: &Value) -> Result<Self, NetworkError> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", text]).envs(variables(description));
        let failed = |error| NetworkError::Exec {
            command: text.to_owned(),
            error,
        };
        // Whoever types into a terminal is in the group that has it.
        let (child, watchdog) = if std::io::stdin().is_terminal() {
            (command.spawn().map_err(failed)?, None)
        } else {
            let (child, watchdog) = spawn(command.stdin(Stdio::inherit())).map_err(failed)?;
            (child, Some(watchdog))
        };
        Ok(Self {
            child,
            watchdog,
            has_ended: false,
        })
    }

    /// What it ended with, as a shell has it: its exit status, or 128 and the number of the signal.
    pub(crate) fn ended(&mut self) -> Option<u8> {
        let status = self.child.try_wait().ok().flatten()?;
        self.has_ended = true;
        if let Some(watchdog) = &mut self.watchdog {
            // what it left in the background
            end(&mut self.child, watchdog);
        }
        Some(code(status))
    }

    /// Asks it to stop.
    pub(crate) fn ask_to_stop(&self) {
        signal("TERM", &self.child.id().to_string());
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        match &mut self.watchdog {
            Some(watchdog) => end(&mut self.child, watchdog),
            None => {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}

fn code(status: ExitStatus) -> u8 {
    let signal = status
        .signal()
        .map(|signal| BY_SIGNAL.saturating_add(signal));
    let code = status.code().or(signal).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// The command's environment. What is in none of them is in devnet.json.
pub(crate) fn variables(description: &Value) -> Vec<(&'static str, String)> {
    const FROM: [(&str, &str); 11] = [
        ("L1_RPC_URL", "/l1/rpc"),
        ("L1_BEACON_URL", "/l1/beacon"),
        ("L2_RPC_URL", "/l2/rpc"),
        ("L2_WS_URL", "/l2/ws"),
        // what cast and forge read
        ("ETH_RPC_URL", "/l2/rpc"),
        ("ROLLUP_RPC_URL", "/l2/rollup_rpc"),
        ("BATCHER_RPC_URL", "/l2/batcher_rpc"),
        ("VERIFIER_L2_RPC_URL", "/verifier/rpc"),
        ("VERIFIER_ROLLUP_RPC_URL", "/verifier/rollup_rpc"),
        ("ADDRESS", "/users/0/address"),
        ("PRIVATE_KEY", "/users/0/key"),
    ];
    let text = |pointer: &str| {
        let value = description.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let json = format!("{}/devnet.json", text("/folder"));
    FROM.into_iter()
        .map(|(name, pointer)| (name, text(pointer)))
        .chain([("DEVNET_JSON", json)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shells_exit_status_is_passed_on() {
        assert_eq!(code(ExitStatus::from_raw(0)), 0);
        assert_eq!(code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code(ExitStatus::from_raw(9)), 137);
    }
}

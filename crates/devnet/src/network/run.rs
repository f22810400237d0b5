//! A devnet from its start to its end.

use super::{
    NetworkError, Screen,
    boot::{Booted, boot},
    exec::Exec,
    ladder::ladder,
    options::NetworkOptions,
    ports::Port,
};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::{sync::mpsc, time::MissedTickBehavior};

/// How often it is looked whether a role or the command has ended.
const LOOK: Duration = Duration::from_millis(100);
/// How often the heads are asked for.
const LADDER: Duration = Duration::from_secs(1);
/// How long a command may take to stop before it is killed.
const STOP_EXEC: Duration = Duration::from_secs(5);

/// A message for each Ctrl-C.
pub type Interrupts = mpsc::UnboundedReceiver<()>;

/// How a devnet ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was stopped before it was ready.
    BeforeReady,
    /// It was stopped.
    Stopped,
    /// The command has ended, with this status.
    Command(u8),
}

/// Runs a devnet until it is interrupted, or until `exec` has ended. `ready` gets what is in devnet.json
/// once all roles answer. A second interruption ends everything at once.
///
/// # Errors
///
/// If it does not start. What goes wrong afterwards is said on the screen.
pub async fn run(
    options: &NetworkOptions,
    exec: Option<&str>,
    mut interrupts: Interrupts,
    screen: &mut Screen,
    ready: impl FnOnce(&Value),
) -> Result<Ended, NetworkError> {
    let begin = Instant::now();
    let booted = tokio::select! {
        booted = boot(options, screen) => booted?,
        // what was started ends as it is dropped
        _ = interrupts.recv() => return Ok(Ended::BeforeReady),
    };
    let description = booted.supervisor.description();
    ready(&description);
    welcome(
        screen,
        &booted,
        &description,
        begin.elapsed(),
        exec.is_some(),
    );
    let exec = match exec {
        Some(command) => Some(Exec::start(command, &description)?),
        None => None,
    };
    go_on(booted, exec, interrupts, screen).await
}

fn welcome(
    screen: &mut Screen,
    booted: &Booted,
    description: &Value,
    took: Duration,
    is_for_command: bool,
) {
    let url = |port| booted.ports.url(port);
    let text = |pointer: &str| {
        let value = description.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    screen.line("");
    screen.line(format!("L2 RPC {}", url(Port::L2)));
    screen.line(format!("L2 WebSocket {}", url(Port::L2Ws)));
    screen.line(format!("L1 RPC {}", url(Port::L1)));
    screen.line(format!("L1 beacon {}", url(Port::L1)));
    screen.line(format!("Rollup node RPC {}", url(Port::Node)));
    screen.line(format!(
        "Second node: L2 RPC {}, its own RPC {}",
        url(Port::VerifierL2),
        url(Port::Verifier)
    ));
    screen.line(format!(
        "A user with ether on both chains: {}, key {}",
        text("/users/0/address"),
        text("/users/0/key")
    ));
    screen.line(format!(
        "More of them, contracts and commands: {}",
        booted.supervisor.folder.layout.description().display()
    ));
    let what = if booted.goes_on {
        "The chain goes on"
    } else {
        "Ready"
    };
    let stop = if is_for_command {
        ""
    } else {
        " Ctrl-C stops everything."
    };
    screen.line(format!("{what} after {:.1} s.{stop}", took.as_secs_f64()));
    screen.line("");
}

/// Shows the heads, and what ends, until the end.
async fn go_on(
    booted: Booted,
    mut exec: Option<Exec>,
    mut interrupts: Interrupts,
    screen: &mut Screen,
) -> Result<Ended, NetworkError> {
    let Booted {
        mut supervisor,
        node,
        verifier,
        ..
    } = booted;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rungs = tokio::time::interval(LADDER);
    rungs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked_to_stop: Option<Instant> = None;
    let ended = loop {
        tokio::select! {
            _ = look.tick() => {}
            _ = rungs.tick() => {
                if let Some(ladder) = ladder(&node, &verifier).await {
                    screen.ladder(ladder);
                }
            }
            interrupt = interrupts.recv() => match &exec {
                Some(exec) if asked_to_stop.is_none() && interrupt.is_some() => {
                    asked_to_stop = Some(Instant::now());
                    exec.ask_to_stop();
                }
                _ => break Ended::Stopped,
            },
        }
        for end in supervisor.ended()? {
            screen.line(format!(
                "{} has ended ({}); its log is {}. To start it again:\n  {}",
                end.role,
                end.status,
                end.log.display(),
                end.command
            ));
        }
        if let Some(code) = exec.as_mut().and_then(Exec::ended) {
            break Ended::Command(code);
        }
        if asked_to_stop.is_some_and(|at| at.elapsed() >= STOP_EXEC) {
            break Ended::Stopped;
        }
    };
    drop(exec);
    screen.line("stopping");
    tokio::select! {
        killed = supervisor.stop() => for role in killed? {
            screen.line(format!("{role} did not stop, and was killed"));
        },
        // dropped, and so killed
        _ = interrupts.recv() => screen.line("killed"),
    }
    match (ended, asked_to_stop) {
        // whatever it said then, it was not done
        (Ended::Command(0), Some(_)) => Ok(Ended::Stopped),
        (ended, _) => Ok(ended),
    }
}

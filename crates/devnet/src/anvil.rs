//! anvil as a child process.

use crate::{
    DevnetError, L1Hardfork, folder::Folder, process::ChildProcess, programs::Programs, rpc::Rpc,
    supersim::L1_CHAIN_ID,
};
use serde_json::json;
use std::{
    path::PathBuf,
    process::Command,
    sync::mpsc::{Receiver, TryRecvError},
    time::{Duration, Instant},
};

/// Longest time until anvil listens.
const START: Duration = Duration::from_secs(60);
/// How often it is looked whether it does.
const POLL: Duration = Duration::from_millis(5);
/// What anvil prints once it listens.
const LISTENING: &str = "Listening on ";

/// Where anvil's chain comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A genesis.json.
    Genesis(PathBuf),
    /// A state that [`DevL1::dump_state`](crate::DevL1::dump_state) wrote.
    State(PathBuf),
}

/// anvil while it runs. It mines when it is told to.
#[derive(Debug)]
pub(crate) struct Anvil {
    process: ChildProcess,
    url: String,
}

impl Anvil {
    /// Starts anvil, and waits until it answers. `folder` is where it keeps states that it has no
    /// memory for.
    pub(crate) async fn start(
        programs: &Programs,
        folder: &Folder,
        origin: &Origin,
        hardfork: L1Hardfork,
        slots_per_epoch: u64,
    ) -> Result<Self, DevnetError> {
        let mut command = Command::new(&programs.anvil);
        match origin {
            Origin::Genesis(file) => command.arg("--init").arg(file),
            Origin::State(file) => command.arg("--load-state").arg(file),
        };
        command
            // it says which one it took
            .args(["--port", "0"])
            .args(["--chain-id", &L1_CHAIN_ID.to_string()])
            .args(["--hardfork", hardfork.name()])
            .args(["--slots-in-an-epoch", &slots_per_epoch.to_string()])
            .args(["--no-mining", "--no-request-size-limit"])
            // so that it takes a transaction whose blobs it was not given
            .arg("--auto-impersonate")
            .arg("--cache-path")
            .arg(folder.path());
        let (mut process, lines) =
            ChildProcess::start(&programs.anvil, &mut command, folder.temporary())?;
        let address = listening(&mut process, &lines).await?;
        let url = format!("http://{address}");
        // Each call would be a line.
        Rpc::new(&url)?
            .call("anvil_setLoggingEnabled", json!([false]))
            .await?;
        Ok(Self { process, url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// An error if it has ended.
    pub(crate) fn check(&mut self) -> Result<(), DevnetError> {
        self.process.check()
    }
}

/// Waits until anvil says where it listens.
async fn listening(
    process: &mut ChildProcess,
    lines: &Receiver<String>,
) -> Result<String, DevnetError> {
    let start = Instant::now();
    loop {
        match lines.try_recv() {
            Ok(line) => {
                if let Some((_, address)) = line.split_once(LISTENING) {
                    return Ok(address.trim().to_owned());
                }
                continue;
            }
            Err(TryRecvError::Empty) => {}
            // Its output ended, and it is about to.
            Err(TryRecvError::Disconnected) => process.check()?,
        }
        if start.elapsed() >= START {
            return Err(DevnetError::NotReady {
                after: START,
                output: process.output(),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

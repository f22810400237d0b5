//! The role `l1`: an L1 that is kept on disk.

use crate::{DevL1, DevL1Options, DevnetError, Programs, blobs};
use std::{path::PathBuf, time::Duration};

/// How an L1 is run as a process of its own.
#[derive(Clone, Debug)]
pub struct L1Options {
    /// Where it is kept; what is there goes on.
    pub folder: PathBuf,
    /// Port of JSON-RPC and the beacon node.
    pub port: u16,
    /// Seconds of a slot.
    pub block_time: u64,
    /// Blocks from the head to the safe block, and from there to the finalized one.
    pub slots_per_epoch: u64,
    /// How often it is kept.
    pub save_interval: Duration,
    /// anvil and supersim; none for those that npm installed.
    pub programs: Option<Programs>,
}

/// Runs an L1 until `stop` is there, and keeps it then. If this process is killed, the blocks since it
/// was kept last are lost, as by a reorganisation; none of them was final.
///
/// # Errors
///
/// If it does not start, anvil ends, or it cannot be kept at the end.
pub async fn run_l1(options: L1Options, stop: impl Future<Output = ()>) -> Result<(), DevnetError> {
    let l1 = DevL1::start(DevL1Options {
        programs: options.programs,
        block_time: options.block_time,
        slots_per_epoch: options.slots_per_epoch,
        kept_in: Some(options.folder),
        port: options.port,
        ..DevL1Options::default()
    })
    .await?;
    // It takes its time, and the first blob would have to wait for it.
    tokio::task::spawn_blocking(blobs::prepare);
    let head = l1.head().await?;
    tracing::info!(url = l1.rpc_url(), head = head.number, "L1");
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = tokio::time::sleep(options.save_interval) => {
                l1.check()?;
                if let Err(error) = l1.save().await {
                    tracing::warn!("L1 cannot be kept: {error}");
                }
            }
            () = &mut stop => {
                l1.check()?;
                return l1.save().await;
            }
        }
    }
}

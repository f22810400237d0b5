//! Of several sequencers, the one that makes blocks.

use crate::{client::L2Client, rollup::RollupNode};
use core::time::Duration;
use std::sync::Arc;
use thiserror::Error;
use tokio::{sync::Mutex, time::Instant};
use tracing::{info, warn};

/// No sequencer is active.
#[derive(Debug, Error)]
#[error(
    "none of the {among} rollup nodes says that it makes blocks ({last}): is its admin RPC open \
     (--rpc.enable-admin), and is one of them started?"
)]
pub struct SequencerError {
    among: usize,
    last: String,
}

/// A rollup node, and the execution engine that it drives.
#[derive(Clone, Debug)]
pub struct Sequencer {
    /// The rollup node.
    pub rollup: RollupNode,
    /// Its engine.
    pub l2: Arc<L2Client>,
}

#[derive(Debug, Default)]
struct Choice {
    index: usize,
    checked: Option<Instant>,
}

/// Several sequencers, one of which is active.
///
/// A single one is taken as it is, active or not. Of several, the one that was active is asked again
/// after a while whether it still is; if not, the others are asked in turn.
#[derive(Debug)]
pub struct ActiveSequencer {
    nodes: Vec<Sequencer>,
    check_interval: Duration,
    choice: Mutex<Choice>,
}

impl ActiveSequencer {
    /// Sequencers, of which the first is asked first.
    pub fn new(nodes: Vec<Sequencer>, check_interval: Duration) -> Self {
        Self {
            nodes,
            check_interval,
            choice: Mutex::default(),
        }
    }

    /// All of them.
    pub fn all(&self) -> &[Sequencer] {
        &self.nodes
    }

    /// The active one.
    ///
    /// # Errors
    ///
    /// If there are several and none says that it is active.
    pub async fn get(&self) -> Result<Sequencer, SequencerError> {
        let mut choice = self.choice.lock().await;
        let none = |last: String| SequencerError {
            among: self.nodes.len(),
            last,
        };
        let current = self.nodes.get(choice.index);
        let is_fresh = choice
            .checked
            .is_some_and(|checked| checked.elapsed() < self.check_interval);
        if let Some(current) = current
            && (self.nodes.len() == 1 || is_fresh)
        {
            return Ok(current.clone());
        }
        let mut last = "there is none".to_owned();
        for offset in 0..self.nodes.len() {
            let index = (choice.index + offset) % self.nodes.len();
            let Some(node) = self.nodes.get(index) else {
                continue;
            };
            match node.rollup.is_sequencing().await {
                Ok(true) => {
                    if index != choice.index {
                        info!(node = node.rollup.name(), "another sequencer is active");
                    }
                    *choice = Choice {
                        index,
                        checked: Some(Instant::now()),
                    };
                    return Ok(node.clone());
                }
                Ok(false) => last = format!("{} does not", node.rollup.name()),
                Err(error) => {
                    warn!(%error, "a sequencer does not answer");
                    last = error.to_string();
                }
            }
        }
        Err(none(last))
    }
}

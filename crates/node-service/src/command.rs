//! What the node can be told to do, and by whom.

use crate::{safe_db::SafeDb, status::NodeStatus};
use alloy_primitives::B256;
use doppio_l2::{L2Client, SyncStatus};
use doppio_node::StartError;
use doppio_protocol::{config::ChainConfig, l2::L2Block};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// An answer, when there is one.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// What the node can be told.
#[derive(Debug)]
pub(crate) enum Command {
    Reset(Reply<()>),
    StartSequencing(B256, Reply<Result<(), CommandError>>),
    StopSequencing(Reply<Result<B256, CommandError>>),
    SetRecover(bool, Reply<Result<(), CommandError>>),
    UnsafeBlock(Arc<L2Block>, Reply<Result<(), CommandError>>),
    Stop(Reply<()>),
}

/// Why the node does not do what it is told.
#[derive(Debug, Error)]
pub enum CommandError {
    /// It does not start making blocks.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It makes no blocks.
    #[error("sequencer not running")]
    NotSequencing,
    /// It was not started as a sequencer.
    #[error("sequencer is not enabled: start the node with --sequencer.enabled")]
    NotSequencer,
    /// A block that it does not take.
    #[error("{0}")]
    Refused(#[from] doppio_node::Refused),
    /// Whether blocks are made after a restart cannot be written down.
    #[error("the state cannot be kept: {0}")]
    Persistence(String),
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

/// A node that runs, for whoever asks it something. Clones are of the same node.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    pub(crate) chain: Arc<ChainConfig>,
    pub(crate) l2: Arc<L2Client>,
    pub(crate) safe_db: Option<Arc<SafeDb>>,
    pub(crate) status: watch::Receiver<NodeStatus>,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl NodeHandle {
    /// The chain.
    pub const fn chain(&self) -> &Arc<ChainConfig> {
        &self.chain
    }

    /// Its execution engine.
    pub const fn l2(&self) -> &Arc<L2Client> {
        &self.l2
    }

    /// The heads of both chains.
    pub fn sync_status(&self) -> SyncStatus {
        self.status.borrow().sync
    }

    /// Whether it makes blocks.
    pub fn is_sequencing(&self) -> bool {
        self.status.borrow().is_sequencing
    }

    /// Follows what it tells of itself.
    pub fn watch(&self) -> watch::Receiver<NodeStatus> {
        self.status.clone()
    }

    async fn tell<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, CommandError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| CommandError::Stopped)?;
        answer.await.map_err(|_| CommandError::Stopped)
    }

    /// Finds the heads again, and derives again from there.
    ///
    /// # Errors
    ///
    /// If the node has stopped.
    pub async fn reset(&self) -> Result<(), CommandError> {
        self.tell(Command::Reset).await
    }

    /// Begins to make blocks on exactly this head.
    ///
    /// # Errors
    ///
    /// If it makes blocks already, the head is another, or the node was not started as a sequencer.
    pub async fn start_sequencing(&self, head: B256) -> Result<(), CommandError> {
        self.tell(|reply| Command::StartSequencing(head, reply))
            .await?
    }

    /// Makes no more blocks, and says on which head another sequencer goes on.
    ///
    /// # Errors
    ///
    /// If it makes none.
    pub async fn stop_sequencing(&self) -> Result<B256, CommandError> {
        self.tell(Command::StopSequencing).await?
    }

    /// Whether blocks take the next L1 origin each, and no users' transactions.
    ///
    /// # Errors
    ///
    /// If the node was not started as a sequencer.
    pub async fn set_recover(&self, recover: bool) -> Result<(), CommandError> {
        self.tell(|reply| Command::SetRecover(recover, reply))
            .await?
    }

    /// Brings a block from outside.
    ///
    /// # Errors
    ///
    /// If it is of no use.
    pub async fn unsafe_block(&self, block: Arc<L2Block>) -> Result<(), CommandError> {
        self.tell(|reply| Command::UnsafeBlock(block, reply))
            .await?
    }

    /// Ends the node.
    pub async fn stop(&self) {
        // an error says that it has ended before
        let _ = self.tell(Command::Stop).await;
    }
}

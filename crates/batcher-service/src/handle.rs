//! What the batcher can be told, and by whom.

use doppio_batcher::{Status, ThrottleController, ThrottleOptions};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// An answer, when there is one.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// What the batcher can be told.
#[derive(Debug)]
pub(crate) enum Command {
    Start(Reply<Result<(), CommandError>>),
    Stop(Reply<Result<(), CommandError>>),
    Flush(Reply<Result<(), CommandError>>),
    Throttle(ThrottleController, Reply<()>),
    /// The process ends: post no more, and end once nothing is under way.
    End,
}

/// Why the batcher does not do what it is told. The words are op-batcher's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// It posts already.
    #[error("batcher is already running")]
    Running,
    /// It does not post.
    #[error("batcher is not running")]
    NotRunning,
    /// It has ended.
    #[error("the batcher has ended")]
    Ended,
}

/// What the batcher tells of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) status: Status,
    pub(crate) throttle: ThrottleOptions,
}

/// A batcher that runs, for whoever asks it something. Clones are of the same batcher.
#[derive(Clone, Debug)]
pub struct BatcherHandle {
    pub(crate) told: watch::Receiver<Told>,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl BatcherHandle {
    /// What it holds.
    pub fn status(&self) -> Status {
        self.told.borrow().status
    }

    /// How block builders are throttled; the controller is the one of now.
    pub fn throttle(&self) -> ThrottleOptions {
        self.told.borrow().throttle
    }

    async fn tell<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, CommandError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| CommandError::Ended)?;
        answer.await.map_err(|_| CommandError::Ended)
    }

    /// Begins to post.
    ///
    /// # Errors
    ///
    /// If it does already.
    pub async fn start(&self) -> Result<(), CommandError> {
        self.tell(Command::Start).await?
    }

    /// Stops posting. Returns once nothing is under way.
    ///
    /// # Errors
    ///
    /// If it does not post.
    pub async fn stop(&self) -> Result<(), CommandError> {
        self.tell(Command::Stop).await?
    }

    /// Closes the channel with what is loaded, and posts it.
    ///
    /// # Errors
    ///
    /// If it does not post.
    pub async fn flush(&self) -> Result<(), CommandError> {
        self.tell(Command::Flush).await?
    }

    /// Throttles by another rule.
    ///
    /// # Errors
    ///
    /// If the batcher has ended.
    pub async fn set_throttle_controller(
        &self,
        controller: ThrottleController,
    ) -> Result<(), CommandError> {
        self.tell(|reply| Command::Throttle(controller, reply))
            .await
    }

    /// Ends the batcher, once nothing is under way.
    pub async fn end(&self) {
        // one that is gone has ended
        let _ = self.commands.send(Command::End).await;
    }
}

//! A thread with a scheduler of its own.
//!
//! What an L1 consists of beside anvil goes on while a test waits for a program without awaiting, and
//! whichever runtime the test has.

use std::{
    future::Future,
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;

/// A task on a thread of its own; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Service {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// Begins the task that `make` gives.
    pub(crate) fn start<F, T>(name: &str, make: F) -> std::io::Result<Self>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Future<Output = ()>,
    {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        () = make() => {}
                    }
                });
                // What a request waits for (a delay of minutes, perhaps) is not waited for.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

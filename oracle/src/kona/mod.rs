//! kona's derivation over a recording in memory.
//!
//! [`World`] holds the recording in kona's own types, decoded by kona's own libraries; nothing is
//! shared with Doppio but bytes. Its providers answer at once, so kona's futures never wait.

mod batches;
mod data;
mod drive;
mod providers;
mod world;

pub use batches::{Batches, batches};
pub use data::{data_items, frames};
pub use drive::{Action, Derivation, Divergence, DriveError, Engine, Script, derive, drive};
pub use world::{World, WorldError, read_config};

pub use kona_genesis::RollupConfig;
pub use kona_protocol::{
    Batch, BatchReader, Frame, OpAttributesWithParent, SingleBatch, SpanBatch,
};

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// Runs a future to its end. The providers never make one wait, so asking again is enough.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

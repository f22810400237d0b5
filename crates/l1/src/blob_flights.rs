//! Blobs that are fetched before anybody asks for them: while derivation is busy with one L1 block, the
//! blobs of the next ones come.

use crate::failure::L1Error;
use alloy_primitives::B256;
use doppio_protocol::blob::Blob;
use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Semaphore, task::JoinHandle};

/// Most blobs that are here or on their way: 32 MiB.
const MOST_BLOBS: usize = 256;
/// Most requests at a time: nothing that is asked for is to wait long for what may be.
const MOST_REQUESTS: usize = 4;

/// A block's blobs on their way, or here.
#[derive(Debug)]
struct Flight {
    block: B256,
    hashes: Vec<B256>,
    task: JoinHandle<Result<Vec<Box<Blob>>, L1Error>>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Blobs of some blocks, the first asked for first.
#[derive(Debug)]
pub(crate) struct BlobFlights {
    flights: Mutex<VecDeque<Flight>>,
    requests: Arc<Semaphore>,
}

impl Default for BlobFlights {
    fn default() -> Self {
        Self {
            flights: Mutex::default(),
            requests: Arc::new(Semaphore::new(MOST_REQUESTS)),
        }
    }
}

impl BlobFlights {
    fn flights(&self) -> MutexGuard<'_, VecDeque<Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to fetch a block's blobs, unless there are too many already: blocks are read in order,
    /// so the first are those that are wanted first.
    pub(crate) fn begin(
        &self,
        block: B256,
        hashes: Vec<B256>,
        fetch: impl Future<Output = Result<Vec<Box<Blob>>, L1Error>> + Send + 'static,
    ) {
        let mut flights = self.flights();
        let blobs: usize = flights.iter().map(|flight| flight.hashes.len()).sum();
        let is_known = flights.iter().any(|flight| flight.block == block);
        if is_known || blobs + hashes.len() > MOST_BLOBS {
            return;
        }
        let requests = Arc::clone(&self.requests);
        let task = tokio::spawn(async move {
            // it is never closed
            let _permit = requests.acquire().await;
            fetch.await
        });
        flights.push_back(Flight {
            block,
            hashes,
            task,
        });
    }

    /// The blobs with these hashes, if they were fetched with the block or are on their way. What was
    /// fetched for blocks before it is of no use any more, and goes.
    pub(crate) async fn take(&self, block: B256, hashes: &[B256]) -> Option<Vec<Box<Blob>>> {
        let mut flight = {
            let mut flights = self.flights();
            let index = flights.iter().position(|flight| flight.block == block);
            // if it is not among them, L1 was reorganised, or there were too many
            let passed = index.unwrap_or(flights.len());
            flights.drain(..passed);
            flights.pop_front()?
        };
        let blobs = (&mut flight.task).await.ok()?.ok()?;
        let find = |hash: &B256| {
            let index = flight.hashes.iter().position(|known| known == hash)?;
            blobs.get(index).cloned()
        };
        hashes.iter().map(find).collect()
    }
}

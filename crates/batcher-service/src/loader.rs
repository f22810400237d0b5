//! Reads L2 blocks, some at a time, and hands them in in order.

use doppio_batcher::{Event, LoadId, LoadedBlock};
use doppio_l1::verify::BlockAt;
use doppio_l2::ActiveSequencer;
use std::{collections::VecDeque, ops::RangeInclusive, sync::Arc};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinHandle},
};
use tracing::{info, warn};

/// Blocks that are read at a time.
const AT_A_TIME: usize = 8;
/// After how many blocks a long read says where it is.
const PROGRESS: u64 = 1000;

/// What reads blocks now, if anything does.
#[derive(Debug)]
pub(crate) struct Loader {
    sequencers: Arc<ActiveSequencer>,
    inputs: mpsc::Sender<Event>,
    reading: Option<AbortHandle>,
}

impl Loader {
    pub(crate) const fn new(sequencers: Arc<ActiveSequencer>, inputs: mpsc::Sender<Event>) -> Self {
        Self {
            sequencers,
            inputs,
            reading: None,
        }
    }

    /// Reads blocks, and no longer those of the request before.
    pub(crate) fn load(&mut self, request: LoadId, blocks: RangeInclusive<u64>) {
        if let Some(before) = self.reading.take() {
            before.abort();
        }
        let reading = read(
            Arc::clone(&self.sequencers),
            self.inputs.clone(),
            request,
            blocks,
        );
        self.reading = Some(tokio::spawn(reading).abort_handle());
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading.abort();
        }
    }
}

async fn block(sequencers: Arc<ActiveSequencer>, number: u64) -> Result<LoadedBlock, String> {
    let sequencer = sequencers.get().await.map_err(|error| error.to_string())?;
    let block = sequencer.l2.block(BlockAt::Number(number)).await;
    match block.map_err(|error| error.to_string())? {
        Some(block) => Ok(Arc::unwrap_or_clone(block).into()),
        None => Err(format!("{} has no such block", sequencer.l2.name())),
    }
}

/// A read that ends with who waits for it.
struct Reading(JoinHandle<Result<LoadedBlock, String>>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn read(
    sequencers: Arc<ActiveSequencer>,
    inputs: mpsc::Sender<Event>,
    request: LoadId,
    blocks: RangeInclusive<u64>,
) {
    let (first, last) = (*blocks.start(), *blocks.end());
    let mut numbers = blocks.clone();
    let mut readings: VecDeque<Reading> = VecDeque::with_capacity(AT_A_TIME);
    for number in blocks {
        while readings.len() < AT_A_TIME
            && let Some(next) = numbers.next()
        {
            let reading = block(Arc::clone(&sequencers), next);
            readings.push_back(Reading(tokio::spawn(reading)));
        }
        let Some(mut reading) = readings.pop_front() else {
            return;
        };
        let found = match (&mut reading.0).await {
            Ok(found) => found,
            Err(error) => Err(error.to_string()),
        };
        let event = match found {
            Ok(block) => Event::Block { request, block },
            Err(reason) => {
                warn!(number, reason, "an L2 block cannot be read now");
                Event::BlockUnavailable { request, number }
            }
        };
        let is_over = matches!(event, Event::BlockUnavailable { .. });
        if inputs.send(event).await.is_err() || is_over {
            return;
        }
        let done = number - first + 1;
        if done.is_multiple_of(PROGRESS) {
            info!(number, last, "reading L2 blocks");
        }
    }
}

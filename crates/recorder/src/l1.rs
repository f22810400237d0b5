//! The L1 chain in order, with its JSON, read ahead by a batch.

use crate::{error::RecordError, peers::Peers};
use doppio_l1::verify::BlockAt;
use doppio_protocol::{block::BlockId, l1::L1Block};
use doppio_verify::BlockJson;
use std::{collections::VecDeque, sync::Arc};
use tokio::task::JoinHandle;

/// Blocks of a batch. With the JSON of two batches in memory at a time, some tens of megabytes.
const BATCH: u64 = 10;

type Batch = Vec<(Arc<L1Block>, BlockJson)>;

/// L1 blocks in order.
pub(crate) struct L1Reader {
    peers: Peers,
    /// The first block that was not asked for yet.
    next: u64,
    last: u64,
    ready: VecDeque<(Arc<L1Block>, BlockJson)>,
    flight: Option<JoinHandle<Result<Batch, RecordError>>>,
    tip: Option<BlockId>,
}

impl L1Reader {
    /// The blocks from `first` to `last`.
    pub(crate) const fn new(peers: Peers, first: u64, last: u64) -> Self {
        Self {
            peers,
            next: first,
            last,
            ready: VecDeque::new(),
            flight: None,
            tip: None,
        }
    }

    /// The next block; none after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<(Arc<L1Block>, BlockJson)>, RecordError> {
        if self.ready.is_empty() {
            self.begin();
            let Some(flight) = self.flight.take() else {
                return Ok(None);
            };
            self.ready = flight.await.map_err(|_| RecordError::Ending)??.into();
            self.begin();
        }
        let Some((block, json)) = self.ready.pop_front() else {
            return Ok(None);
        };
        let next = block.header.id();
        if let Some(tip) = self.tip
            && block.header.parent_hash != tip.hash
        {
            return Err(RecordError::L1Reorg { tip, next });
        }
        self.tip = Some(next);
        Ok(Some((block, json)))
    }

    /// Asks for the next batch, if none is on its way.
    fn begin(&mut self) {
        if self.flight.is_some() || self.next > self.last {
            return;
        }
        let end = self.last.min(self.next + BATCH - 1);
        let at: Vec<u64> = (self.next..=end).collect();
        self.next = end + 1;
        let peers = self.peers.clone();
        self.flight = Some(tokio::spawn(async move { batch(&peers, at).await }));
    }
}

impl Drop for L1Reader {
    fn drop(&mut self) {
        if let Some(flight) = &self.flight {
            flight.abort();
        }
    }
}

/// All of these blocks.
async fn batch(peers: &Peers, numbers: Vec<u64>) -> Result<Batch, RecordError> {
    let mut blocks = Batch::with_capacity(numbers.len());
    while let Some(first) = numbers.get(blocks.len()) {
        let lacking: Vec<BlockAt> = numbers
            .iter()
            .skip(blocks.len())
            .map(|number| BlockAt::Number(*number))
            .collect();
        let found = peers
            .patiently(|| async { Ok(peers.l1.blocks_with_json(&lacking).await?) })
            .await?;
        if found.is_empty() {
            return Err(RecordError::NoL1Block(*first));
        }
        blocks.extend(found);
    }
    Ok(blocks)
}

//! The L2 chain in order, read ahead.

use crate::{
    error::RecordError,
    peers::{L2At, Peers},
};
use doppio_protocol::{block::BlockId, l2::L2Block};
use doppio_recorded::RecordedL2Block;
use std::collections::VecDeque;
use tokio::task::JoinHandle;

/// Blocks on their way at a time.
const AHEAD: usize = 16;

type Flight = JoinHandle<Result<(RecordedL2Block, L2Block), RecordError>>;

/// L2 blocks in order, each of which extends the one before it.
pub(crate) struct L2Reader {
    peers: Peers,
    tip: BlockId,
    /// The first block that was not asked for yet.
    next: u64,
    last: u64,
    flights: VecDeque<Flight>,
}

impl L2Reader {
    /// The blocks after `tip`, to `last`.
    pub(crate) const fn new(peers: Peers, tip: BlockId, last: u64) -> Self {
        Self {
            peers,
            tip,
            next: tip.number + 1,
            last,
            flights: VecDeque::new(),
        }
    }

    /// Height of the newest block that was read.
    pub(crate) const fn tip(&self) -> u64 {
        self.tip.number
    }

    /// The next block; none after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<(RecordedL2Block, L2Block)>, RecordError> {
        while self.flights.len() < AHEAD && self.next <= self.last {
            let (peers, at) = (self.peers.clone(), L2At::Number(self.next));
            let flight = tokio::spawn(async move { peers.l2_block(at).await });
            self.flights.push_back(flight);
            self.next += 1;
        }
        let Some(flight) = self.flights.pop_front() else {
            return Ok(None);
        };
        let (recorded, block) = flight.await.map_err(|_| RecordError::Ending)??;
        if block.header.parent_hash != self.tip.hash {
            return Err(RecordError::L2Block {
                number: recorded.number,
                reason: format!("it does not extend {}", self.tip),
            });
        }
        self.tip = BlockId {
            hash: recorded.hash,
            number: recorded.number,
        };
        Ok(Some((recorded, block)))
    }
}

impl Drop for L2Reader {
    fn drop(&mut self) {
        for flight in &self.flights {
            flight.abort();
        }
    }
}

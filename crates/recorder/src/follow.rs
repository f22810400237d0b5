//! Derivation that runs along: what the recording holds, it answers with, and what derivation looks
//! up beside, it records.

use crate::{
    error::RecordError,
    peers::{L2At, Peers},
};
use alloy_primitives::{B256, Bytes};
use doppio_derive::{
    DerivedAttributes, Outcome, PayloadAnswer, Pipeline, Request, Response, Step, differences,
};
use doppio_l1::verify::BlockAt;
use doppio_protocol::{blob::Blob, config::ChainConfig, l1::L1Block, l2::L2Block};
use doppio_recorded::RecordedL2Block;
use std::{collections::HashMap, sync::Arc};

/// What derivation needs of a recording.
pub(crate) trait Source {
    /// An L2 block of the range, which is recorded thereby; none after the last one.
    async fn l2_block(&mut self, number: u64) -> Result<Option<L2Block>, RecordError>;
    /// Records an L2 block from before the range.
    fn looked_up(&mut self, block: &RecordedL2Block) -> Result<(), RecordError>;
    /// What is behind a commitment in an L1 block, which is recorded thereby.
    async fn payload(
        &mut self,
        commitment: &doppio_protocol::commitment::Commitment,
        l1: u64,
    ) -> Result<PayloadAnswer, RecordError>;
}

/// How derivation fares.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// Blocks that are those of the chain.
    pub(crate) equal: u64,
    /// Blocks that are not, and the first of them in words.
    pub(crate) different: u64,
    pub(crate) first_difference: Option<String>,
    /// Why derivation went no further, if not for the end of the range.
    pub(crate) stopped: Option<String>,
}

/// Derivation beside a recording.
pub(crate) struct Follow {
    peers: Peers,
    chain: Arc<ChainConfig>,
    pipeline: Pipeline,
    first_l2: u64,
    /// Nothing more is derived.
    ended: bool,
    pub(crate) verdict: Verdict,
}

impl Follow {
    pub(crate) fn new(peers: Peers, pipeline: Pipeline) -> Self {
        Self {
            peers,
            chain: Arc::clone(pipeline.chain()),
            first_l2: pipeline.safe_head().number,
            pipeline,
            ended: false,
            verdict: Verdict::default(),
        }
    }

    /// Height of the newest block that is safe.
    pub(crate) const fn safe_head(&self) -> u64 {
        self.pipeline.safe_head().number
    }

    /// Whether derivation has ended.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Derives what an L1 block gives. The blobs are those of its inbox.
    pub(crate) async fn l1_block(
        &mut self,
        block: &L1Block,
        blobs: &HashMap<B256, Box<Blob>>,
        source: &mut impl Source,
    ) -> Result<(), RecordError> {
        if self.ended {
            return Ok(());
        }
        if self.pipeline.origin().is_some() {
            self.supply(Response::NextL1Block(block.clone()));
        }
        while !self.ended {
            let step = match self.pipeline.step() {
                Ok(step) => step,
                Err(error) => {
                    self.stop(error.to_string());
                    return Ok(());
                }
            };
            match step {
                Step::Exhausted(_) => return Ok(()),
                Step::Attributes(derived) => {
                    let number = derived.parent.number + 1;
                    match source.l2_block(number).await? {
                        None => self.ended = true,
                        Some(found) => self.judge(&derived, found),
                    }
                }
                Step::Need(request) => {
                    let response = self.answer(&request, block, blobs, source).await?;
                    match response {
                        Some(response) => self.supply(response),
                        None => self.stop(format!("nobody can answer {request:?}")),
                    }
                }
            }
        }
        Ok(())
    }

    fn stop(&mut self, reason: String) {
        self.ended = true;
        self.verdict.stopped = Some(reason);
    }

    fn supply(&mut self, response: Response) {
        if let Err(error) = self.pipeline.supply(response) {
            self.stop(error.to_string());
        }
    }

    async fn answer(
        &mut self,
        request: &Request,
        block: &L1Block,
        blobs: &HashMap<B256, Box<Blob>>,
        source: &mut impl Source,
    ) -> Result<Option<Response>, RecordError> {
        Ok(match request {
            Request::L1Block(hash) if *hash == block.header.hash => {
                Some(Response::L1Block(block.clone()))
            }
            Request::L1Block(hash) | Request::AuthBlock(hash) => {
                let (l1, at) = (&self.peers.l1, BlockAt::Hash(*hash));
                let found = self.peers.patiently(|| async { Ok(l1.block(at).await?) });
                let found = found.await?;
                found.map(|block| Response::L1Block(L1Block::clone(&block)))
            }
            Request::Blobs { blobs: wanted, .. } => wanted
                .iter()
                .map(|blob| blobs.get(&blob.versioned_hash).cloned())
                .collect::<Option<Vec<_>>>()
                .map(Response::Blobs),
            Request::Payload(request) => {
                let l1 = request.l1_block.number;
                match source.payload(&request.commitment, l1).await? {
                    PayloadAnswer::Later | PayloadAnswer::NotFound => None,
                    answer => Some(Response::Payload {
                        id: request.id,
                        answer,
                    }),
                }
            }
            // where data is missing that may be challenged, which is not followed here
            Request::LaterL1Block(_) => None,
            Request::L2Block(number) => {
                let at = L2At::Number(*number);
                let (recorded, block) = self.peers.l2_block(at).await?;
                if *number < self.first_l2 {
                    source.looked_up(&recorded)?;
                }
                Some(Response::L2Block(Box::new(block)))
            }
        })
    }

    /// Plays the engine, as a replay of the recording will.
    fn judge(&mut self, derived: &DerivedAttributes, block: L2Block) {
        let differ = |attributes| differences(&self.chain, derived.parent.hash, attributes, &block);
        let found = differ(&derived.attributes);
        let outcome = if !found.is_empty()
            && !derived.attributes.is_deposits_only()
            && differ(&derived.attributes.deposits_only()).is_empty()
        {
            Outcome::Invalid
        } else {
            match found.first() {
                None => self.verdict.equal += 1,
                Some(difference) => {
                    self.verdict.different += 1;
                    self.verdict.first_difference.get_or_insert_with(|| {
                        format!(
                            "L2 block {}: {} is {}, derived {}",
                            block.header.number,
                            difference.field,
                            difference.block,
                            difference.attributes
                        )
                    });
                }
            }
            Outcome::Accepted {
                hash: block.hash,
                extra_data: Bytes::clone(&block.header.extra_data),
            }
        };
        if let Err(error) = self.pipeline.executed(outcome) {
            self.stop(error.to_string());
        }
    }
}

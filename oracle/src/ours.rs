//! Doppio's derivation over a recording in memory.

use crate::{
    derived::{Block, Payload, Safe},
    l1::{WholeBlock, read_whole_blocks},
    reach::Reach,
};
use doppio_derive::{
    DerivedAttributes, Drop, Outcome, PayloadAnswer, Pipeline, PipelineError, Request, Response,
    Step, SupplyError,
};
use doppio_protocol::{L1BlockRef, batch::SpanParams, l1::L1Block};
use doppio_recorded::{OpenOptions, RecordedChain, RecordingError};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A recorded chain, all of it in memory.
#[derive(Debug)]
pub struct Chain {
    /// Where it lies.
    pub folder: PathBuf,
    /// Configuration, L2 blocks, blobs, payloads and safe heads.
    pub recorded: RecordedChain,
    /// L1 blocks, from the one after which the rollup starts: what derivation reads of them.
    pub l1: Vec<L1Block>,
    /// The same L1 blocks, with all of their transactions.
    pub whole_l1: Vec<WholeBlock>,
}

/// Why derivation over a recording stops early.
#[derive(Debug, Error)]
pub enum DriveError {
    /// The recording is not what it should be.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// Derivation fails.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// Derivation refuses what it asked for.
    #[error(transparent)]
    Supply(#[from] SupplyError),
    /// The recording does not hold what derivation asks for.
    #[error("the recording cannot answer {0}")]
    Unanswered(String),
    /// A block that differs from the recorded one.
    #[error("L2 block {number} differs from the recorded one in {fields:?}")]
    Differs {
        /// Height of the block.
        number: u64,
        /// Names of the fields.
        fields: Vec<&'static str>,
    },
}

/// Whoever executes what is derived.
pub trait Engine {
    /// Says what becomes of attributes. None ends the derivation.
    fn judge(&mut self, derived: &DerivedAttributes) -> Result<Option<Outcome>, DriveError>;

    /// An L1 block gives nothing more.
    fn exhausted(&mut self, _pipeline: &mut Pipeline, _l1: L1BlockRef) {}
}

/// What a chain derives to.
#[derive(Debug, Default)]
pub struct Derivation {
    /// The L2 blocks.
    pub blocks: Vec<Block>,
    /// The safe head after each L1 block.
    pub safe: Vec<Safe>,
    /// What was left out.
    pub drops: Vec<Drop>,
    /// The inbox transactions that count: height of the L1 block, position in it.
    pub accepted: Vec<(u64, u32)>,
    /// What the engine said, in order: enough to derive the chain again without it.
    pub outcomes: Vec<Outcome>,
}

impl Chain {
    /// Reads a whole recording.
    pub fn open(folder: &Path) -> Result<Self, RecordingError> {
        let recorded = RecordedChain::open(folder, OpenOptions::default())?;
        let l1: Vec<L1Block> = recorded.l1_blocks()?.collect::<Result<_, _>>()?;
        let whole_l1 = read_whole_blocks(folder, &l1)?;
        Ok(Self {
            folder: folder.to_owned(),
            recorded,
            l1,
            whole_l1,
        })
    }

    /// What the chain adds to a span batch's own bytes.
    pub fn span_params(&self) -> SpanParams {
        SpanParams::of_chain(&self.recorded.chain)
    }

    /// The L1 blocks that are read, made of the whole ones as they are asked for: picking out what
    /// derivation reads is a part of its work.
    pub fn l1_blocks(&self, reach: Reach) -> impl Iterator<Item = L1Block> {
        self.whole_l1
            .iter()
            .filter(move |block| block.header.timestamp < reach.l1_time)
            .map(|block| block.for_derivation(&self.recorded.chain.rollup))
    }

    /// Derives the chain, or a part of it, with the recording as the engine. A block that differs
    /// from the recorded one is an error, unless the recorded one is its deposits-only version:
    /// then the engine had refused the batch's transactions.
    pub fn derive(&self, reach: Reach) -> Result<Derivation, DriveError> {
        let mut engine = Recording {
            chain: self,
            refused: None,
            derivation: Derivation::default(),
        };
        self.drive(reach, &mut engine)?;
        Ok(engine.derivation)
    }

    /// Runs the pipeline over the L1 blocks until an end is reached.
    pub fn drive(&self, reach: Reach, engine: &mut impl Engine) -> Result<(), DriveError> {
        let mut pipeline = Pipeline::new(self.recorded.chain.clone(), self.recorded.start());
        let mut l1 = self.l1_blocks(reach);
        loop {
            match pipeline.step()? {
                Step::Need(Request::L1Block(_)) if pipeline.origin().is_none() => {
                    let Some(block) = l1.next() else {
                        return Ok(());
                    };
                    pipeline.supply(Response::L1Block(block))?;
                }
                Step::Need(request) => pipeline.supply(self.answer(&request)?)?,
                Step::Attributes(derived) => {
                    if derived.attributes.timestamp >= reach.l2_time {
                        return Ok(());
                    }
                    match engine.judge(&derived)? {
                        Some(outcome) => pipeline.executed(outcome)?,
                        None => return Ok(()),
                    }
                }
                Step::Exhausted(origin) => {
                    engine.exhausted(&mut pipeline, origin);
                    match l1.next() {
                        Some(block) => pipeline.supply(Response::NextL1Block(block))?,
                        None => return Ok(()),
                    }
                }
            }
        }
    }

    fn answer(&self, request: &Request) -> Result<Response, DriveError> {
        let response = match request {
            Request::L1Block(hash) | Request::AuthBlock(hash) => self
                .l1
                .iter()
                .rev()
                .find(|block| block.header.hash == *hash)
                .cloned()
                .map(Response::L1Block),
            Request::Blobs { blobs, .. } => blobs
                .iter()
                .map(|blob| self.recorded.blob(&blob.versioned_hash))
                .collect::<Option<Vec<_>>>()
                .map(Response::Blobs),
            Request::Payload(request) => {
                let payload = self.recorded.payload(&request.commitment.encode());
                payload.map(|bytes| Response::Payload {
                    id: request.id,
                    answer: PayloadAnswer::Payload(bytes.clone()),
                })
            }
            Request::LaterL1Block(_) => None,
            Request::L2Block(number) => match self.recorded.l2_block(*number) {
                Some(block) => Some(Response::L2Block(Box::new(block.decode()?))),
                None => None,
            },
        };
        response.ok_or_else(|| DriveError::Unanswered(format!("{request:?}")))
    }
}

/// The recording in the engine's place; it writes down what is derived.
struct Recording<'a> {
    chain: &'a Chain,
    /// The block whose batch was refused last.
    refused: Option<u64>,
    derivation: Derivation,
}

impl Engine for Recording<'_> {
    fn judge(&mut self, derived: &DerivedAttributes) -> Result<Option<Outcome>, DriveError> {
        let number = derived.parent.number + 1;
        let Some(recorded) = self.chain.recorded.l2_block(number) else {
            return Ok(None);
        };
        let recorded = recorded.decode()?;
        let payload = payload(derived);
        let parent = derived.parent.id();
        let fields = payload.differences(parent.hash, &recorded);
        let outcome = if fields.is_empty() {
            self.derivation.blocks.push(Block {
                number,
                parent,
                derived_from: derived.derived_from.id(),
                replaced: self.refused == Some(number),
                payload,
            });
            Outcome::Accepted {
                hash: recorded.hash,
                extra_data: recorded.header.extra_data,
            }
        } else if self.refused != Some(number)
            && payload
                .deposits_only()
                .differences(parent.hash, &recorded)
                .is_empty()
        {
            self.refused = Some(number);
            Outcome::Invalid
        } else {
            return Err(DriveError::Differs { number, fields });
        };
        self.derivation.outcomes.push(outcome.clone());
        Ok(Some(outcome))
    }

    fn exhausted(&mut self, pipeline: &mut Pipeline, l1: L1BlockRef) {
        self.derivation.safe.push(Safe {
            l1: l1.number,
            head: pipeline.safe_head().id(),
        });
        for verdict in pipeline.drops().take_verdicts() {
            if verdict.verdict.is_ok() {
                self.derivation.accepted.push((l1.number, verdict.index));
            }
        }
        self.derivation.drops.extend(pipeline.drops().take());
    }
}

fn payload(derived: &DerivedAttributes) -> Payload {
    let attributes = &derived.attributes;
    Payload {
        timestamp: attributes.timestamp,
        prev_randao: attributes.prev_randao,
        fee_recipient: attributes.suggested_fee_recipient,
        withdrawals: attributes.has_withdrawals.then_some(0),
        parent_beacon_root: attributes.parent_beacon_block_root,
        transactions: attributes
            .all_transactions()
            .map(|transaction| transaction.to_vec().into())
            .collect(),
        no_tx_pool: attributes.no_tx_pool,
        gas_limit: Some(attributes.gas_limit),
        eip1559: attributes.eip1559.map(|params| params.packed()),
    }
}

/// The engine's words again, without comparing anything: for measuring derivation alone.
#[derive(Debug)]
pub struct Script<'a> {
    outcomes: core::slice::Iter<'a, Outcome>,
    /// Blocks that were accepted.
    pub blocks: usize,
}

impl<'a> Script<'a> {
    /// From the beginning.
    pub fn new(outcomes: &'a [Outcome]) -> Self {
        Self {
            outcomes: outcomes.iter(),
            blocks: 0,
        }
    }
}

impl Engine for Script<'_> {
    fn judge(&mut self, _: &DerivedAttributes) -> Result<Option<Outcome>, DriveError> {
        let outcome = self.outcomes.next().cloned();
        self.blocks += usize::from(matches!(outcome, Some(Outcome::Accepted { .. })));
        Ok(outcome)
    }
}

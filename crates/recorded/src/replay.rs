//! Deriving a recorded chain again, and comparing.

use crate::{
    execution::{Execution, ExecutionError, ExecutionOutcome},
    recording::{RecordedChain, RecordedL2Block, RecordingError},
};
use doppio_derive::{
    DerivedAttributes, InboxVerdict, Outcome, Pipeline, PipelineError, Request, Response, Step,
    SupplyError, differences,
};
use doppio_protocol::{attributes::PayloadAttributes, block::BlockId, l1::L1Block, l2::L2Block};
use std::{collections::BTreeMap, time::Duration};
use thiserror::Error;

/// Why a replay cannot go on.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// Derivation.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// Derivation refused what the recording answered.
    #[error("derivation refuses an answer of the recording: {0}")]
    Supply(#[from] SupplyError),
    /// Execution.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// The recording does not hold what derivation asks for.
    #[error("the recording cannot answer: {0:?}")]
    Unanswered(Box<Request>),
}

/// Something that differs from the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A derived block.
    Block {
        /// Height of the block.
        number: u64,
        /// The L1 block it was derived from.
        derived_from: BlockId,
        /// The fields that differ: name, ours, recorded.
        fields: Vec<(&'static str, String, String)>,
    },
    /// The safe head after an L1 block.
    SafeHead {
        /// Height of the L1 block.
        l1: u64,
        /// Derived.
        ours: BlockId,
        /// Recorded.
        recorded: BlockId,
    },
    /// The verdict on an inbox transaction.
    Verdict {
        /// Height of the L1 block.
        l1: u64,
        /// Position of the transaction.
        index: u32,
        /// Why ours does not count; none if it does.
        ours: Option<String>,
        /// Whether it counted.
        recorded: bool,
    },
}

impl core::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Block {
                number,
                derived_from,
                fields,
            } => {
                write!(
                    f,
                    "L2 block {number}, derived from L1 block {}:",
                    derived_from.number
                )?;
                for (name, ours, recorded) in fields {
                    write!(f, "\n  {name}: {ours}, recorded {recorded}")?;
                }
                Ok(())
            }
            Self::SafeHead { l1, ours, recorded } => {
                write!(
                    f,
                    "safe head after L1 block {l1}: {ours}, recorded {recorded}"
                )
            }
            Self::Verdict {
                l1,
                index,
                ours,
                recorded,
            } => {
                let recorded = if *recorded { "accepted" } else { "refused" };
                let ours = ours.as_deref().unwrap_or("accepted");
                write!(
                    f,
                    "transaction {index} of L1 block {l1}: {ours}, recorded {recorded}"
                )
            }
        }
    }
}

/// What a replay found.
#[derive(Clone, Debug, Default)]
pub struct ReplayReport {
    /// L1 blocks read.
    pub l1_blocks: u64,
    /// L2 blocks compared.
    pub derived: u64,
    /// L2 blocks that are equal.
    pub matched: u64,
    /// L2 blocks that differ.
    pub mismatched: u64,
    /// L2 blocks that were replaced by their deposits, as the recorded ones were.
    pub replaced: u64,
    /// Output roots that are equal, and that differ. None are compared without execution.
    pub output_roots: (u64, u64),
    /// Safe heads that are equal, and that differ.
    pub safe_heads: (u64, u64),
    /// Verdicts that are equal, and that differ.
    pub verdicts: (u64, u64),
    /// What was left out, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// The first differences.
    pub mismatches: Vec<Mismatch>,
    /// Time spent in derivation alone.
    pub deriving: Duration,
}

impl ReplayReport {
    /// Whether everything is equal, and anything was compared at all.
    pub const fn all_match(&self) -> bool {
        self.mismatched == 0
            && self.output_roots.1 == 0
            && self.safe_heads.1 == 0
            && self.verdicts.1 == 0
            && self.derived > 0
    }

    fn differ(&mut self, mismatch: Mismatch) {
        const KEPT: usize = 20;
        if self.mismatches.len() < KEPT {
            self.mismatches.push(mismatch);
        }
    }
}

/// How far a replay is.
#[derive(Clone, Copy, Debug)]
pub struct ReplayProgress {
    /// Height of the L1 block that was read.
    pub l1_number: u64,
    /// Height of the newest derived L2 block.
    pub l2_number: u64,
}

/// A replay of a recorded chain.
pub struct Replay<'a> {
    recorded: &'a RecordedChain,
    /// Executes the blocks; without it the recording plays the engine.
    execution: Option<&'a mut dyn Execution>,
    pipeline: Pipeline,
    /// L1 blocks read so far.
    l1_blocks: Vec<L1Block>,
    /// How many of them are from before the first one that derivation reads.
    earlier: usize,
    report: ReplayReport,
}

/// What the recording, in the engine's place, says of attributes.
enum Judgement {
    /// The recording ends before the block.
    Unknown,
    Told(Outcome),
}

impl core::fmt::Debug for Replay<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Replay")
            .field("recorded", &self.recorded)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl<'a> Replay<'a> {
    /// A replay from the recording's start.
    pub fn new(recorded: &'a RecordedChain) -> Self {
        Self {
            recorded,
            execution: None,
            pipeline: Pipeline::new(recorded.chain.clone(), recorded.start()),
            l1_blocks: Vec::new(),
            earlier: 0,
            report: ReplayReport::default(),
        }
    }

    /// Lets an engine that is at the recording's start execute every block.
    pub fn executing(self, execution: &'a mut dyn Execution) -> Self {
        Self {
            execution: Some(execution),
            ..self
        }
    }

    /// Derives the whole recording. `progress` is called after each L1 block.
    pub fn run(
        mut self,
        mut progress: impl FnMut(ReplayProgress),
    ) -> Result<ReplayReport, ReplayError> {
        let mut lines = self.recorded.l1_blocks()?;
        loop {
            let started = std::time::Instant::now();
            let step = self.pipeline.step()?;
            self.report.deriving += started.elapsed();
            match step {
                Step::Need(request) => self.answer(&request, &mut lines)?,
                Step::Attributes(derived) => match self.judge(&derived)? {
                    Judgement::Told(outcome) => self.pipeline.executed(outcome)?,
                    Judgement::Unknown => break,
                },
                Step::Exhausted(origin) => {
                    self.compare_l1_block(origin.number);
                    progress(ReplayProgress {
                        l1_number: origin.number,
                        l2_number: self.pipeline.pending_safe_head().number,
                    });
                    match lines.next() {
                        Some(block) => self.supply_next(block?)?,
                        None => break,
                    }
                }
            }
        }
        self.report.l1_blocks = (self.l1_blocks.len() - self.earlier) as u64;
        self.report.dropped = self.pipeline.drops().counts().clone();
        Ok(self.report)
    }

    fn supply_next(&mut self, block: L1Block) -> Result<(), ReplayError> {
        self.l1_blocks.push(block.clone());
        Ok(self.pipeline.supply(Response::NextL1Block(block))?)
    }

    /// The L1 block that derivation reads first. Those before it are kept, for derivation to look
    /// at.
    fn first_l1_block(
        &mut self,
        lines: &mut impl Iterator<Item = Result<L1Block, RecordingError>>,
    ) -> Result<L1Block, ReplayError> {
        let start = self.recorded.start().l1_start;
        loop {
            let block = lines.next().ok_or(RecordingError::NoStart(start))??;
            let id = block.header.id();
            if id.number >= start.number && id != start {
                return Err(RecordingError::NoStart(start).into());
            }
            self.l1_blocks.push(block.clone());
            if id == start {
                return Ok(block);
            }
            self.earlier += 1;
        }
    }

    fn answer(
        &mut self,
        request: &Request,
        lines: &mut impl Iterator<Item = Result<L1Block, RecordingError>>,
    ) -> Result<(), ReplayError> {
        let response = match request {
            Request::L1Block(_) if self.l1_blocks.is_empty() => {
                Some(Response::L1Block(self.first_l1_block(lines)?))
            }
            Request::L1Block(hash) | Request::AuthBlock(hash) => self
                .l1_blocks
                .iter()
                .rev()
                .find(|block| block.header.hash == *hash)
                .map(|block| Response::L1Block(block.clone())),
            Request::Blobs { blobs, .. } => blobs
                .iter()
                .map(|blob| self.recorded.blob(&blob.versioned_hash))
                .collect::<Option<Vec<_>>>()
                .map(Response::Blobs),
            Request::Payload(payload) => {
                let commitment = payload.commitment.encode();
                let answer = self.recorded.payload_answer(&commitment);
                answer.map(|answer| Response::Payload {
                    id: payload.id,
                    answer,
                })
            }
            // asked for only after an answer that data is missing, which is never given here
            Request::LaterL1Block(_) => None,
            Request::L2Block(number) => match self.recorded.l2_block(*number) {
                Some(block) => Some(Response::L2Block(Box::new(block.decode()?))),
                None => None,
            },
        };
        let response =
            response.ok_or_else(|| ReplayError::Unanswered(Box::new(request.clone())))?;
        Ok(self.pipeline.supply(response)?)
    }

    /// Plays the engine: a block equal to the recorded one is accepted; where the recorded one is
    /// our own without the batch's transactions, the engine had refused them.
    fn judge(&mut self, derived: &DerivedAttributes) -> Result<Judgement, ReplayError> {
        let number = derived.parent.number + 1;
        let Some(recorded) = self.recorded.l2_block(number) else {
            return Ok(Judgement::Unknown);
        };
        let block = recorded.decode()?;
        let fields = self.differences(derived, &derived.attributes, &block);
        if let Some(execution) = self.execution.as_deref_mut() {
            let outcome = execution.execute(derived)?;
            return Ok(self.judge_executed(derived, recorded, fields, outcome));
        }
        if !fields.is_empty() && !derived.attributes.is_deposits_only() {
            let deposits_only = derived.attributes.deposits_only();
            if self.differences(derived, &deposits_only, &block).is_empty() {
                self.report.replaced += 1;
                return Ok(Judgement::Told(Outcome::Invalid));
            }
        }
        self.compared(derived, fields);
        Ok(Judgement::Told(Outcome::Accepted {
            hash: block.hash,
            extra_data: block.header.extra_data,
        }))
    }

    /// The engine has spoken: the block must be the recorded one to the last bit of its state.
    fn judge_executed(
        &mut self,
        derived: &DerivedAttributes,
        recorded: &RecordedL2Block,
        mut fields: Vec<(&'static str, String, String)>,
        outcome: ExecutionOutcome,
    ) -> Judgement {
        let executed = match outcome {
            ExecutionOutcome::Invalid(_) => {
                self.report.replaced += 1;
                return Judgement::Told(Outcome::Invalid);
            }
            ExecutionOutcome::Executed(executed) => executed,
        };
        if executed.hash != recorded.hash {
            let [ours, theirs] = [executed.hash, recorded.hash].map(|hash| hash.to_string());
            fields.push(("hash", ours, theirs));
        }
        if let Some(root) = recorded.output_root {
            if executed.output_root == root {
                self.report.output_roots.0 += 1;
            } else {
                self.report.output_roots.1 += 1;
                let [ours, theirs] = [executed.output_root, root].map(|root| root.to_string());
                fields.push(("output root", ours, theirs));
            }
        }
        self.compared(derived, fields);
        Judgement::Told(Outcome::Accepted {
            hash: executed.hash,
            extra_data: executed.extra_data,
        })
    }

    fn compared(
        &mut self,
        derived: &DerivedAttributes,
        fields: Vec<(&'static str, String, String)>,
    ) {
        self.report.derived += 1;
        if fields.is_empty() {
            self.report.matched += 1;
            return;
        }
        self.report.mismatched += 1;
        self.report.differ(Mismatch::Block {
            number: derived.parent.number + 1,
            derived_from: derived.derived_from.id(),
            fields,
        });
    }

    /// The fields in which attributes and a block differ.
    fn differences(
        &self,
        derived: &DerivedAttributes,
        attributes: &PayloadAttributes,
        block: &L2Block,
    ) -> Vec<(&'static str, String, String)> {
        let chain = &self.recorded.chain;
        let mut fields: Vec<_> = differences(chain, derived.parent.hash, attributes, block)
            .into_iter()
            .map(|difference| (difference.field, difference.attributes, difference.block))
            .collect();
        let recorded = match block.block_ref(chain) {
            Ok(block_ref) if block_ref.l1_origin == derived.l1_origin => return fields,
            Ok(block_ref) => block_ref.l1_origin.to_string(),
            Err(error) => error.to_string(),
        };
        fields.push(("L1 origin", derived.l1_origin.to_string(), recorded));
        fields
    }

    /// Compares what is known once an L1 block is exhausted.
    fn compare_l1_block(&mut self, l1: u64) {
        let ours: BTreeMap<u32, InboxVerdict> = self
            .pipeline
            .drops()
            .take_verdicts()
            .into_iter()
            .map(|verdict| (verdict.index, verdict))
            .collect();
        for (index, recorded) in self.recorded.verdicts(l1) {
            // what is no inbox transaction to us does not count either
            let refusal = match ours.get(&index).map(|verdict| &verdict.verdict) {
                Some(Ok(())) => None,
                Some(Err(refusal)) => Some(refusal.to_string()),
                None => Some("no inbox transaction".to_owned()),
            };
            if refusal.is_none() == recorded {
                self.report.verdicts.0 += 1;
            } else {
                self.report.verdicts.1 += 1;
                self.report.differ(Mismatch::Verdict {
                    l1,
                    index,
                    ours: refusal,
                    recorded,
                });
            }
        }
        // before the start became safe, the safe head was another than the start
        let start = self.recorded.start().safe_head.number;
        let Some(recorded) = self
            .recorded
            .safe_head(l1)
            .filter(|recorded| recorded.number >= start)
        else {
            return;
        };
        let ours = self.pipeline.safe_head().id();
        if ours == recorded {
            self.report.safe_heads.0 += 1;
        } else {
            self.report.safe_heads.1 += 1;
            self.report
                .differ(Mismatch::SafeHead { l1, ours, recorded });
        }
    }
}

//! Drives kona's pipeline, with the recording as the engine.

use super::{block_on, providers::Provider, world::World};
use crate::{
    derived::{Block, Payload, Safe},
    ours::Chain,
    reach::Reach,
};
use alloy_primitives::Bytes;
use doppio_protocol::block::BlockId;
use doppio_recorded::RecordingError;
use kona_alloy_eips::BlockNumHash;
use kona_derive::{
    ActivationSignal, EthereumDataSource, OriginProvider, Pipeline, PipelineBuilder, PipelineError,
    PipelineErrorKind, ResetError, ResetSignal, Signal, SignalReceiver, StatefulAttributesBuilder,
    StepResult,
};
use kona_protocol::{BlockInfo, OpAttributesWithParent};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use thiserror::Error;

/// Why driving kona stops early.
#[derive(Debug, Error)]
pub enum DriveError {
    /// The pipeline fails.
    #[error("{0}")]
    Pipeline(PipelineErrorKind),
    /// It neither derives anything nor goes on.
    #[error("kona makes no progress at L1 block {0}")]
    Stuck(u64),
    /// The engine accepts a block that the recording does not hold.
    #[error("the recording has no L2 block {0}")]
    NoBlock(u64),
    /// The recording is not what it should be.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// What becomes of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The recorded block is what they say.
    Accept,
    /// The recorded block is their deposits-only version: the rest of the channel is flushed.
    Replace,
    /// op-node does not derive them: the rest of the channel is flushed, as op-node does with an
    /// invalid batch.
    Refuse,
    /// Derivation ends.
    Stop,
}

/// Whoever executes what kona derives.
pub trait Engine {
    /// Says what becomes of attributes.
    fn judge(&mut self, attributes: &OpAttributesWithParent) -> Result<Action, DriveError>;

    /// An L1 block gives nothing more.
    fn exhausted(&mut self, _l1: &BlockInfo, _safe: BlockNumHash) {}

    /// kona panicked while it read an L1 block.
    fn panicked(&mut self, _l1: &BlockInfo, _message: String) {}
}

/// Steps without attributes and without a new L1 block after which kona counts as stuck. A step
/// takes at least a frame or a batch, and no recorded L1 block holds as many.
const MAX_IDLE_STEPS: u32 = 1_000_000;

/// Runs kona's pipeline over a recording until an end is reached.
pub fn drive(world: &Arc<World>, engine: &mut impl Engine) -> Result<(), DriveError> {
    let provider = Provider(Arc::clone(world));
    let genesis = &world.l2[0];
    let l1_start = world.l1[0].info;
    let data =
        EthereumDataSource::new_from_parts(provider.clone(), provider.clone(), &world.config);
    let builder = StatefulAttributesBuilder::new(
        Arc::clone(&world.config),
        provider.clone(),
        provider.clone(),
    );
    let mut pipeline = PipelineBuilder::new()
        .rollup_config(Arc::clone(&world.config))
        .origin(l1_start)
        .dap_source(data)
        .builder(builder)
        .chain_provider(provider.clone())
        .l2_chain_provider(provider)
        .build_polled();
    let reset = ResetSignal {
        l2_safe_head: genesis.info,
        l1_origin: l1_start,
        system_config: Some(genesis.config),
    };
    block_on(pipeline.signal(reset.signal())).map_err(DriveError::Pipeline)?;

    let (mut pending, mut safe) = (genesis.info, genesis.info);
    let mut idle_steps = 0;
    loop {
        let origin = pipeline.origin().unwrap_or(l1_start);
        let holocene = world.config.is_holocene_active(origin.timestamp);
        let step = catch_unwind(AssertUnwindSafe(|| block_on(pipeline.step(pending))));
        idle_steps += 1;
        if idle_steps > MAX_IDLE_STEPS {
            return Err(DriveError::Stuck(origin.number));
        }
        let flush = match step {
            Err(panic) => {
                engine.panicked(&origin, message(&*panic));
                true
            }
            Ok(StepResult::PreparedAttributes) => {
                let Some(attributes) = pipeline.next() else {
                    continue;
                };
                idle_steps = 0;
                let action = engine.judge(&attributes)?;
                match action {
                    Action::Stop => return Ok(()),
                    Action::Refuse => {}
                    Action::Accept | Action::Replace => {
                        let number = attributes.block_number();
                        let block = world
                            .l2_by_number(number)
                            .ok_or(DriveError::NoBlock(number))?;
                        pending = block.info;
                        // under Holocene every valid block is safe at once
                        if holocene || attributes.is_last_in_span {
                            safe = pending;
                        }
                    }
                }
                action != Action::Accept
            }
            Ok(StepResult::AdvancedOrigin) => {
                idle_steps = 0;
                engine.exhausted(&origin, safe.block_info.id());
                false
            }
            Ok(StepResult::OriginAdvanceErr(error) | StepResult::StepFailed(error)) => {
                match error {
                    PipelineErrorKind::Temporary(PipelineError::Provider(_)) => {
                        return Err(DriveError::Pipeline(error));
                    }
                    PipelineErrorKind::Temporary(_) => {}
                    PipelineErrorKind::Reset(ResetError::HoloceneActivation) => {
                        engine.exhausted(&origin, safe.block_info.id());
                        let activation = ActivationSignal {
                            l2_safe_head: pending,
                            l1_origin: pipeline.origin().unwrap_or(l1_start),
                            system_config: None,
                        };
                        block_on(pipeline.signal(activation.signal()))
                            .map_err(DriveError::Pipeline)?;
                    }
                    PipelineErrorKind::Critical(PipelineError::EndOfSource) => {
                        engine.exhausted(&origin, safe.block_info.id());
                        return Ok(());
                    }
                    error => return Err(DriveError::Pipeline(error)),
                }
                false
            }
        };
        if flush {
            block_on(pipeline.signal(Signal::FlushChannel)).map_err(DriveError::Pipeline)?;
        }
    }
}

/// What a panic says.
pub(super) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message")
        .to_owned()
}

/// Something that kona does and op-node does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// It derives a block that op-node did not derive.
    Accepts {
        /// Height of the L1 block that it reads.
        l1: u64,
        /// Height of the L2 block.
        number: u64,
        /// Where its attributes differ from op-node's block.
        fields: Vec<&'static str>,
    },
    /// It panics.
    Panics {
        /// Height of the L1 block that it reads.
        l1: u64,
        /// With these words.
        message: String,
    },
    /// Its own deposits-only version of attributes is not op-node's.
    DepositsOnly {
        /// Height of the L2 block.
        number: u64,
        /// The transactions that it has instead.
        transactions: Vec<Bytes>,
    },
}

/// What kona derives of a chain.
#[derive(Debug, Default)]
pub struct Derivation {
    /// The L2 blocks that op-node derived as well.
    pub blocks: Vec<Block>,
    /// The safe head after each L1 block.
    pub safe: Vec<Safe>,
    /// Where it differs from op-node.
    pub divergences: Vec<Divergence>,
    /// What the engine said, in order: enough to derive the chain again without it.
    pub actions: Vec<Action>,
}

/// Derives a chain, or a part of it, with the recording as the engine. What op-node did not derive
/// is refused and written down, and kona goes on.
pub fn derive(chain: &Chain, world: &Arc<World>, reach: Reach) -> Result<Derivation, DriveError> {
    let mut engine = Recording {
        chain,
        reach,
        derivation: Derivation::default(),
    };
    drive(world, &mut engine)?;
    Ok(engine.derivation)
}

struct Recording<'a> {
    chain: &'a Chain,
    reach: Reach,
    derivation: Derivation,
}

impl Recording<'_> {
    fn decide(&mut self, attributes: &OpAttributesWithParent) -> Result<Action, DriveError> {
        let number = attributes.block_number();
        let payload = payload(attributes);
        let Some(recorded) = self.chain.recorded.l2_block(number) else {
            return Ok(Action::Stop);
        };
        if payload.timestamp >= self.reach.l2_time {
            return Ok(Action::Stop);
        }
        let recorded = recorded.decode()?;
        let parent = id(attributes.parent.block_info.id());
        let derived_from = id(attributes.derived_from.unwrap_or_default().id());
        let fields = payload.differences(parent.hash, &recorded);
        let deposits_only = payload.deposits_only();
        let replaced =
            !fields.is_empty() && deposits_only.differences(parent.hash, &recorded).is_empty();
        if !fields.is_empty() && !replaced {
            self.derivation.divergences.push(Divergence::Accepts {
                l1: derived_from.number,
                number,
                fields,
            });
            return Ok(Action::Refuse);
        }
        let payload = if replaced {
            let theirs = self::payload(&attributes.as_deposits_only());
            if theirs != deposits_only {
                self.derivation.divergences.push(Divergence::DepositsOnly {
                    number,
                    transactions: theirs.transactions,
                });
            }
            deposits_only
        } else {
            payload
        };
        self.derivation.blocks.push(Block {
            number,
            parent,
            derived_from,
            replaced,
            payload,
        });
        Ok(if replaced {
            Action::Replace
        } else {
            Action::Accept
        })
    }
}

impl Engine for Recording<'_> {
    fn judge(&mut self, attributes: &OpAttributesWithParent) -> Result<Action, DriveError> {
        let action = self.decide(attributes)?;
        self.derivation.actions.push(action);
        Ok(action)
    }

    fn exhausted(&mut self, l1: &BlockInfo, safe: BlockNumHash) {
        self.derivation.safe.push(Safe {
            l1: l1.number,
            head: id(safe),
        });
    }

    fn panicked(&mut self, l1: &BlockInfo, message: String) {
        self.derivation.divergences.push(Divergence::Panics {
            l1: l1.number,
            message,
        });
    }
}

const fn id(block: BlockNumHash) -> BlockId {
    BlockId {
        hash: block.hash,
        number: block.number,
    }
}

fn payload(attributes: &OpAttributesWithParent) -> Payload {
    let inner = &attributes.inner;
    let standard = &inner.payload_attributes;
    Payload {
        timestamp: standard.timestamp,
        prev_randao: standard.prev_randao,
        fee_recipient: standard.suggested_fee_recipient,
        withdrawals: standard.withdrawals.as_ref().map(Vec::len),
        parent_beacon_root: standard.parent_beacon_block_root,
        transactions: inner.transactions.clone().unwrap_or_default(),
        no_tx_pool: inner.no_tx_pool.unwrap_or_default(),
        gas_limit: inner.gas_limit,
        eip1559: inner.eip_1559_params,
    }
}

/// The engine's words again, without comparing anything: for measuring derivation alone.
#[derive(Debug)]
pub struct Script<'a> {
    actions: core::slice::Iter<'a, Action>,
    /// Blocks that were accepted.
    pub blocks: usize,
}

impl<'a> Script<'a> {
    /// From the beginning.
    pub fn new(actions: &'a [Action]) -> Self {
        Self {
            actions: actions.iter(),
            blocks: 0,
        }
    }
}

impl Engine for Script<'_> {
    fn judge(&mut self, _: &OpAttributesWithParent) -> Result<Action, DriveError> {
        let action = self.actions.next().copied().unwrap_or(Action::Stop);
        self.blocks += usize::from(matches!(action, Action::Accept | Action::Replace));
        Ok(action)
    }
}

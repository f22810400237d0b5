//! Building a block: what the attributes force, then what the pool offers, until it is sealed.
//!
//! A block is begun by the call that asks for it, which executes the forced transactions and fills
//! the block from the pool. It stays open: transactions that come later are added until it is
//! fetched. A limit of time, if there is one, holds for all fillings together.

use crate::{
    block::{Attributes, BlockError, ExecutedBlock, seal},
    chain_spec::ChainSpec,
    execute::{BlockExecution, BlockInput, ExecuteError, PausedExecution},
    pool::{BestTransactions, PooledTransaction},
    state::{StateAt, StateSource},
    transaction::decode_transactions,
};
use alloy_consensus::Header;
use alloy_primitives::{
    Address, B256, Bytes,
    map::{HashMap, HashSet},
};
use core::time::Duration;
use std::{sync::Arc, time::Instant};

/// Most bytes of the transactions of a block that is built here, so that its payload fits every
/// gossip message.
const MAX_BLOCK_BYTES: usize = 7 << 20;
/// Gas of the cheapest transaction.
const LEAST_GAS: u64 = 21_000;
/// Estimate of the compressed size of the smallest transaction, in bytes.
const LEAST_DA_SIZE: u64 = 100;

/// How blocks are built from the pool. What the attributes force is not subject to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildSettings {
    /// Largest estimated compressed size of a transaction, in bytes; 0 for any.
    // spec: opstack 4.7
    pub max_da_transaction: u64,
    /// Largest estimated compressed size of a block's transactions from the pool, in bytes; 0 for
    /// any.
    // spec: opstack 4.7
    pub max_da_block: u64,
    /// Most gas of a block, below the limit in its header; 0 for that.
    pub gas_ceiling: u64,
    /// Least priority fee, in wei.
    pub min_tip: u128,
    /// Longest time that filling a block from the pool takes in all; none for as long as it takes.
    pub max_time: Option<Duration>,
}

impl Default for BuildSettings {
    fn default() -> Self {
        Self {
            max_da_transaction: 0,
            max_da_block: 0,
            gas_ceiling: 0,
            min_tip: 0,
            max_time: Some(Duration::from_secs(2)),
        }
    }
}

/// What an account's transactions have done in a block that is being built.
#[derive(Clone, Copy, Debug)]
enum Progress {
    /// All up to a nonce are in.
    At(u64),
    /// One does not fit, or was refused.
    Out,
}

/// A block that is being built.
#[derive(Debug)]
pub(crate) struct Building<S: StateSource> {
    parent: (Header, B256),
    input: BlockInput,
    execution: PausedExecution<S>,
    transactions: Vec<Bytes>,
    takes_pool: bool,
    accounts: HashMap<Address, Progress>,
    /// Estimated compressed size of the transactions from the pool.
    da_size: u64,
    bytes: usize,
    /// How long it was filled.
    spent: Duration,
}

/// Why filling stopped at a transaction.
enum Refused {
    /// It does not fit any more, or not now.
    Room,
    /// It cannot be executed.
    Invalid,
}

impl<S: StateSource> Building<S> {
    /// Begins a block with what its attributes force.
    pub(crate) fn begin(
        spec: &ChainSpec,
        source: S,
        parent: (&Header, B256),
        attributes: &Attributes,
        forced: &[Bytes],
        takes_pool: bool,
    ) -> Result<Self, BlockError> {
        let input = attributes.input(spec, parent.0)?;
        let state = StateAt::new(source, parent.0.state_root);
        let mut execution = BlockExecution::begin(spec, state, parent, input.clone())?;
        for transaction in decode_transactions(forced)? {
            execution.execute(&transaction)?;
        }
        Ok(Self {
            parent: (parent.0.clone(), parent.1),
            input,
            execution: execution.pause(),
            transactions: forced.to_vec(),
            takes_pool,
            accounts: HashMap::default(),
            da_size: 0,
            bytes: forced.iter().map(|bytes| bytes.len()).sum(),
            spent: Duration::ZERO,
        })
    }

    /// Whether it takes transactions from the pool.
    pub(crate) const fn takes_pool(&self) -> bool {
        self.takes_pool
    }

    /// Base fee of the block, in wei.
    pub(crate) const fn base_fee(&self) -> u64 {
        self.input.base_fee
    }

    /// Adds transactions of the pool as long as there are some that fit, and time. Gives the
    /// accounts whose transactions could not be executed.
    pub(crate) fn fill(
        self,
        spec: &ChainSpec,
        mut best: BestTransactions,
        settings: &BuildSettings,
    ) -> Result<(Self, HashSet<Address>), BlockError> {
        let Self {
            parent,
            input,
            execution,
            mut transactions,
            takes_pool,
            mut accounts,
            mut da_size,
            mut bytes,
            spent,
        } = self;
        let mut execution = execution.resume(spec);
        let mut refused = HashSet::default();
        let start = Instant::now();
        let time_left = settings.max_time.map(|most| most.saturating_sub(spent));
        while let Some((transaction, later)) = best.pop() {
            if time_left.is_some_and(|left| start.elapsed() >= left) {
                break;
            }
            let room = Room {
                gas: gas_left(&execution, &input, settings),
                da_size: left(settings.max_da_block, da_size),
                bytes: MAX_BLOCK_BYTES.saturating_sub(bytes),
            };
            if room.gas < LEAST_GAS || room.da_size < LEAST_DA_SIZE {
                break;
            }
            let sender = transaction.sender();
            match accounts.get(&sender) {
                Some(Progress::Out) => continue,
                Some(Progress::At(nonce)) if transaction.nonce() < *nonce => {
                    best.push(later);
                    continue;
                }
                _ => {}
            }
            match add(&mut execution, &transaction, &room, settings)? {
                Ok(()) => {
                    da_size += transaction.da_size();
                    bytes += transaction.bytes().len();
                    accounts.insert(sender, Progress::At(transaction.nonce() + 1));
                    transactions.push(transaction.bytes().clone());
                    best.push(later);
                }
                Err(why) => {
                    accounts.insert(sender, Progress::Out);
                    if matches!(why, Refused::Invalid) {
                        refused.insert(sender);
                    }
                }
            }
        }
        let filled = Self {
            parent,
            input,
            execution: execution.pause(),
            transactions,
            takes_pool,
            accounts,
            da_size,
            bytes,
            spent: spent + start.elapsed(),
        };
        Ok((filled, refused))
    }

    /// Ends the block.
    pub(crate) fn seal(self, spec: &ChainSpec) -> Result<ExecutedBlock, BlockError> {
        let execution = self.execution.resume(spec);
        let parent = (&self.parent.0, self.parent.1);
        seal(spec, execution, parent, &self.input, self.transactions)
    }
}

/// What is left of a block.
struct Room {
    gas: u64,
    da_size: u64,
    bytes: usize,
}

/// What is left of a limit, of which 0 is none.
const fn left(limit: u64, used: u64) -> u64 {
    if limit == 0 {
        u64::MAX
    } else {
        limit.saturating_sub(used)
    }
}

fn gas_left<S: StateSource>(
    execution: &BlockExecution<'_, S>,
    input: &BlockInput,
    settings: &BuildSettings,
) -> u64 {
    let limit = match settings.gas_ceiling {
        0 => input.gas_limit,
        ceiling => ceiling.min(input.gas_limit),
    };
    limit.saturating_sub(execution.gas_used())
}

/// Adds a transaction to a block if it fits.
fn add<S: StateSource>(
    execution: &mut BlockExecution<'_, S>,
    transaction: &Arc<PooledTransaction>,
    room: &Room,
    settings: &BuildSettings,
) -> Result<Result<(), Refused>, BlockError> {
    let da_size = transaction.da_size();
    let fits = transaction.gas_limit() <= room.gas
        && da_size <= room.da_size
        && da_size <= left(settings.max_da_transaction, 0)
        && transaction.bytes().len() <= room.bytes;
    if !fits {
        return Ok(Err(Refused::Room));
    }
    match execution.execute(transaction.transaction()) {
        Ok(()) => Ok(Ok(())),
        // a fork's first block has no place for it; neither has one whose data footprint is full
        Err(ExecuteError::ActivationBlock { .. } | ExecuteError::NoRoom { .. }) => {
            Ok(Err(Refused::Room))
        }
        Err(error) if error.is_invalid_block() => {
            tracing::debug!(hash = %transaction.hash(), %error, "left out of a block");
            Ok(Err(Refused::Invalid))
        }
        Err(error) => Err(error.into()),
    }
}

//! What L1 blocks give to the L2 blocks of their epoch.

use crate::{
    pull::{Pull, Stop},
    step::{CriticalReason, Request},
};
use alloy_primitives::{Address, Bytes, Log};
use doppio_protocol::{
    block::BlockId,
    config::ChainConfig,
    deposit::{TRANSACTION_DEPOSITED, decode_deposit_log},
    l1::{L1Block, L1Header},
    system_config::CONFIG_UPDATE,
};
use std::collections::VecDeque;

/// Bytes of deposits and updates that are kept. Beyond it the oldest are asked for again when
/// their epoch comes.
pub const MAX_EPOCH_BYTES: usize = 64 << 20;

/// What the first block of an epoch takes from L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochUpdates {
    /// Encoded deposit transactions, or why a log of the deposit contract is none.
    pub deposits: Result<Vec<Bytes>, CriticalReason>,
    /// Updates of the system configuration.
    pub config_updates: Vec<Log>,
}

/// An L1 block, reduced to what the L2 blocks of its epoch need.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Epoch {
    header: L1Header,
    body: Option<EpochUpdates>,
    bytes: usize,
}

/// The L1 blocks from the safe head's epoch to the one that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Epochs {
    epochs: VecDeque<Epoch>,
    bytes: usize,
}

fn reduce(chain: &ChainConfig, block: &L1Block) -> (EpochUpdates, usize) {
    let is_event = |log: &Log, contract: Address, event| {
        log.address == contract && log.topics().first() == Some(&event)
    };
    let rollup = &chain.rollup;
    let deposits = block
        .logs()
        .filter(|(_, log)| is_event(log, rollup.deposit_contract_address, TRANSACTION_DEPOSITED))
        .map(|(log_index, log)| {
            decode_deposit_log(log, block.header.hash, log_index)
                .map(|deposit| deposit.encode())
                .map_err(|error| {
                    let block = block.header.id();
                    CriticalReason::Deposit {
                        block,
                        log_index,
                        error,
                    }
                })
        })
        .collect::<Result<Vec<_>, _>>();
    let config_updates: Vec<Log> = block
        .logs()
        .filter(|(_, log)| is_event(log, rollup.l1_system_config_address, CONFIG_UPDATE))
        .map(|(_, log)| log.clone())
        .collect();
    let deposit_bytes = deposits
        .iter()
        .flatten()
        .map(|deposit| deposit.len())
        .sum::<usize>();
    let update_bytes = config_updates
        .iter()
        .map(|log| log.data.data.len())
        .sum::<usize>();
    (
        EpochUpdates {
            deposits,
            config_updates,
        },
        deposit_bytes + update_bytes,
    )
}

impl Epochs {
    /// Takes the L1 block that is read next.
    pub(crate) fn push(&mut self, chain: &ChainConfig, block: &L1Block) {
        let (body, bytes) = reduce(chain, block);
        self.bytes += bytes;
        self.epochs.push_back(Epoch {
            header: block.header,
            body: Some(body),
            bytes,
        });
        self.shrink();
    }

    /// Forgets bodies, oldest first, until the limit is kept. The newest stays: it was just paid
    /// for.
    fn shrink(&mut self) {
        let older = self.epochs.len().saturating_sub(1);
        for epoch in self.epochs.iter_mut().take(older) {
            if self.bytes <= MAX_EPOCH_BYTES {
                break;
            }
            if epoch.body.take().is_some() {
                self.bytes -= core::mem::take(&mut epoch.bytes);
            }
        }
    }

    /// Takes a block again whose body was forgotten; says whether it was wanted.
    pub(crate) fn restore(&mut self, chain: &ChainConfig, block: &L1Block) -> bool {
        let wanted = self
            .epochs
            .iter_mut()
            .find(|epoch| epoch.header.hash == block.header.hash && epoch.body.is_none());
        let Some(epoch) = wanted else { return false };
        let (body, bytes) = reduce(chain, block);
        epoch.body = Some(body);
        epoch.bytes = bytes;
        self.bytes += bytes;
        true
    }

    /// Forgets the blocks before the safe head's epoch.
    pub(crate) fn advance_to(&mut self, safe_origin: u64) {
        while let Some(epoch) = self.epochs.front()
            && epoch.header.number < safe_origin
        {
            self.bytes -= epoch.bytes;
            self.epochs.pop_front();
        }
    }

    fn get(&self, id: BlockId) -> Option<&Epoch> {
        let first = self.epochs.front()?.header.number;
        let index = usize::try_from(id.number.checked_sub(first)?).ok()?;
        self.epochs
            .get(index)
            .filter(|epoch| epoch.header.hash == id.hash)
    }

    /// The header of an epoch.
    pub(crate) fn header(&self, id: BlockId) -> Option<&L1Header> {
        self.get(id).map(|epoch| &epoch.header)
    }

    /// What an epoch's first block takes from L1.
    pub(crate) fn body(&self, id: BlockId) -> Pull<Option<&EpochUpdates>> {
        match self.get(id) {
            Some(Epoch { body: None, .. }) => Err(Stop::Need(Request::L1Block(id.hash))),
            Some(Epoch { body, .. }) => Ok(body.as_ref()),
            None => Ok(None),
        }
    }
}

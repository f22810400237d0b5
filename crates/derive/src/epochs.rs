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

impl EpochUpdates {
    /// Takes from an L1 block what the first L2 block of its epoch needs.
    // spec: opstack 3.10
    pub fn of_block(chain: &ChainConfig, block: &L1Block) -> Self {
        let is_event = |log: &Log, contract: Address, event| {
            log.address == contract && log.topics().first() == Some(&event)
        };
        let rollup = &chain.rollup;
        let portal = rollup.deposit_contract_address;
        let deposits = block
            .logs()
            .filter(|(_, log)| is_event(log, portal, TRANSACTION_DEPOSITED))
            .map(|(log_index, log)| {
                decode_deposit_log(log, block.header.hash, log_index)
                    .map(|deposit| deposit.encode())
                    .map_err(|error| CriticalReason::Deposit {
                        block: block.header.id(),
                        log_index,
                        error,
                    })
            })
            .collect();
        let config_updates = block
            .logs()
            .filter(|(_, log)| is_event(log, rollup.l1_system_config_address, CONFIG_UPDATE))
            .map(|(_, log)| log.clone())
            .collect();
        Self {
            deposits,
            config_updates,
        }
    }

    fn bytes(&self) -> usize {
        let deposits = self.deposits.iter().flatten().map(|bytes| bytes.len());
        let updates = self.config_updates.iter().map(|log| log.data.data.len());
        deposits.sum::<usize>() + updates.sum::<usize>()
    }
}

impl Epochs {
    /// Takes the L1 block that is read next.
    pub(crate) fn push(&mut self, chain: &ChainConfig, block: &L1Block) {
        let body = EpochUpdates::of_block(chain, block);
        let bytes = body.bytes();
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
        let body = EpochUpdates::of_block(chain, block);
        epoch.bytes = body.bytes();
        epoch.body = Some(body);
        self.bytes += epoch.bytes;
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

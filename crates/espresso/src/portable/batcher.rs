//! Who may sign, by the state of L1: the history that the authenticator's contract keeps.
//!
//! The history is append-only, so any L1 block shows it for all blocks before. Slot 2 holds its length,
//! and keccak(2) + i its element i: the L1 block from which on somebody is the batcher (12 bytes), and
//! who (20 bytes).
// spec: espresso 5.3

use crate::number::base64_bytes;
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::Decodable;
use doppio_verify::read_proof;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// The slot of the history's length.
pub const HISTORY_SLOT: B256 = B256::with_last_byte(2);

/// Most elements of a proof.
const MAX_ELEMENTS: u64 = 4096;

/// The slot of an element of the history.
pub fn checkpoint_slot(index: u64) -> B256 {
    U256::from_be_bytes(keccak256(HISTORY_SLOT).0)
        .wrapping_add(U256::from(index))
        .into()
}

/// A part of the history, shown by the state of an L1 block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatcherProof {
    /// The L1 block's header, in RLP.
    #[serde(with = "base64_bytes")]
    pub l1_header: Bytes,
    /// The first element that is shown.
    pub first: u64,
    /// How many are.
    pub count: u64,
    /// What `eth_getProof` answers for the contract and the slots of the length and of the elements.
    pub proof: Value,
}

/// Why it is not shown who may sign.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatcherError {
    /// Not the RLP of a header.
    #[error("the L1 header is not the RLP of one")]
    Header,
    /// The L1 block is neither known to the reader nor the one that HotShot knew to be final.
    #[error("L1 block {0} is not one that is believed")]
    Unknown(B256),
    /// The storage proof does not hold.
    #[error("the storage proof: {0}")]
    Storage(String),
    /// The contract is not there.
    #[error("there is no contract at the authenticator's address")]
    NoContract,
    /// No element, more than are read, or more than the history has.
    #[error("elements {first} and {count} in all are not in a history of {length}")]
    Elements {
        /// The first.
        first: u64,
        /// How many.
        count: u64,
        /// Elements of the history.
        length: U256,
    },
    /// The L1 block is older than the one in question.
    #[error("the L1 block is number {proven}, and who may sign is asked for {asked}")]
    TooOld {
        /// The L1 block with the state.
        proven: u64,
        /// The one in question.
        asked: u64,
    },
    /// The elements around the L1 block in question are not shown.
    #[error("the history around L1 block {0} is not shown")]
    NotCovered(u64),
}

/// The part of the history that a proof shows.
#[derive(Clone, Debug)]
pub(super) struct History {
    l1_block: u64,
    changes: Vec<(u64, Address)>,
    is_from_start: bool,
    is_to_end: bool,
}

impl BatcherProof {
    /// The L1 block whose state shows it.
    pub(super) fn l1_block(&self) -> B256 {
        keccak256(&self.l1_header)
    }

    /// Checks the proof and reads the history. Whether the L1 block is to be believed is the caller's
    /// to know.
    pub(super) fn read(&self, authenticator: Address) -> Result<History, BatcherError> {
        let mut rest = self.l1_header.as_ref();
        let header = Header::decode(&mut rest).map_err(|_| BatcherError::Header)?;
        if !rest.is_empty() {
            return Err(BatcherError::Header);
        }
        let (first, count) = (self.first, self.count);
        let end = first
            .checked_add(count)
            .filter(|_| (1..=MAX_ELEMENTS).contains(&count));
        let elements = |length| BatcherError::Elements {
            first,
            count,
            length,
        };
        let end = end.ok_or_else(|| elements(U256::ZERO))?;
        let slots: Vec<B256> = std::iter::once(HISTORY_SLOT)
            .chain((first..end).map(checkpoint_slot))
            .collect();
        let json = self.proof.to_string();
        let proof = read_proof(header.state_root, authenticator, &slots, &json);
        let proof = proof.map_err(|error| BatcherError::Storage(error.to_string()))?;
        let proof = proof.ok_or(BatcherError::NoContract)?;
        proof
            .account
            .filter(|account| account.has_code())
            .ok_or(BatcherError::NoContract)?;
        let (length, values) = proof
            .storage
            .split_first()
            .ok_or(BatcherError::NoContract)?;
        if U256::from(end) > *length {
            return Err(elements(*length));
        }
        let element = |value: &U256| {
            let bytes = value.to_be_bytes::<32>();
            let (batcher, block) = bytes.split_at(20);
            // 96 bits: a number above 64 is never reached
            let block = U256::from_be_slice(block).saturating_to::<u64>();
            (block, Address::from_slice(batcher))
        };
        Ok(History {
            l1_block: header.number,
            changes: values.iter().map(element).collect(),
            is_from_start: first == 0,
            is_to_end: U256::from(end) == *length,
        })
    }
}

impl History {
    /// The batcher at an L1 block; none if there was none.
    pub(super) fn at(&self, number: u64) -> Result<Option<Address>, BatcherError> {
        if number > self.l1_block {
            return Err(BatcherError::TooOld {
                proven: self.l1_block,
                asked: number,
            });
        }
        let after = self.changes.partition_point(|(from, _)| *from <= number);
        let is_covered =
            (after > 0 || self.is_from_start) && (after < self.changes.len() || self.is_to_end);
        if !is_covered {
            return Err(BatcherError::NotCovered(number));
        }
        let last = after.checked_sub(1).and_then(|at| self.changes.get(at));
        Ok(last
            .map(|(_, batcher)| *batcher)
            .filter(|batcher| !batcher.is_zero()))
    }
}

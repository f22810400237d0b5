//! Execution payloads: L2 blocks as the Engine API writes them.

use crate::l2::L2Block;
use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header, proofs::ordered_trie_root_with_encoder,
};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::{Address, B256, Bloom, Bytes, U64, U256};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A payload in the JSON of every version. An L2 block has no withdrawals, no blobs and no requests.
// spec: opstack 4.1
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "they are the header's fields")]
pub struct ExecutionPayload {
    pub parent_hash: B256,
    pub fee_recipient: Address,
    pub state_root: B256,
    pub receipts_root: B256,
    pub logs_bloom: Bloom,
    pub prev_randao: B256,
    pub block_number: U64,
    pub gas_limit: U64,
    pub gas_used: U64,
    pub timestamp: U64,
    pub extra_data: Bytes,
    pub base_fee_per_gas: U256,
    pub block_hash: B256,
    pub transactions: Vec<Bytes>,
    /// From Canyon on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawals: Option<Vec<serde_json::Value>>,
    /// From Ecotone on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob_gas_used: Option<U64>,
    /// From Ecotone on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excess_blob_gas: Option<U64>,
    /// From Isthmus on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawals_root: Option<B256>,
}

/// Why a payload is no block.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// A base fee that no header can hold.
    #[error("base fee {0} is above 2^64 - 1 wei")]
    BaseFee(U256),
    /// Withdrawals, of which an L2 block has none.
    #[error("the payload has {0} withdrawals; an L2 block has none")]
    Withdrawals(usize),
    /// The content is that of another block.
    #[error("the payload says that it is block {said}, but its content hashes to {found}")]
    Hash {
        /// In the payload.
        said: B256,
        /// Of its content.
        found: B256,
    },
}

impl ExecutionPayload {
    /// The payload of a block.
    pub fn new(hash: B256, header: &Header, transactions: Vec<Bytes>) -> Self {
        let isthmus = header.requests_hash.is_some();
        Self {
            parent_hash: header.parent_hash,
            fee_recipient: header.beneficiary,
            state_root: header.state_root,
            receipts_root: header.receipts_root,
            logs_bloom: header.logs_bloom,
            prev_randao: header.mix_hash,
            block_number: U64::from(header.number),
            gas_limit: U64::from(header.gas_limit),
            gas_used: U64::from(header.gas_used),
            timestamp: U64::from(header.timestamp),
            extra_data: header.extra_data.clone(),
            base_fee_per_gas: U256::from(header.base_fee_per_gas.unwrap_or_default()),
            block_hash: hash,
            transactions,
            withdrawals: header.withdrawals_root.map(|_| Vec::new()),
            blob_gas_used: header.blob_gas_used.map(U64::from),
            excess_blob_gas: header.excess_blob_gas.map(U64::from),
            withdrawals_root: header.withdrawals_root.filter(|_| isthmus),
        }
    }

    /// The header that the payload stands for, whatever hash it says. From Isthmus on a header has a
    /// hash of no requests, and from Ecotone on L1's beacon root, which is not in the payload.
    pub fn header(&self, isthmus: bool, beacon_root: Option<B256>) -> Result<Header, PayloadError> {
        let base_fee = self
            .base_fee_per_gas
            .try_into()
            .map_err(|_| PayloadError::BaseFee(self.base_fee_per_gas))?;
        Ok(Header {
            parent_hash: self.parent_hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: self.fee_recipient,
            state_root: self.state_root,
            transactions_root: ordered_trie_root_with_encoder(&self.transactions, |bytes, out| {
                out.extend_from_slice(bytes);
            }),
            receipts_root: self.receipts_root,
            logs_bloom: self.logs_bloom,
            number: self.block_number.to(),
            gas_limit: self.gas_limit.to(),
            gas_used: self.gas_used.to(),
            timestamp: self.timestamp.to(),
            extra_data: self.extra_data.clone(),
            mix_hash: self.prev_randao,
            base_fee_per_gas: Some(base_fee),
            withdrawals_root: self
                .withdrawals_root
                .or_else(|| self.withdrawals.as_ref().map(|_| EMPTY_ROOT_HASH)),
            blob_gas_used: self.blob_gas_used.map(|gas| gas.to()),
            excess_blob_gas: self.excess_blob_gas.map(|gas| gas.to()),
            parent_beacon_block_root: beacon_root,
            requests_hash: isthmus.then_some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        })
    }

    /// The block, if the payload is the one that it says.
    pub fn into_block(
        self,
        isthmus: bool,
        beacon_root: Option<B256>,
    ) -> Result<L2Block, PayloadError> {
        let withdrawals = self.withdrawals.as_ref().map_or(0, Vec::len);
        if withdrawals > 0 {
            return Err(PayloadError::Withdrawals(withdrawals));
        }
        let header = self.header(isthmus, beacon_root)?;
        let found = header.hash_slow();
        if found != self.block_hash {
            return Err(PayloadError::Hash {
                said: self.block_hash,
                found,
            });
        }
        Ok(L2Block {
            hash: found,
            header,
            transactions: self.transactions,
        })
    }
}

//! Singular batches: one block each.

use super::{SINGULAR_BATCH_TYPE, TransactionList};
use crate::{
    block::BlockId,
    rlp::{self, RlpError},
};
use alloy_primitives::{B256, Bytes};
use thiserror::Error;

/// A batch that describes one L2 block.
// spec: opstack 2.6
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SingularBatch {
    /// Hash of the L2 block before it.
    pub parent_hash: B256,
    /// Height of the block's L1 origin.
    pub epoch_num: u64,
    /// Hash of the block's L1 origin.
    pub epoch_hash: B256,
    /// Time of the block, in seconds since the Unix epoch.
    pub timestamp: u64,
    /// The block's transactions, without deposits.
    pub transactions: TransactionList,
}

/// Why bytes are no singular batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{field}: {error}")]
pub struct SingularError {
    /// Which part.
    pub field: &'static str,
    /// What is wrong with it.
    pub error: RlpError,
}

impl SingularBatch {
    /// Decodes a batch without its type byte. Bytes behind the batch are ignored, as the reference
    /// ignores them.
    // spec: opstack 2.6
    pub fn decode(bytes: &Bytes) -> Result<Self, SingularError> {
        let at = |field| move |error| SingularError { field, error };
        let mut input = bytes.as_ref();
        let list = rlp::next_item(&mut input)
            .and_then(|item| item.list())
            .map_err(at("batch"))?;
        let mut fields = list;
        let mut next = |field| {
            rlp::next_element(&mut fields)
                .and_then(|item| item.ok_or(RlpError::WrongElementCount))
                .map_err(at(field))
        };
        let parent_hash = next("parent_hash")?
            .fixed::<32>()
            .map_err(at("parent_hash"))?;
        let epoch_num = next("epoch_number")?.u64().map_err(at("epoch_number"))?;
        let epoch_hash = next("epoch_hash")?
            .fixed::<32>()
            .map_err(at("epoch_hash"))?;
        let timestamp = next("timestamp")?.u64().map_err(at("timestamp"))?;
        let strings = next("transactions")?.list().map_err(at("transactions"))?;
        if !fields.is_empty() {
            return Err(at("batch")(RlpError::WrongElementCount));
        }
        let transactions = TransactionList::from_rlp_payload(bytes.slice_ref(strings))
            .map_err(at("transactions"))?;
        Ok(Self {
            parent_hash: parent_hash.into(),
            epoch_num,
            epoch_hash: epoch_hash.into(),
            timestamp,
            transactions,
        })
    }

    /// Encodes the batch with its type byte.
    pub fn encode(&self) -> Vec<u8> {
        let strings = self.transactions.rlp_payload();
        let payload_length = 33
            + rlp::u64_length(self.epoch_num)
            + 33
            + rlp::u64_length(self.timestamp)
            + rlp::header_length(strings.len())
            + strings.len();
        let mut out = Vec::with_capacity(1 + 9 + payload_length);
        out.push(SINGULAR_BATCH_TYPE);
        rlp::put_list_header(payload_length, &mut out);
        rlp::put_string(self.parent_hash.as_slice(), &mut out);
        rlp::put_u64(self.epoch_num, &mut out);
        rlp::put_string(self.epoch_hash.as_slice(), &mut out);
        rlp::put_u64(self.timestamp, &mut out);
        rlp::put_list_header(strings.len(), &mut out);
        out.extend_from_slice(strings);
        out
    }

    /// The block's L1 origin.
    pub const fn epoch(&self) -> BlockId {
        BlockId {
            hash: self.epoch_hash,
            number: self.epoch_num,
        }
    }
}

//! Batches: what the batcher says of L2 blocks, in the two formats there are.
//!
//! A *singular batch* describes one block. A *span batch* describes a run of blocks, with the
//! fields of all their transactions transposed so that they compress better.

mod bits;
mod singular;
mod span;
mod span_tx;
mod span_write;
mod transactions;
mod varint;

pub use singular::{SingularBatch, SingularError};
pub use span::{
    SpanBatch, SpanBlock, SpanCursor, SpanDecodeError, SpanField, SpanParams, SpanTxError,
};
pub use span_tx::TxFieldError;
pub use span_write::{SpanBatchWriter, SpanWriteError};
pub use transactions::{TransactionList, TransactionListBuilder};
pub use varint::{VarintError, put_uvarint, read_uvarint};

use alloy_primitives::Bytes;
use thiserror::Error;

/// First byte of a singular batch.
// spec: opstack 2.6
pub const SINGULAR_BATCH_TYPE: u8 = 0;
/// First byte of a span batch.
// spec: opstack 2.7
pub const SPAN_BATCH_TYPE: u8 = 1;

/// EIP-2718 type byte of SetCode transactions.
pub const SET_CODE_TX_TYPE: u8 = 0x04;
/// EIP-2718 type byte of PostExec transactions, which Lagoon introduces.
// spec: opstack-2026-09 2 *10
pub const POST_EXEC_TX_TYPE: u8 = 0x7d;

/// A batch as a channel holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batch {
    /// One block.
    Singular(SingularBatch),
    /// A run of blocks; its transactions have not been looked at yet.
    Span(SpanBatch),
}

/// Why a channel's byte string is no batch. The rest of the channel is abandoned.
// spec: opstack 2.5
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// No type byte.
    #[error("batch is empty")]
    Empty,
    /// A type that is neither singular nor span.
    #[error("batch type {0} is unknown")]
    UnknownType(u8),
    /// A malformed singular batch.
    #[error("singular batch: {0}")]
    Singular(#[from] SingularError),
    /// A malformed span batch.
    #[error("span batch: {0}")]
    Span(#[from] SpanDecodeError),
}

impl Batch {
    /// Decodes a byte string of a channel.
    // spec: opstack 2.5, opstack 2.6, opstack 2.7
    pub fn decode(string: &Bytes) -> Result<Self, BatchError> {
        match string.first() {
            None => Err(BatchError::Empty),
            Some(&SINGULAR_BATCH_TYPE) => {
                Ok(Self::Singular(SingularBatch::decode(&string.slice(1..))?))
            }
            Some(&SPAN_BATCH_TYPE) => Ok(Self::Span(SpanBatch::decode(string.slice(1..))?)),
            Some(&other) => Err(BatchError::UnknownType(other)),
        }
    }
}

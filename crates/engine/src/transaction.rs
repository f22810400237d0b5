//! Transactions of a block: strictly decoded, with their senders.

use alloy_consensus::transaction::{Recovered, SignerRecoverable};
use alloy_eips::{
    Decodable2718, Encodable2718,
    eip2718::{Eip2718Error, WithEncoded},
};
use alloy_primitives::Bytes;
use op_alloy_consensus::{OpTxEnvelope, OpTxType};
use thiserror::Error;

/// A transaction that was decoded: its bytes, itself, its sender.
pub type BlockTransaction = WithEncoded<Recovered<OpTxEnvelope>>;

/// Why bytes are no transaction of a block.
#[derive(Debug, Error)]
pub enum TransactionError {
    /// Not an encoded transaction, or of an unknown type.
    #[error("transaction {index} cannot be decoded: {error}")]
    Decode {
        /// Position in the block.
        index: usize,
        /// What is wrong.
        error: Eip2718Error,
    },
    /// Bytes that decode to a transaction which is written otherwise.
    #[error("transaction {0} is not in its canonical encoding")]
    NotCanonical(usize),
    /// A signature that no key made.
    #[error("transaction {0} has an invalid signature")]
    Signature(usize),
    /// A transaction that does nothing on this chain yet.
    #[error("transaction {0} is a PostExec transaction, which come with Lagoon")]
    PostExec(usize),
}

/// Decodes the transactions of a block.
// spec: opstack-2026-09 B #6
pub fn decode_transactions(
    transactions: &[Bytes],
) -> Result<Vec<BlockTransaction>, TransactionError> {
    transactions
        .iter()
        .enumerate()
        .map(|(index, bytes)| decode_transaction(index, bytes))
        .collect()
}

/// Decodes one transaction, the `index`-th of its block.
pub fn decode_transaction(
    index: usize,
    bytes: &Bytes,
) -> Result<BlockTransaction, TransactionError> {
    let transaction = OpTxEnvelope::decode_2718_exact(bytes)
        .map_err(|error| TransactionError::Decode { index, error })?;
    if transaction.tx_type() == OpTxType::PostExec {
        return Err(TransactionError::PostExec(index));
    }
    // the decoder takes some encodings that no encoder writes
    if transaction.encoded_2718() != **bytes {
        return Err(TransactionError::NotCanonical(index));
    }
    let recovered = transaction
        .try_into_recovered()
        .map_err(|_| TransactionError::Signature(index))?;
    Ok(WithEncoded::new(bytes.clone(), recovered))
}

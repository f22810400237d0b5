//! Transactions of a block: strictly decoded, with their senders.

use alloy_consensus::transaction::{Recovered, SignerRecoverable};
use alloy_eips::{
    Decodable2718, Encodable2718,
    eip2718::{Eip2718Error, WithEncoded},
};
use alloy_primitives::Bytes;
use core::num::NonZero;
use op_alloy_consensus::{OpTxEnvelope, OpTxType};
use std::{panic::resume_unwind, sync::LazyLock, thread};
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

/// Fewer transactions than this are not worth a thread.
const LEAST_PER_THREAD: usize = 16;

/// Decodes the transactions of a block, on all cores: recovering a sender takes longer than most
/// transactions take to execute.
// spec: opstack-2026-09 B #6
pub fn decode_transactions(
    transactions: &[Bytes],
) -> Result<Vec<BlockTransaction>, TransactionError> {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));
    let threads = (transactions.len() / LEAST_PER_THREAD).clamp(1, *CORES);
    let per_thread = transactions.len().div_ceil(threads);
    let (first, others) = transactions.split_at(per_thread);
    thread::scope(|scope| {
        let others: Vec<_> = (1..)
            .zip(others.chunks(per_thread.max(1)))
            .map(|(part, chunk)| scope.spawn(move || decode_part(part * per_thread, chunk)))
            .collect();
        let mut decoded = decode_part(0, first)?;
        decoded.reserve_exact(transactions.len() - decoded.len());
        for part in others {
            decoded.extend(part.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(decoded)
    })
}

/// Decodes transactions of which the first one is the `start`-th of its block.
fn decode_part(
    start: usize,
    transactions: &[Bytes],
) -> Result<Vec<BlockTransaction>, TransactionError> {
    (start..)
        .zip(transactions)
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

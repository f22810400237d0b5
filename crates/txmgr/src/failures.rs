//! What the answers to `eth_sendRawTransaction` mean. Clients agree neither on codes nor on words.

/// What a refusal is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublishFailure {
    /// The pool has it: as good as accepted.
    AlreadyKnown,
    /// The chain has a transaction with this nonce.
    NonceTooLow,
    /// A transaction with a lower nonce is missing.
    NonceTooHigh,
    /// The pool has another transaction with this nonce, and this one pays too little more; or it
    /// pays too little for the pool at all.
    Underpriced,
    /// The pool for the other kind of transactions has some of this account.
    AlreadyReserved,
    /// The account cannot pay it.
    InsufficientFunds,
    /// No pool will ever take it.
    Invalid,
    /// The pool has no place for it, or something else.
    Other,
}

impl PublishFailure {
    /// A name for metrics: op-service's, where it has one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlreadyKnown => "tx_already_known",
            Self::NonceTooLow => "nonce_too_low",
            Self::NonceTooHigh => "nonce_too_high",
            Self::Underpriced => "tx_underpriced",
            Self::AlreadyReserved => "pending_tx_of_incompatible_type",
            Self::InsufficientFunds => "insufficient_funds",
            Self::Invalid => "invalid",
            Self::Other => "unknown_error",
        }
    }
}

use PublishFailure::{
    AlreadyKnown, AlreadyReserved, InsufficientFunds, Invalid, NonceTooHigh, NonceTooLow,
    Underpriced,
};

/// Parts of messages, in small letters, and what they mean. The first that fits counts.
// geth: core/error.go, core/txpool/errors.go. reth: RpcPoolError, RpcInvalidTransactionError.
// nethermind: TxPoolErrorMessages, and before those the names of AcceptTxResult. erigon:
// DiscardReason. besu: RpcErrorType.
const WORDS: &[(&str, PublishFailure)] = &[
    // geth, reth, nethermind, erigon
    ("already known", AlreadyKnown),
    ("alreadyknown", AlreadyKnown),
    ("already imported", AlreadyKnown),
    ("existing txn with same hash", AlreadyKnown),
    // besu
    ("known transaction", AlreadyKnown),
    // geth, reth
    ("address already reserved", AlreadyReserved),
    // reth's pool
    ("conflicts with existing transaction", AlreadyReserved),
    // nethermind
    ("pending transaction type conflict", AlreadyReserved),
    ("pendingtxsofconflictingtype", AlreadyReserved),
    // erigon
    (
        "can't replace blob-txn with a non-blob-txn",
        AlreadyReserved,
    ),
    // all
    ("nonce too low", NonceTooLow),
    ("oldnonce", NonceTooLow),
    // all
    ("nonce too high", NonceTooHigh),
    // geth's blob pool
    ("nonce gap", NonceTooHigh),
    ("gapped nonce", NonceTooHigh),
    ("noncegap", NonceTooHigh),
    ("nonce too far in future", NonceTooHigh),
    ("noncetoofarinfuture", NonceTooHigh),
    // besu
    ("nonce is too distant", NonceTooHigh),
    // all, of replacements and otherwise
    ("underpriced", Underpriced),
    ("replacementnotallowed", Underpriced),
    // erigon
    ("could not replace existing tx", Underpriced),
    ("fee too low", Underpriced),
    ("feetoolow", Underpriced),
    // reth's pool
    ("insufficient gas price to replace", Underpriced),
    ("below minimum required priority fee", Underpriced),
    // geth
    ("gas price below minimum", Underpriced),
    ("max fee per gas less than block base fee", Underpriced),
    (
        "max fee per blob gas less than block blob gas fee",
        Underpriced,
    ),
    // besu
    ("gas price below configured minimum", Underpriced),
    ("gas price below current", Underpriced),
    // all but besu
    ("insufficient funds", InsufficientFunds),
    ("insufficientfunds", InsufficientFunds),
    ("overdraws from account", InsufficientFunds),
    ("upfront cost exceeds account balance", InsufficientFunds),
    // geth, reth, erigon
    ("intrinsic gas too low", Invalid),
    ("intrinsicgas", Invalid),
    ("insufficient gas for floor data gas cost", Invalid),
    ("intrinsic gas exceeds gas limit", Invalid),
    ("exceeds block gas limit", Invalid),
    ("exceeds maximum per-transaction gas limit", Invalid),
    ("gas limit too high", Invalid),
    ("gas limit is too high", Invalid),
    ("gaslimitexceeded", Invalid),
    ("oversized data", Invalid),
    ("input data too large", Invalid),
    ("rlptoolong", Invalid),
    ("transaction too large", Invalid),
    ("transaction type not supported", Invalid),
    ("unsupported transaction type", Invalid),
    ("invalid transaction type", Invalid),
    ("invalid chain id", Invalid),
    ("wrong chainid", Invalid),
    ("invalid sender", Invalid),
    ("sender not an eoa", Invalid),
    ("max initcode size exceeded", Invalid),
    ("initcode too large", Invalid),
    ("too many blobs", Invalid),
    ("max number of blobs exceeded", Invalid),
    ("transaction blob limit exceeded", Invalid),
    ("total blob gas too high", Invalid),
    (
        "max priority fee per gas higher than max fee per gas",
        Invalid,
    ),
    ("max priority fee per gas exceeds max fee per gas", Invalid),
];

/// What a refusal in these words is taken for. `already_published` are the operator's own words for
/// [`PublishFailure::AlreadyKnown`], in any case of letters as given
/// (`txmgr.already-published-custom-errs`).
// spec: opstack 7.8
pub fn classify(words: &str, already_published: &[String]) -> PublishFailure {
    if already_published
        .iter()
        .any(|own| !own.is_empty() && words.contains(own))
    {
        return AlreadyKnown;
    }
    let words = words.to_lowercase();
    WORDS
        .iter()
        .find(|(part, _)| words.contains(part))
        .map_or(PublishFailure::Other, |(_, failure)| *failure)
}

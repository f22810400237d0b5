//! What the words of the five clients mean.

use PublishFailure::{
    AlreadyKnown, AlreadyReserved, InsufficientFunds, Invalid, NonceTooHigh, NonceTooLow, Other,
    Underpriced,
};
use doppio_txmgr::{PublishFailure, classify};

/// As the clients' sources have them, with what they put behind them.
const SAID: &[(&str, PublishFailure)] = &[
    // geth
    ("already known", AlreadyKnown),
    ("nonce too low: address 0x77, tx: 5 state: 6", NonceTooLow),
    ("nonce too low: next nonce 6, tx nonce 5", NonceTooLow),
    ("nonce too high: tx nonce 9, gapped nonce 7", NonceTooHigh),
    (
        "transaction underpriced: tip needed 1, tip permitted 0",
        Underpriced,
    ),
    ("replacement transaction underpriced", Underpriced),
    (
        "replacement transaction underpriced: new tx blob gas fee cap 1 < 2 queued + 100% replacement penalty",
        Underpriced,
    ),
    (
        "transaction gas price below minimum: gas tip cap 0, minimum needed 1",
        Underpriced,
    ),
    ("address already reserved", AlreadyReserved),
    (
        "insufficient funds for gas * price + value: balance 0, tx cost 1",
        InsufficientFunds,
    ),
    ("exceeds block gas limit", Invalid),
    (
        "oversized data: transaction size 200000, limit 131072",
        Invalid,
    ),
    (
        "intrinsic gas too low: gas 20000, minimum needed 21000",
        Invalid,
    ),
    (
        "insufficient gas for floor data gas cost: gas 21000, minimum needed 22000",
        Invalid,
    ),
    ("txpool is full", Other),
    (
        "in-flight transaction limit reached for delegated accounts",
        Other,
    ),
    // reth
    ("max fee per gas less than block base fee", Underpriced),
    (
        "transaction priority fee below minimum required priority fee 1",
        Underpriced,
    ),
    ("invalid chain ID", Invalid),
    ("gas limit too high", Invalid),
    // nethermind, by its names and by its newer words
    ("AlreadyKnown", AlreadyKnown),
    (
        "OldNonce, Current nonce: 6, nonce of rejected tx: 5",
        NonceTooLow,
    ),
    ("NonceGap, Future nonce. Expected nonce: 7", NonceTooHigh),
    ("FeeTooLow, EffectivePriorityFeePerGas too low", Underpriced),
    ("FeeTooLowToCompete", Underpriced),
    ("ReplacementNotAllowed", Underpriced),
    ("PendingTxsOfConflictingType", AlreadyReserved),
    ("pending transaction type conflict", AlreadyReserved),
    ("InsufficientFunds, Account balance: 0", InsufficientFunds),
    ("nonce too far in future", NonceTooHigh),
    ("transaction too large", Invalid),
    // erigon
    ("INTERNAL_ERROR: could not replace existing tx", Underpriced),
    ("existing txn with same hash", AlreadyKnown),
    (
        "can't replace blob-txn with a non-blob-txn",
        AlreadyReserved,
    ),
    ("max number of blobs exceeded", Invalid),
    ("IntrinsicGas", Invalid),
    ("fee too low", Underpriced),
    // besu
    ("Known transaction", AlreadyKnown),
    ("Nonce too low", NonceTooLow),
    (
        "Transaction nonce is too distant from current sender nonce",
        NonceTooHigh,
    ),
    ("Replacement transaction underpriced", Underpriced),
    ("Gas price below configured minimum gas price", Underpriced),
    ("blob gas price below current blob base fee", Underpriced),
    ("Upfront cost exceeds account balance", InsufficientFunds),
    ("Transaction gas limit exceeds block gas limit", Invalid),
    ("Wrong chainId", Invalid),
    // and of nobody
    ("", Other),
    ("internal error", Other),
];

#[test]
fn the_words_of_geth_reth_nethermind_erigon_and_besu_are_understood() {
    for (words, failure) in SAID {
        assert_eq!(classify(words, &[]), *failure, "{words}");
    }
}

#[test]
fn err_string_match_takes_the_operators_own_words_as_they_are() {
    let own = ["Ignored by Sequencer".to_owned(), String::new()];
    assert_eq!(classify("tx: Ignored by Sequencer.", &own), AlreadyKnown);
    assert_eq!(classify("tx: ignored by sequencer.", &own), Other);
    // an empty one is part of everything, and means nothing
    assert_eq!(classify("anything", &own), Other);
    assert_eq!(classify("", &own), Other);
}

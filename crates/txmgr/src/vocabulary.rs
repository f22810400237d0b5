//! What goes into the machine and what comes out.

use crate::{Fees, LimitExceeded, Settings, Suggestion};
use alloy_primitives::{Address, B256, Bytes, U256, b256};
use core::fmt;
use doppio_protocol::{L1BlockRef, block::BlockId};

/// Milliseconds since the Unix epoch.
pub type Millis = u64;

/// Versioned hash of the blob of zeros, whose commitment is the point at infinity. A transaction with
/// blobs is cancelled by one with this blob: pools take no other kind in its place.
pub const ZERO_BLOB_HASH: B256 =
    b256!("010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014");

/// Name of a request, given by whoever sends it. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Name of a question, so that its answer finds back. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A transaction that is wanted on L1.
///
/// Requests land in the order in which they are sent. If one is given up, all later ones that are not
/// mined are given up with it: what comes after a hole may be worth nothing to who reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxRequest {
    /// Recipient; none to create a contract, which a transaction with blobs cannot.
    pub to: Option<Address>,
    /// Wei that are sent along.
    pub value: U256,
    /// Calldata, or init code.
    pub data: Bytes,
    /// Versioned hashes of its blobs; none for a transaction without. The blobs themselves stay with
    /// whoever signs and publishes.
    pub blob_hashes: Vec<B256>,
    /// Gas limit; none to have it estimated. For data see [`data_gas_limit`](crate::data_gas_limit).
    pub gas_limit: Option<u64>,
}

/// Which of a node's pools a transaction is in. An account can be in one of them only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TxKind {
    /// EIP-1559.
    Plain,
    /// EIP-4844: with blobs.
    Blob,
}

/// A transaction that is to be signed: EIP-4844 if it has blobs, else EIP-1559.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedTx {
    /// Chain id of L1.
    pub chain_id: u64,
    /// Its nonce.
    pub nonce: u64,
    /// Recipient; none to create a contract.
    pub to: Option<Address>,
    /// Wei that are sent along.
    pub value: U256,
    /// Calldata, or init code.
    pub data: Bytes,
    /// Gas limit.
    pub gas_limit: u64,
    /// What is paid at most.
    pub fees: Fees,
    /// Versioned hashes of its blobs.
    pub blob_hashes: Vec<B256>,
}

impl UnsignedTx {
    /// The pool that it belongs to.
    pub const fn kind(&self) -> TxKind {
        if self.blob_hashes.is_empty() {
            TxKind::Plain
        } else {
            TxKind::Blob
        }
    }
}

/// A signed transaction, as it is hashed: without sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Its hash.
    pub hash: B256,
    /// Its EIP-2718 encoding, without blobs.
    pub raw: Bytes,
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignFailure {
    /// The signer does not answer now.
    Unavailable(String),
    /// The signer refuses, or what it gave is not what was asked for. It is not asked again.
    Refused(String),
}

/// How blobs are proven while their transaction is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidecarVersion {
    /// One proof for each blob (EIP-4844).
    Blob,
    /// 128 proofs for each blob (EIP-7594).
    Cells,
}

/// L1's newest block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L1Head {
    /// Its place in the chain.
    pub block: L1BlockRef,
    /// Its base fee, in wei.
    pub base_fee: u128,
    /// Its excess blob gas; none before Cancun. What a blob costs follows by the L1's own schedule.
    pub excess_blob_gas: Option<u64>,
}

/// The account's nonces, by an endpoint's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Transactions that the chain has (`eth_getTransactionCount`, `latest`): the next nonce.
    pub latest: u64,
    /// The same with those that the pool would put into the next block (`pending`).
    pub pending: u64,
}

/// A transaction of the account that is in a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolTx {
    /// Its nonce.
    pub nonce: u64,
    /// Its hash.
    pub hash: B256,
    /// Its kind.
    pub kind: TxKind,
    /// What it pays.
    pub fees: Fees,
}

/// A transaction on the chain. The block has been verified to hold it, and to give this receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// Hash of the transaction.
    pub tx_hash: B256,
    /// Its block.
    pub block: BlockId,
    /// Time of its block, in seconds since the Unix epoch.
    pub block_time: u64,
    /// Whether it did not revert.
    pub success: bool,
    /// Gas that it used.
    pub gas_used: u64,
    /// Wei for a unit of gas.
    pub gas_price: u128,
    /// Blob gas that it used.
    pub blob_gas_used: u64,
    /// Wei for a unit of blob gas.
    pub blob_gas_price: u128,
}

impl Inclusion {
    /// What the transaction cost, in wei, without the value that it sent.
    pub fn cost(&self) -> u128 {
        let gas = u128::from(self.gas_used).saturating_mul(self.gas_price);
        let blobs = u128::from(self.blob_gas_used).saturating_mul(self.blob_gas_price);
        gas.saturating_add(blobs)
    }
}

/// What became of handing in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// At least one endpoint took it.
    Accepted,
    /// All endpoints that answered refused it, in these words, and no answer was lost: none has it.
    Refused(Vec<String>),
    /// No endpoint took it, and at least one gave no answer: it may be in a pool.
    Unknown(Vec<String>),
}

/// What happened outside. Answers name the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A transaction is wanted.
    Send {
        /// Its name from now on.
        id: RequestId,
        /// What it is.
        request: TxRequest,
    },
    /// A request is no longer wanted, nor are those after it.
    Cancel(RequestId),
    /// No more requests. What is mined is waited for; all else is let go.
    Close,
    /// The operator changed something.
    Set(Settings),
    /// L1 has a new head.
    Head(L1Head),
    /// Answer to [`Action::FetchAccount`]; none if nobody answers.
    Account(CallId, Option<Account>),
    /// Answer to [`Action::FetchTip`]; none if nobody answers.
    Tip(CallId, Option<Suggestion>),
    /// Answer to [`Action::EstimateGas`]: gas, or why it fails.
    Gas(CallId, Result<u64, String>),
    /// Answer to [`Action::Sign`].
    Signed(CallId, Result<Signed, SignFailure>),
    /// Answer to [`Action::Publish`].
    Published(CallId, Published),
    /// Answer to [`Action::LookUp`]: the one that the chain has, none if it has none of them. An
    /// error if nobody answers, or if what an endpoint says does not hold.
    LookedUp(CallId, Result<Option<Inclusion>, String>),
    /// Answer to [`Action::FetchBlockHash`]; none if there is no block of this height, or no answer.
    BlockHash(CallId, Option<B256>),
    /// Answer to [`Action::LookUpPool`]: what is found. Nothing may also mean that no endpoint tells.
    Pool(CallId, Vec<PoolTx>),
}

/// What is to be done outside. Those with a [`CallId`] are questions, and each is to be answered by
/// an [`Event`], also where that says that there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask for the account's nonces.
    FetchAccount(CallId),
    /// Ask for the tip that is usual (`eth_maxPriorityFeePerGas`).
    FetchTip {
        /// The question's name.
        call: CallId,
        /// How many of the newest blocks to ask for the tips of transactions with blobs
        /// (`txmgr.blob-tip-cap-dynamic`); none to leave that.
        blob_blocks: Option<u64>,
    },
    /// Ask how much gas this takes (`eth_estimateGas`). Its gas limit means nothing.
    EstimateGas(CallId, UnsignedTx),
    /// Sign this.
    Sign(CallId, UnsignedTx),
    /// Hand it in, to all endpoints.
    Publish {
        /// The question's name.
        call: CallId,
        /// The request that it is of; none for a cancellation.
        id: Option<RequestId>,
        /// The transaction.
        tx: Signed,
        /// Versioned hashes of its blobs.
        blob_hashes: Vec<B256>,
        /// How its blobs are proven; without meaning if it has none.
        sidecar: SidecarVersion,
    },
    /// Look which of these transactions the chain has: versions of one, so it has at most one.
    LookUp(CallId, Vec<B256>),
    /// Ask for the hash of the canonical block of this height.
    FetchBlockHash(CallId, u64),
    /// Look for the account's transactions in the pool, with nonces from the first to before the
    /// second.
    LookUpPool(CallId, u64, u64),
    /// Tell the sender of a request what becomes of it.
    Outcome {
        /// The request.
        id: RequestId,
        /// What becomes of it.
        outcome: Outcome,
    },
    /// A request has ended and can not come back: forget its blobs.
    Forget(RequestId),
    /// Tell the operator.
    Notice(Notice),
}

/// What becomes of a request: any number of steps, and then exactly one end.
///
/// The only thing that may follow an end is [`Outcome::ReorgedOut`], after [`Outcome::Confirmed`] or
/// [`Outcome::Reverted`]: L1 was reorganised deeper than `num_confirmations`. The same transaction is
/// then handed in again, and the request ends again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A step: it is in a block that is canonical now. It may have reverted.
    Included(Inclusion),
    /// A step: its block is no longer canonical. It waits again.
    ReorgedOut(BlockId),
    /// A step: it is given up, but a version of it may be mined yet. It ends when its nonce is used
    /// up and buried: most often with [`Outcome::Failed`], but if the version was quicker, with
    /// [`Outcome::Confirmed`].
    GivingUp(FailReason),
    /// The end: its block has the confirmations that were asked for.
    Confirmed(Inclusion),
    /// The end: it has its confirmations, and it reverted.
    Reverted(Inclusion),
    /// The end: it was cancelled as [`Event::Cancel`] asked, and will not be mined.
    Cancelled,
    /// The end: it is given up, and will not be mined, except where the reason says so.
    Failed(FailReason),
}

impl Outcome {
    /// Whether it is the end.
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Confirmed(_) | Self::Reverted(_) | Self::Cancelled | Self::Failed(_)
        )
    }
}

/// Why a request is given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailReason {
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A request before it was given up.
    #[error("request {0} before it was given up")]
    Earlier(RequestId),
    /// The transaction manager was closed first. What was handed in may still be mined.
    #[error("the transaction manager was closed; what was handed in may still be mined")]
    Closed,
    /// It was not mined within `send_timeout`.
    #[error("not mined within the time to send")]
    SendTimeout,
    /// No pool took it within `not_in_mempool_timeout`.
    #[error("no pool took it in time; last answer: {0}")]
    NotInMempool(String),
    /// The pool holds transactions of the account of the other kind, from nobody known here.
    #[error("the pool holds a transaction of the account of the other kind (blobs or none)")]
    AlreadyReserved,
    /// Another transaction took its nonce.
    #[error("nonce {0} was taken by a transaction of somebody else")]
    NonceTaken(u64),
    /// Its gas cannot be estimated: it would revert.
    #[error("gas cannot be estimated: {0}")]
    GasEstimation(String),
    /// It cannot be signed.
    #[error("not signed: {0}")]
    Sign(String),
    /// No pool will ever take it.
    #[error("refused: {0}")]
    Refused(String),
    /// The request makes no sense.
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
}

/// What an operator should know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// Transactions of the account wait in the pool, from before the start.
    #[error("nonces {from} to {} are in the pool since before the start; they are waited for, and \
             replaced if they do not move", until - 1)]
    Leftovers {
        /// First nonce.
        from: u64,
        /// The nonce after the last.
        until: u64,
    },
    /// Somebody else sends from the account.
    #[error(
        "somebody else sends from the account: nonce {nonce} is used, and not by us. \
             Give each batcher and proposer an account of its own"
    )]
    AccountShared {
        /// The first nonce that is known to be somebody else's.
        nonce: u64,
    },
    /// Fees on L1 are above what the operator allows.
    #[error("L1 asks for more than is allowed: {0}; waiting")]
    FeesTooHigh(LimitExceeded),
    /// What may be spent in an hour is spent.
    #[error("the budget of {budget} wei an hour is used up: {used} wei; waiting")]
    BudgetUsedUp {
        /// The budget.
        budget: u128,
        /// What was spent, and what is on its way at most.
        used: u128,
    },
    /// The L1's blob schedule says nothing about the head.
    #[error("{0}; transactions with blobs wait")]
    NoBlobFee(doppio_protocol::config::BlobFeeError),
    /// A pool refuses what is to be sent.
    #[error("nonce {nonce}: {words}")]
    Refused {
        /// Of the transaction.
        nonce: u64,
        /// Which kind of refusal it is taken for.
        failure: crate::PublishFailure,
        /// In the endpoint's words.
        words: String,
    },
    /// A higher fee was signed for a nonce.
    #[error("nonce {nonce}: paying up to {} wei for gas", fees.fee_cap)]
    Bumped {
        /// The nonce.
        nonce: u64,
        /// What is paid now.
        fees: Fees,
    },
    /// A nonce is being used up by an empty transaction to ourselves.
    #[error("nonce {nonce} is being cancelled")]
    Cancelling {
        /// The nonce.
        nonce: u64,
    },
}

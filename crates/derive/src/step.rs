//! The pipeline's vocabulary: what it asks for, what it is given, what it says.

use alloy_primitives::{B256, Bytes};
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    attributes::PayloadAttributes,
    blob::Blob,
    block::BlockId,
    commitment::Commitment,
    config::RollupConfig,
    l1::L1Block,
    l2::L2Block,
    system_config::{ScalarError, SystemConfig},
};
use std::sync::Arc;
use thiserror::Error;

/// What the pipeline does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// It lacks something. Nothing changes until [`Pipeline::supply`](crate::Pipeline::supply)
    /// brings it.
    Need(Request),
    /// The next L2 block. [`Pipeline::executed`](crate::Pipeline::executed) says what became of it.
    Attributes(Arc<DerivedAttributes>),
    /// The L1 block gives nothing more: supply the one after it.
    Exhausted(L1BlockRef),
}

/// The next L2 block, to be built by an execution engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedAttributes {
    /// What to build.
    pub attributes: PayloadAttributes,
    /// What to build on.
    pub parent: L2BlockRef,
    /// The block's L1 origin.
    pub l1_origin: BlockId,
    /// The block's distance from the first block of its epoch.
    pub sequence_number: u64,
    /// The L1 block that completed the data which the block comes from.
    pub derived_from: L1BlockRef,
    /// Whether the block becomes safe once it is accepted. Before Holocene that is the last block
    /// of a span only; from Holocene on every block.
    pub concluding: bool,
}

/// What the pipeline lacks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// An L1 block by hash: the first one after a reset, or one whose deposits are needed again.
    L1Block(B256),
    /// An L1 block by hash, to look for authentication events: one of those before the block that
    /// is read. Only header and receipts are looked at.
    AuthBlock(B256),
    /// Blobs of the L1 block that is read, in this order.
    Blobs {
        /// The L1 block.
        block: L1BlockRef,
        /// The blobs.
        blobs: Vec<BlobRef>,
    },
    /// What is behind an alt-DA commitment.
    Payload(PayloadRequest),
    /// The L1 block of a height ahead of the one that is read, on the canonical chain. Data is
    /// missing, and a challenge on L1 may bring it or say that it does not count. The payloads
    /// that are missing may be supplied instead.
    LaterL1Block(u64),
    /// A block of the safe chain by number, to compare a span batch with.
    L2Block(u64),
}

/// A blob to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlobRef {
    /// Position among all blobs of the L1 block.
    pub index: u64,
    /// What the blob must hash to.
    pub versioned_hash: B256,
}

/// A payload to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PayloadRequest {
    /// Names the request.
    pub id: PayloadId,
    /// What stands for the payload.
    pub commitment: Commitment,
    /// The L1 block that includes the commitment.
    pub l1_block: L1BlockRef,
    /// Nobody has the data, and nobody challenged the commitment in time: no rule will ever drop
    /// it. Derivation waits until an operator finds the data.
    pub lost: bool,
}

/// Names a commitment: the L1 block and the position among the block's inbox data items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PayloadId {
    /// Hash of the L1 block.
    pub l1_hash: B256,
    /// Position among the data items that count.
    pub item: u32,
}

/// What is known of a payload.
// spec: eigenda 5.4
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadAnswer {
    /// The bytes.
    Payload(Bytes),
    /// There is none, by a rule that every node applies alike.
    Dropped(String),
    /// Not known yet; the request stands.
    Later,
    /// The DA layer says that it does not have the bytes. Where commitments can be challenged, L1
    /// is looked at for what becomes of it; otherwise the request stands.
    NotFound,
}

/// What the pipeline is given.
#[derive(Clone, Debug)]
pub enum Response {
    /// After [`Step::Exhausted`]: the next L1 block.
    NextL1Block(L1Block),
    /// For [`Request::L1Block`], [`Request::AuthBlock`] and [`Request::LaterL1Block`].
    L1Block(L1Block),
    /// For [`Request::Blobs`]: each blob checked against its versioned hash.
    Blobs(Vec<Box<Blob>>),
    /// For [`Request::Payload`], in any order.
    Payload {
        /// Which request.
        id: PayloadId,
        /// The answer.
        answer: PayloadAnswer,
    },
    /// For [`Request::L2Block`].
    L2Block(Box<L2Block>),
}

/// What became of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The engine built, or already had, a block that equals the attributes.
    Accepted {
        /// Hash of the block.
        hash: B256,
        /// Extra data of the block's header, where the engine writes the EIP-1559 parameters that
        /// it used.
        extra_data: Bytes,
    },
    /// The engine says that the attributes cannot be executed.
    Invalid,
}

/// Why what was supplied was not taken. The pipeline is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SupplyError {
    /// Nothing like it was asked for.
    #[error("{0} was not asked for")]
    NotAsked(&'static str),
    /// The block is another one than asked for.
    #[error("asked for L1 block {expected}, got {found}")]
    OtherL1Block {
        /// Asked for.
        expected: String,
        /// Supplied.
        found: BlockId,
    },
    /// The block is another one than asked for.
    #[error("asked for L2 block {expected}, got {found}")]
    OtherL2Block {
        /// Asked for.
        expected: u64,
        /// Supplied.
        found: u64,
    },
    /// The number of receipts cannot be that of the block.
    #[error("the L1 block has {receipts} receipts, but an inbox transaction at index {index}")]
    Receipts {
        /// Supplied.
        receipts: usize,
        /// Of an inbox transaction.
        index: u32,
    },
    /// More or fewer blobs than asked for.
    #[error("asked for {expected} blobs, got {found}")]
    BlobCount {
        /// Asked for.
        expected: usize,
        /// Supplied.
        found: usize,
    },
    /// A payload that is not what the Keccak commitment stands for.
    #[error("the payload does not hash to its Keccak commitment")]
    PayloadMismatch,
    /// A block that the engine accepted does not give a system configuration.
    #[error("the accepted block: {0}")]
    ExtraData(#[from] doppio_protocol::system_config::L2ConfigError),
}

/// Why the pipeline cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PipelineError {
    /// What was derived is no longer on the canonical chain: find the start again and reset.
    #[error("derivation must be reset: {0}")]
    Reset(#[from] ResetReason),
    /// Going on could only lead to a wrong chain: stop, and tell an operator.
    #[error("derivation stops: {0}")]
    Critical(#[from] CriticalReason),
}

/// Why a reset is needed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResetReason {
    /// The next L1 block does not extend the one that was read.
    // spec: opstack 3.2
    #[error("L1 block {next} does not extend {current}: L1 was reorganised")]
    L1Reorg {
        /// What was read last.
        current: BlockId,
        /// What was supplied.
        next: BlockId,
    },
    /// The safe head's L1 origin is not in the window of L1 blocks.
    // spec: opstack 3.6
    #[error("the safe head's L1 origin {origin} does not fit the L1 blocks from {first} on")]
    OriginMismatch {
        /// Of the safe head.
        origin: BlockId,
        /// First of the window.
        first: BlockId,
    },
    /// The first block of an epoch would not build on the epoch before.
    // spec: opstack 3.8 #2
    #[error("L1 origin {epoch} does not extend the parent's L1 origin {parent_origin}")]
    EpochMismatch {
        /// Of the parent.
        parent_origin: BlockId,
        /// Of the block.
        epoch: BlockId,
    },
    /// An L2 block would be older than its L1 origin.
    // spec: opstack 3.8 #3
    #[error("an L2 block at time {l2_time} would be before its L1 origin at {l1_time}")]
    BeforeOrigin {
        /// Of the L2 block.
        l2_time: u64,
        /// Of the L1 origin.
        l1_time: u64,
    },
    /// An alt-DA commitment whose data was used has expired unanswered.
    // spec: opstack 3.15
    #[error("an alt-DA commitment of L1 block {l1_block} was challenged and nobody answered")]
    ChallengeExpired {
        /// The L1 block with the commitment.
        l1_block: BlockId,
    },
    /// A batch does not follow the head that attributes are made on.
    // spec: opstack 3.8
    #[error("a valid batch does not follow the safe head {0}")]
    BatchMismatch(BlockId),
}

/// Why derivation must stop for good.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CriticalReason {
    /// A fork whose rules this program does not know has come.
    #[error(
        "Lagoon activates at {lagoon_time}, and the next L2 block is at {l2_time}. This release \
         does not know Lagoon's rules: upgrade before that time"
    )]
    Lagoon {
        /// Activation time.
        lagoon_time: u64,
        /// Time of the next L2 block.
        l2_time: u64,
    },
    /// A log of the deposit contract that is no deposit: the contract is not the one we know.
    // spec: opstack 3.8 #2
    #[error("log {log_index} of L1 block {block} is no deposit: {error}")]
    Deposit {
        /// The L1 block.
        block: BlockId,
        /// Index of the log.
        log_index: u64,
        /// What is wrong.
        error: doppio_protocol::deposit::DepositLogError,
    },
    /// The chain's fee scalar cannot be expressed.
    #[error(transparent)]
    Scalar(#[from] ScalarError),
    /// The L1's blob fee cannot be computed.
    #[error(transparent)]
    BlobFee(#[from] doppio_protocol::config::BlobFeeError),
    /// Deposits alone do not execute: engine or configuration is wrong.
    // spec: opstack 3.8
    #[error("the engine refuses a block of deposits alone on {0}")]
    DepositsOnlyInvalid(BlockId),
    /// Something that cannot be by this program's own rules.
    #[error("a bug in derivation: {0}")]
    Bug(&'static str),
}

/// Where derivation starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetPoint {
    /// The L2 block that the next one is derived on.
    pub safe_head: L2BlockRef,
    /// System configuration as of that block.
    pub safe_config: SystemConfig,
    /// The L1 block to read first: a channel timeout before the safe head's L1 origin.
    pub l1_start: BlockId,
    /// System configuration as of the L2 block whose L1 origin that is.
    pub l1_start_config: SystemConfig,
}

impl ResetPoint {
    /// The start of the rollup.
    pub const fn genesis(rollup: &RollupConfig) -> Self {
        let genesis = &rollup.genesis;
        Self {
            safe_head: L2BlockRef {
                hash: genesis.l2.hash,
                number: genesis.l2.number,
                parent_hash: B256::ZERO,
                timestamp: genesis.l2_time,
                l1_origin: genesis.l1,
                sequence_number: 0,
            },
            safe_config: genesis.system_config,
            l1_start: genesis.l1,
            l1_start_config: genesis.system_config,
        }
    }
}

//! What derivation leaves out, and by which rule.
//!
//! Bytes on L1 are adversarial, and almost everything an adversary can do ends in something being
//! dropped. Each drop has a typed reason that names its rule, so that an operator can see why data
//! did not count, and two implementations can compare why and not only whether.

use crate::{
    batch_check::{BatchDrop, Undecided},
    channel_bank::FrameRefusal,
};
use alloy_primitives::{Address, B256};
use doppio_compression::{OpenError, ReadError};
use doppio_protocol::{
    batch::{BatchError, SpanTxError},
    blob::BlobError,
    block::BlockId,
    commitment::CommitmentError,
    da_challenge::ChallengeError,
    frame::FrameError,
};
use std::collections::BTreeMap;
use thiserror::Error;

/// Why a transaction to the inbox does not count.
// spec: opstack 2.3, opstack 2.9
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InboxRefusal {
    /// A transaction type that is not read (SetCode, or an unknown one).
    #[error("transaction type {0:#04x} is not read")]
    Type(u8),
    /// No sender can be recovered.
    #[error("its signature recovers no sender")]
    Signature,
    /// The sender is not the batcher.
    #[error("sender {found} is not the batcher {batcher}")]
    Sender {
        /// Recovered.
        found: Address,
        /// Of the SystemConfig.
        batcher: Address,
    },
    /// The inbox contract reverted it.
    #[error("it reverted")]
    Reverted,
    /// Too short to hold the signature that the inbox contract checks.
    #[error("{0} bytes of calldata cannot hold a signature of 65")]
    SignatureMissing(usize),
    /// No authentication event for its commitment within the window.
    #[error("its commitment {0} is not authenticated within the window")]
    NotAuthenticated(B256),
    /// The sender is not the caller that the newest event names.
    #[error("sender {found:?} is not the caller {caller} that authenticated the commitment")]
    Caller {
        /// Recovered, where it can be.
        found: Option<Address>,
        /// Of the event.
        caller: Address,
    },
    /// Blob transactions do not count under the rule.
    #[error("blob transactions do not count since the Espresso fork")]
    Blobs,
}

/// How frame order was broken within one inbox item.
// spec: opstack 3.3 |1 |2
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameOrder {
    /// A frame of the channel follows its last one.
    #[error("it follows the last frame of its channel")]
    AfterLast,
    /// A number is missing or repeated.
    #[error("its number does not follow the one before it")]
    NotContiguous,
    /// The next channel begins before this one ended.
    #[error("another channel begins before its channel ended")]
    Unclosed,
    /// The channel does not begin with its first frame.
    #[error("its channel does not begin with its first frame")]
    NotFirst,
}

/// Why something was left out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DropReason {
    /// An inbox transaction.
    #[error("inbox transaction: {0}")]
    Inbox(InboxRefusal),
    /// A blob.
    #[error("{0}")]
    Blob(BlobError),
    /// An inbox item without bytes, on a chain with alt-DA.
    #[error("inbox item is empty")]
    EmptyItem,
    /// An alt-DA commitment that is none.
    #[error("{0}")]
    Commitment(CommitmentError),
    /// An alt-DA commitment of the type that the chain does not use.
    #[error("alt-DA commitment is not of the chain's type")]
    CommitmentType,
    /// The DA layer says that there is no payload behind a commitment, and never will be.
    #[error("alt-DA payload: {0}")]
    Payload(String),
    /// A commitment that was challenged, and nobody answered in time.
    #[error("alt-DA commitment was challenged, and nobody answered within the window")]
    ChallengeExpired,
    /// An event of the challenge contract that says nothing.
    #[error("alt-DA challenge: {0}")]
    Challenge(ChallengeError),
    /// A payload that could not be challenged.
    #[error("alt-DA payload of {size} bytes exceeds {limit}")]
    PayloadTooLarge {
        /// Bytes of the payload.
        size: usize,
        /// Bytes allowed.
        limit: u64,
    },
    /// An inbox item that is no sequence of frames.
    #[error("inbox item: {0}")]
    Frames(FrameError),
    /// A frame out of order within its item.
    #[error("frame: {0}")]
    FrameOrder(FrameOrder),
    /// A frame of a channel that is timed out.
    #[error("frame of a channel that is timed out")]
    FrameTimedOut,
    /// A frame, not the first of its channel, while no channel is open.
    #[error("frame without an open channel")]
    FrameWithoutChannel,
    /// A frame that its channel refuses.
    #[error("frame: {0}")]
    Frame(FrameRefusal),
    /// A channel that was not completed in time.
    #[error("channel timed out")]
    ChannelTimedOut,
    /// An open channel, because another begins.
    #[error("channel is replaced by another before it was completed")]
    ChannelReplaced,
    /// A channel larger than the protocol allows.
    #[error("channel exceeds the size limit")]
    ChannelTooLarge,
    /// The oldest channel, to keep the bank within its size.
    #[error("channel is pruned, the channel bank is full")]
    ChannelPruned,
    /// A channel that cannot be decompressed at all.
    #[error("channel: {0}")]
    ChannelOpen(OpenError),
    /// The rest of a channel that ends in nonsense.
    #[error("rest of channel: {0}")]
    ChannelRead(ReadError),
    /// The rest of a channel, from a byte string that is no batch on.
    #[error("rest of channel: {0}")]
    BatchDecode(BatchError),
    /// The rest of a channel, because of an invalid batch or block in it.
    #[error("rest of channel, after an invalid batch or block")]
    ChannelFlushed,
    /// A span batch before Delta.
    #[error("span batch before Delta")]
    SpanBeforeDelta,
    /// A span batch whose transactions cannot be put together.
    #[error("span batch: {0}")]
    SpanTransactions(SpanTxError),
    /// A batch that breaks a rule.
    #[error("batch: {0}")]
    Batch(BatchDrop),
    /// A batch for blocks that are safe already.
    #[error("batch is for blocks that are safe already")]
    BatchPast,
    /// A batch that cannot be decided about, and is not kept.
    #[error("batch: {0}")]
    BatchUndecided(Undecided),
    /// The rest of a span whose next block does not follow the safe head.
    #[error("rest of span does not follow the safe head")]
    SpanRest,
    /// Batches from before the L1 origin of the safe head.
    #[error("batch from before the safe head's L1 origin")]
    BatchBehindOrigin,
    /// What the stages held when Holocene replaced them.
    #[error("held by a stage that Holocene replaces")]
    HoloceneTransition,
}

impl DropReason {
    /// A name for counting: the same for all reasons of one kind.
    // One table, so that names stay distinct.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Inbox(refusal) => match refusal {
                InboxRefusal::Type(_) => "inbox_type",
                InboxRefusal::Signature => "inbox_signature",
                InboxRefusal::Sender { .. } => "inbox_sender",
                InboxRefusal::Reverted => "inbox_reverted",
                InboxRefusal::SignatureMissing(_) => "inbox_signature_missing",
                InboxRefusal::NotAuthenticated(_) => "inbox_not_authenticated",
                InboxRefusal::Caller { .. } => "inbox_caller",
                InboxRefusal::Blobs => "inbox_blobs",
            },
            Self::Blob(_) => "blob",
            Self::EmptyItem => "empty_item",
            Self::Commitment(_) => "commitment",
            Self::CommitmentType => "commitment_type",
            Self::Payload(_) => "payload",
            Self::ChallengeExpired => "challenge_expired",
            Self::Challenge(_) => "challenge",
            Self::PayloadTooLarge { .. } => "payload_too_large",
            Self::Frames(_) => "frames",
            Self::FrameOrder(_) => "frame_order",
            Self::FrameTimedOut => "frame_timed_out",
            Self::FrameWithoutChannel => "frame_without_channel",
            Self::Frame(_) => "frame",
            Self::ChannelTimedOut => "channel_timed_out",
            Self::ChannelReplaced => "channel_replaced",
            Self::ChannelTooLarge => "channel_too_large",
            Self::ChannelPruned => "channel_pruned",
            Self::ChannelOpen(_) => "channel_open",
            Self::ChannelRead(_) => "channel_read",
            Self::BatchDecode(_) => "batch_decode",
            Self::ChannelFlushed => "channel_flushed",
            Self::SpanBeforeDelta => "span_before_delta",
            Self::SpanTransactions(_) => "span_transactions",
            Self::Batch(drop) => drop.name(),
            Self::BatchPast => "batch_past",
            Self::BatchUndecided(_) => "batch_undecided",
            Self::SpanRest => "span_rest",
            Self::BatchBehindOrigin => "batch_behind_origin",
            Self::HoloceneTransition => "holocene_transition",
        }
    }

    /// The rule of the specification that asks for the drop.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Inbox(refusal) => match refusal {
                InboxRefusal::Type(_) | InboxRefusal::Signature | InboxRefusal::Sender { .. } => {
                    "opstack 2.3"
                }
                InboxRefusal::Reverted | InboxRefusal::SignatureMissing(_) => "espresso 5.5",
                InboxRefusal::NotAuthenticated(_)
                | InboxRefusal::Caller { .. }
                | InboxRefusal::Blobs => "opstack 2.9",
            },
            Self::Blob(_) => "opstack 2.2",
            Self::EmptyItem | Self::Commitment(_) => "opstack 2.1",
            Self::CommitmentType
            | Self::Payload(_)
            | Self::ChallengeExpired
            | Self::Challenge(_) => "opstack 3.15",
            Self::PayloadTooLarge { .. } => "opstack 2.8 |8",
            Self::Frames(_) => "opstack 2.4",
            Self::FrameOrder(_) => "opstack 3.3",
            Self::FrameTimedOut | Self::ChannelPruned => "opstack 3.4",
            Self::Frame(_) | Self::ChannelTimedOut => "opstack 3.4, 3.5",
            Self::FrameWithoutChannel | Self::ChannelReplaced | Self::ChannelTooLarge => {
                "opstack 3.5"
            }
            Self::ChannelOpen(_)
            | Self::ChannelRead(_)
            | Self::BatchDecode(_)
            | Self::SpanBeforeDelta
            | Self::SpanTransactions(_) => "opstack 2.5",
            Self::Batch(drop) => drop.rule(),
            Self::ChannelFlushed
            | Self::BatchPast
            | Self::BatchUndecided(_)
            | Self::SpanRest
            | Self::BatchBehindOrigin => "opstack 3.6",
            Self::HoloceneTransition => "opstack 3.1",
        }
    }
}

/// Something that was left out, and where derivation stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop {
    /// The L1 block that derivation was reading.
    pub l1: BlockId,
    /// Why.
    pub reason: DropReason,
}

/// How an inbox transaction was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxVerdict {
    /// The L1 block.
    pub l1: BlockId,
    /// Position of the transaction among all transactions of the block.
    pub index: u32,
    /// Accepted, or why not.
    pub verdict: Result<(), InboxRefusal>,
}

/// Drops kept in full until they are taken. A hostile block may hold hundreds of thousands; the
/// others are counted only.
pub const MAX_DROPS_KEPT: usize = 4096;

/// What was left out of the L1 block that is read, and counts of everything since the last reset.
///
/// The details of an L1 block are forgotten when the next one is supplied: take them before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropLog {
    recent: Vec<Drop>,
    verdicts: Vec<InboxVerdict>,
    counts: BTreeMap<&'static str, u64>,
}

/// Reports drops while one L1 block is read.
#[derive(Debug)]
pub(crate) struct Reporter<'a> {
    log: &'a mut DropLog,
    l1: BlockId,
}

impl<'a> Reporter<'a> {
    pub(crate) const fn new(log: &'a mut DropLog, l1: BlockId) -> Self {
        Self { log, l1 }
    }

    pub(crate) fn drop(&mut self, reason: DropReason) {
        self.log.record(self.l1, reason);
    }
}

impl DropLog {
    pub(crate) fn record(&mut self, l1: BlockId, reason: DropReason) {
        *self.counts.entry(reason.name()).or_default() += 1;
        if self.recent.len() < MAX_DROPS_KEPT {
            self.recent.push(Drop { l1, reason });
        }
    }

    pub(crate) fn record_verdict(&mut self, verdict: InboxVerdict) {
        if let Err(refusal) = verdict.verdict {
            self.record(verdict.l1, DropReason::Inbox(refusal));
        }
        self.verdicts.push(verdict);
    }

    /// Forgets the details, keeps the counts.
    pub(crate) fn next_l1_block(&mut self) {
        self.recent.clear();
        self.verdicts.clear();
    }

    /// The drops since the last call, in order; at most [`MAX_DROPS_KEPT`].
    pub fn take(&mut self) -> Vec<Drop> {
        core::mem::take(&mut self.recent)
    }

    /// The verdicts on inbox transactions since the last call, in order.
    pub fn take_verdicts(&mut self) -> Vec<InboxVerdict> {
        core::mem::take(&mut self.verdicts)
    }

    /// How much was left out since the last reset, by [`DropReason::name`].
    pub const fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }
}

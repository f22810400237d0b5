//! The tree that an explanation is.
//!
//! Every node whose type has a `broken` field may be where the bytes break; the field is then the
//! position of the break in [`Explanation::breaks`].

use crate::{
    Form,
    certificate::{CertificateBreak, CertificateCheck, CertificateContent, L1State},
    text,
};
use alloy_primitives::{Address, B256, FixedBytes, U256};
use core::fmt;
use doppio_protocol::frame::ChannelId;
use serde::Serialize;

/// What bytes hold, or why they hold nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Bytes that were looked at.
    pub bytes: u64,
    /// The form they were read in. None: they fit no form.
    pub form: Option<Form>,
    /// Whether they could be read down to the bottom.
    pub sound: bool,
    /// What they hold.
    pub content: Option<Content>,
    /// Number of breaks.
    pub break_count: u64,
    /// The breaks in the order of the data; the first ones if there are too many.
    pub breaks: Vec<Break>,
    /// The other forms that were tried, in order.
    pub tried: Vec<Attempt>,
}

/// What bytes hold, by their form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A blob.
    Blob(Blob),
    /// Data items of inbox transactions, and the channels that are in them.
    Inbox(Inbox),
    /// An alt-DA commitment.
    Commitment(Commitment),
    /// A channel's bytes, compressed or not.
    Channel(Channel),
    /// One batch.
    Batch(Batch),
    /// One transaction.
    Transaction(Transaction),
}

/// A place where bytes break a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The place in the tree, and the field there.
    pub path: String,
    /// Byte at which the broken thing begins, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What the offset counts in.
    pub layer: &'static str,
    /// Name of the reason for which derivation drops it, as it is counted by `doppio replay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The rule that is broken: page and section of the specification.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// What derivation does then.
    pub effect: &'static str,
}

/// A form that was tried in vain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The form.
    pub form: Form,
    /// Where the bytes break in that form. None: they do not, but another form says more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<Break>,
}

/// Entries of a list, perhaps not all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed<T> {
    /// How many there are.
    pub count: u64,
    /// Those that are told, in order: the first ones, and those that break.
    pub items: Vec<T>,
}

/// A blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blob {
    /// Encoding version.
    pub version: u8,
    /// Bytes of data in the blob.
    pub length: u64,
    /// The form of the data; derivation reads inbox data only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// What the data holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<Content>>,
    /// The break.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<usize>,
}

/// Data items and their channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inbox {
    /// What each transaction carries.
    pub items: Listed<Item>,
    /// The channels whose frames are in the items, in the order in which they end.
    pub channels: Listed<Channel>,
}

/// What one inbox transaction, or one blob, carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Position among the items.
    pub index: u64,
    /// Bytes of the item.
    pub length: u64,
    /// First byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
    /// The commitment that stands in place of frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Commitment>,
    /// The frames.
    pub frames: Listed<Frame>,
    /// The break.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<usize>,
}

/// An alt-DA commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Commitment {
    /// Whether the derivation version byte stands in front.
    pub with_version: bool,
    /// What it is.
    pub kind: CommitmentKind,
}

/// What a commitment is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitmentKind {
    /// keccak256 of the data.
    Keccak {
        /// The hash.
        hash: B256,
    },
    /// Opaque to derivation.
    Generic {
        /// Byte of the DA layer.
        layer: u8,
        /// Name of the DA layer, if it is known.
        name: Option<&'static str>,
        /// Bytes behind the layer byte.
        length: u64,
        /// What EigenDA keeps there.
        #[serde(skip_serializing_if = "Option::is_none")]
        certificate: Option<Box<Certificate>>,
    },
}

/// An EigenDA certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Version byte.
    pub version: u8,
    /// Name of the version, if it is known.
    pub name: Option<&'static str>,
    /// Bytes behind the version byte.
    pub length: u64,
    /// Where other readers of the same bytes do otherwise: the name by which that is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_difference: Option<&'static str>,
    /// Its fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<CertificateContent>,
    /// The checks of the verdict, in order.
    pub checks: Vec<CertificateCheck>,
    /// What L1 would have to be asked, as far as that is known before its first answer.
    pub needed: Vec<L1State>,
    /// Why it does not count, whatever L1 says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<CertificateBreak>,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// Position in its item.
    pub index: u64,
    /// Byte of the item at which it begins.
    pub offset: u64,
    /// The channel.
    pub channel: ChannelId,
    /// Position in the channel, by its own word.
    pub number: u16,
    /// Bytes of data.
    pub length: u64,
    /// Whether the channel ends with it.
    pub is_last: bool,
    /// The break.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<usize>,
}

/// How a channel is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// zlib (RFC 1950).
    Zlib,
    /// brotli (RFC 7932), behind a version byte.
    Brotli,
    /// Not at all: the bytes are what a channel decompresses to.
    None,
}

/// Frames that a channel lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Ranges of frame numbers, first and last of each; the first ranges if there are too many.
    pub ranges: Vec<(u16, u16)>,
    /// The last frame is not there: how many follow is not known.
    pub end: bool,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// Position among the channels.
    pub index: u64,
    /// Its id. None: the bytes came without frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ChannelId>,
    /// Frames that are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// Frames that are not there; the channel cannot be read then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// Bytes in its frames.
    pub length: u64,
    /// How it is compressed. None: it was not opened, or cannot be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Bytes read out of it, as far as it could be read.
    pub decompressed: u64,
    /// The limit on work was reached before this channel: it was not opened.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub unread: bool,
    /// The batches in it.
    pub batches: Listed<Batch>,
    /// The break.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<usize>,
}

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// Position in the channel.
    pub index: u64,
    /// Byte of the decompressed channel at which it begins, its RLP header included.
    pub offset: u64,
    /// Bytes of the batch, without RLP header.
    pub length: u64,
    /// What it is.
    pub content: BatchContent,
    /// Bytes behind the batch's last field. Derivation does not look at them.
    #[serde(skip_serializing_if = "is_zero")]
    pub trailing: u64,
    /// The break.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<usize>,
}

/// What a batch is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchContent {
    /// One block.
    Singular(SingularBatch),
    /// A run of blocks.
    Span(SpanBatch),
    /// None that can be read.
    Broken {
        /// Type byte.
        #[serde(skip_serializing_if = "Option::is_none")]
        batch_type: Option<u8>,
        /// The fields before the break.
        fields: Vec<Field>,
    },
}

/// A field of a batch that breaks further behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name in the specification.
    pub name: String,
    /// Byte of the batch at which it begins.
    pub offset: u64,
    /// What it holds.
    pub value: String,
}

/// A batch that describes one L2 block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SingularBatch {
    /// Hash of the L2 block before it.
    pub parent_hash: B256,
    /// Height of the block's L1 origin.
    pub epoch_number: u64,
    /// Hash of the block's L1 origin.
    pub epoch_hash: B256,
    /// Time of the block, in seconds since the Unix epoch.
    pub timestamp: u64,
    /// The block's transactions, without deposits.
    pub transactions: Listed<Transaction>,
}

/// A batch that describes a run of L2 blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpanBatch {
    /// Time of the first block since L2 genesis, in seconds.
    pub rel_timestamp: u64,
    /// Time of the first block, in seconds since the Unix epoch, if the chain's genesis is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    /// Height of the last block's L1 origin.
    pub l1_origin_number: u64,
    /// Height of the first block's L1 origin.
    pub first_l1_origin_number: u64,
    /// Whether the first block's L1 origin differs from its parent's.
    pub first_origin_bit: bool,
    /// Origin bits that are set.
    pub origin_changes: u64,
    /// First 20 bytes of the hash of the first block's parent.
    pub parent_check: FixedBytes<20>,
    /// First 20 bytes of the hash of the last block's L1 origin.
    pub l1_origin_check: FixedBytes<20>,
    /// Transactions of all blocks.
    pub transaction_count: u64,
    /// Whether the chain id was known, without which most transactions cannot be put together.
    pub rebuilt: bool,
    /// The blocks.
    pub blocks: Listed<SpanBlock>,
}

/// A block of a span batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpanBlock {
    /// Position in the span.
    pub index: u64,
    /// Seconds since the first block of the span, if the block time is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_offset: Option<u64>,
    /// Time of the block, in seconds since the Unix epoch, if the chain's genesis is known too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    /// Height of the block's L1 origin.
    pub epoch_number: u64,
    /// Its origin bit: whether the origin differs from the block's before.
    pub origin_bit: bool,
    /// The block's transactions, without deposits.
    pub transactions: Listed<Transaction>,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// Position in its block.
    pub index: u64,
    /// Bytes of its encoding.
    pub length: u64,
    /// EIP-2718 type; 0 for legacy transactions. None: there are no bytes, or no such type.
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    pub tx_type: Option<u8>,
    /// Its hash. None: it is from a span batch, and the chain id is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<B256>,
    /// Its fields, if it can be decoded and its type has such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<TxFields>,
    /// What its data holds, if that is inbox data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<Content>>,
    /// The break.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<usize>,
}

/// The fields of a transaction. Amounts are in wei, or in units of its fee currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TxFields {
    /// The chain it is for. None: for any, or it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<u64>,
    /// Sender, recovered from the signature. None: it recovers none, or the chain id is not known.
    pub from: Option<Address>,
    /// Recipient. None: it creates a contract.
    pub to: Option<Address>,
    /// Nonce.
    pub nonce: u64,
    /// Value sent along.
    pub value: U256,
    /// Gas limit.
    pub gas: u64,
    /// Price of a unit of gas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gas_price: Option<U256>,
    /// Most that a unit of gas may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fee: Option<U256>,
    /// Most of it that goes to the sequencer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_priority_fee: Option<U256>,
    /// Celo: the currency that the fee is paid in, if it is not the native one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_currency: Option<Address>,
    /// Bytes of calldata or init code.
    pub data_length: u64,
    /// First four bytes of calldata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<FixedBytes<4>>,
}

// serde passes a reference
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            count: 0,
            items: Vec::new(),
        }
    }
}

impl<T> Listed<T> {
    /// Entries that are not told.
    pub const fn omitted(&self) -> u64 {
        self.count.saturating_sub(self.items.len() as u64)
    }
}

impl Explanation {
    /// The break of a node.
    pub fn broken(&self, position: Option<usize>) -> Option<&Break> {
        self.breaks.get(position?)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, f)
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}, ", self.path)?;
        }
        if let Some(offset) = self.offset {
            write!(f, "byte {} of {}: ", text::number(offset), self.layer)?;
        }
        write!(f, "{} [{}]", self.message, self.rule)
    }
}

//! What the tests share: ways down the tree, and data made by hand.

use alloy_primitives::{B256, Bytes};
use doppio_explain::{
    Batch, BatchContent, Break, Channel, Content, Explanation, Form, Inbox, Options, SpanBatch,
    Transaction, explain,
};
use doppio_protocol::{
    frame::{ChannelId, Frame, encode_frames},
    rlp,
};
use flate2::{Compression, write::ZlibEncoder};
use serde_json::Value;
use std::io::Write;

/// Explains one datum by the newest rules.
pub(crate) fn explain_one(bytes: impl Into<Bytes>) -> Explanation {
    explain(&[bytes.into()], &Options::default())
}

/// Explains one datum in a form.
pub(crate) fn explain_as(form: Form, bytes: impl Into<Bytes>) -> Explanation {
    let options = Options {
        form: Some(form),
        ..Options::default()
    };
    explain(&[bytes.into()], &options)
}

pub(crate) fn inbox(explanation: &Explanation) -> &Inbox {
    match explanation.content.as_ref() {
        Some(Content::Inbox(inbox)) => inbox,
        Some(Content::Blob(blob)) => match blob.data.as_deref() {
            Some(Content::Inbox(inbox)) => inbox,
            other => panic!("{other:?}"),
        },
        Some(Content::Transaction(transaction)) => match transaction.data.as_deref() {
            Some(Content::Inbox(inbox)) => inbox,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

pub(crate) fn channel(explanation: &Explanation) -> &Channel {
    match explanation.content.as_ref() {
        Some(Content::Channel(channel)) => channel,
        _ => match inbox(explanation).channels.items.as_slice() {
            [channel] => channel,
            other => panic!("{} channels", other.len()),
        },
    }
}

/// The batches of all channels, in the order of the tree.
pub(crate) fn batches(explanation: &Explanation) -> Vec<&Batch> {
    match explanation.content.as_ref() {
        Some(Content::Batch(batch)) => vec![batch],
        Some(Content::Channel(channel)) => channel.batches.items.iter().collect(),
        _ => inbox(explanation)
            .channels
            .items
            .iter()
            .flat_map(|channel| &channel.batches.items)
            .collect(),
    }
}

pub(crate) fn span(batch: &Batch) -> &SpanBatch {
    match &batch.content {
        BatchContent::Span(span) => span,
        other => panic!("{other:?}"),
    }
}

/// A block as a batch tells it: time if known, number of its L1 origin, transactions.
pub(crate) type Block<'a> = (Option<u64>, u64, &'a [Transaction]);

/// The blocks of a batch.
pub(crate) fn blocks(batch: &Batch) -> Vec<Block<'_>> {
    match &batch.content {
        BatchContent::Singular(block) => vec![(
            Some(block.timestamp),
            block.epoch_number,
            &block.transactions.items,
        )],
        BatchContent::Span(span) => span
            .blocks
            .items
            .iter()
            .map(|block| {
                let transactions = block.transactions.items.as_slice();
                (block.timestamp, block.epoch_number, transactions)
            })
            .collect(),
        BatchContent::Broken { .. } => Vec::new(),
    }
}

pub(crate) fn hashes(transactions: &[Transaction]) -> Vec<B256> {
    transactions
        .iter()
        .map(|transaction| transaction.hash.unwrap())
        .collect()
}

/// The only break of an explanation.
pub(crate) fn only_break(explanation: &Explanation) -> &Break {
    assert_eq!(explanation.break_count, 1, "{explanation}");
    assert!(!explanation.sound);
    &explanation.breaks[0]
}

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    alloy_primitives::hex::decode(value.as_str().unwrap()).unwrap()
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

pub(crate) fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Batches as a channel decompresses to them.
pub(crate) fn strings(batches: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for batch in batches {
        rlp::put_string(batch, &mut out);
    }
    out
}

pub(crate) fn frame(id: u8, number: u16, data: &[u8], is_last: bool) -> Frame {
    Frame {
        id: ChannelId::repeat_byte(id),
        number,
        data: Bytes::copy_from_slice(data),
        is_last,
    }
}

pub(crate) fn item(frames: &[Frame]) -> Bytes {
    encode_frames(frames)
}

/// An item with one whole channel.
pub(crate) fn item_of(channel: &[u8]) -> Bytes {
    item(&[frame(7, 0, channel, true)])
}

/// An item with one whole channel of these batches.
pub(crate) fn item_of_batches(batches: &[Vec<u8>]) -> Bytes {
    item_of(&zlib(&strings(batches)))
}

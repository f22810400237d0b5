//! The channels of a recorded chain, put together without either pipeline.
//!
//! The benches decompress them alone. So this is a plain reading of the rules that decide which
//! bytes are decompressed at all; what a recording's inbox transactions are worth, it takes from
//! Doppio's verdicts.

use crate::ours::{Chain, Derivation};
use alloy_primitives::Bytes;
use doppio_compression::Limits;
use doppio_protocol::{
    L1BlockRef,
    blob::decode_blob,
    commitment::Commitment,
    config::Fork,
    frame::{Frame, parse_frames},
    l1::InboxTransaction,
};
use std::collections::{BTreeMap, HashSet};

/// The bytes of a complete channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// The L1 block that completed it.
    pub l1: L1BlockRef,
    /// Compressed batches.
    pub data: Vec<u8>,
    /// What the protocol allows at its time.
    pub limits: Limits,
    /// Encoded bytes of the largest frame.
    pub frame_size: usize,
}

/// A channel that is not complete.
struct Open {
    id: [u8; 16],
    since: u64,
    frames: BTreeMap<u16, Frame>,
    last: Option<u16>,
}

impl Open {
    fn is_complete(&self) -> bool {
        self.last
            .is_some_and(|last| self.frames.len() == usize::from(last) + 1)
    }
}

/// The complete channels of a chain, in the order in which they are completed. `derivation` is of
/// the whole chain.
pub fn channels(chain: &Chain, derivation: &Derivation) -> Vec<Channel> {
    let accepted: HashSet<_> = derivation.accepted.iter().copied().collect();
    let config = &chain.recorded.chain;
    let mut open: Vec<Open> = Vec::new();
    let mut complete = Vec::new();
    for block in &chain.l1 {
        let l1 = block.header.block_ref();
        let holocene = config.active(Fork::Holocene, l1.timestamp);
        let timeout = config.channel_timeout(l1.timestamp);
        for inbox in &block.inbox {
            if !accepted.contains(&(l1.number, inbox.index)) {
                continue;
            }
            for item in data_items(chain, inbox) {
                let Ok(frames) = parse_frames(&item, config.profile.max_frame_len) else {
                    continue;
                };
                for frame in frames {
                    open.retain(|channel| l1.number <= channel.since + timeout);
                    add(&mut open, frame, l1.number, holocene);
                    let Some(ready) = open.iter().position(Open::is_complete) else {
                        continue;
                    };
                    let frames = open.remove(ready).frames;
                    complete.push(Channel {
                        l1,
                        data: frames
                            .values()
                            .flat_map(|frame| frame.data.to_vec())
                            .collect(),
                        limits: Limits {
                            max_rlp_bytes: config.max_rlp_bytes_per_channel(l1.timestamp),
                            brotli: config.active(Fork::Fjord, l1.timestamp),
                        },
                        frame_size: frames.values().map(Frame::encoded_len).max().unwrap_or(0),
                    });
                }
            }
        }
    }
    complete
}

/// The data items of an inbox transaction that counts.
pub fn data_items(chain: &Chain, inbox: &InboxTransaction) -> Vec<Bytes> {
    let transaction = &inbox.transaction;
    let hashes = transaction.blob_versioned_hashes();
    if !hashes.is_empty() {
        return hashes
            .iter()
            .filter_map(|hash| chain.recorded.blob(hash))
            .filter_map(|blob| decode_blob(&blob).ok())
            .map(Bytes::from)
            .collect();
    }
    let input = transaction.input();
    if chain.recorded.chain.rollup.alt_da.is_none() || input.first() != Some(&1) {
        return vec![input];
    }
    let payload = Commitment::decode(&input.slice(1..))
        .ok()
        .and_then(|commitment| chain.recorded.payload(&commitment.encode()));
    payload.cloned().into_iter().collect()
}

/// Before Holocene channels are open side by side and frames come in any order. From Holocene on
/// there is one open channel, which takes its frames in order, and the first frame of another one
/// replaces it.
fn add(open: &mut Vec<Open>, frame: Frame, l1: u64, holocene: bool) {
    let id = frame.id.0;
    if holocene && frame.number == 0 {
        open.clear();
    }
    let index = open.iter().position(|channel| channel.id == id);
    if index.is_none() && holocene && frame.number > 0 {
        return;
    }
    let index = index.unwrap_or_else(|| {
        open.push(Open {
            id,
            since: l1,
            frames: BTreeMap::new(),
            last: None,
        });
        open.len() - 1
    });
    let channel = &mut open[index];
    let in_order = usize::from(frame.number) == channel.frames.len();
    if (holocene && !in_order) || channel.frames.contains_key(&frame.number) {
        return;
    }
    if frame.is_last {
        channel.last = Some(frame.number);
    }
    channel.frames.insert(frame.number, frame);
}

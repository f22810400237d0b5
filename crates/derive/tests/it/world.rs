//! What the tests of channels and batches share: channels of any content, and L1 chains whose
//! times are those of the reference's tests.

use crate::support::*;
use alloy_primitives::Bytes;
use doppio_derive::DropReason;
use doppio_protocol::{
    batch::SingularBatch,
    config::{ChainConfig, ChainProfile, Fork, Overrides, RollupConfig, RuleSet},
    frame::{Frame, encode_frames},
    rlp,
};
use std::{io::Write, sync::Arc};

/// Before and after the fork that makes batches strict.
pub(crate) const FORKS: [Fork; 2] = [Fork::Granite, Fork::Karst];

/// Makes a batch another one.
pub(crate) type Edit = fn(&mut SingularBatch);

/// Strings as a channel holds them before compression.
pub(crate) fn plain(strings: &[Vec<u8>]) -> Vec<u8> {
    let mut plain = Vec::new();
    for string in strings {
        rlp::put_string(string, &mut plain);
    }
    plain
}

pub(crate) fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A brotli channel that stores its content uncompressed.
pub(crate) fn brotli(plain: &[u8]) -> Vec<u8> {
    let mut out = vec![1];
    for (index, chunk) in plain.chunks(1 << 16).enumerate() {
        let length = u32::try_from(chunk.len() - 1).unwrap();
        // ISLAST 0, four nibbles of length, ISUNCOMPRESSED 1; before the first the window size
        let header = if index == 0 {
            length << 4 | 1 << 20
        } else {
            length << 3 | 1 << 19
        };
        out.extend_from_slice(&header.to_le_bytes()[..3]);
        out.extend_from_slice(chunk);
    }
    // ISLAST and ISLASTEMPTY
    out.push(3);
    out
}

/// The data item of a channel in as many frames as it needs.
pub(crate) fn item_of(letter: u8, channel: impl Into<Bytes>) -> Bytes {
    let channel = channel.into();
    let count = channel.len().div_ceil(900_000).max(1);
    if channel.is_empty() {
        return encode_frames([&Frame {
            id: id(letter),
            is_last: true,
            ..Frame::default()
        }]);
    }
    encode_frames(&frames(letter, &channel, count))
}

/// An L1 where three blocks have passed, and the next blocks of L2.
pub(crate) struct World {
    pub(crate) chain: Arc<ChainConfig>,
    pub(crate) l1: L1,
    pub(crate) batches: Vec<SingularBatch>,
}

impl World {
    pub(crate) fn new(chain: Arc<ChainConfig>) -> Self {
        let mut l1 = L1::new(&chain);
        l1.add_empty(3);
        let mut sequencer = Sequencer::new(&l1);
        let batches = (0..4).map(|n| sequencer.block([l2_tx(n)])).collect();
        Self { chain, l1, batches }
    }

    pub(crate) fn at(fork: Fork) -> Self {
        Self::new(chain(rollup(fork)))
    }

    /// Encoded batches of the first blocks.
    pub(crate) fn strings(&self, count: usize) -> Vec<Vec<u8>> {
        self.batches[..count]
            .iter()
            .map(SingularBatch::encode)
            .collect()
    }

    /// A span of some of the blocks.
    pub(crate) fn span(&self, blocks: std::ops::Range<usize>) -> Vec<u8> {
        span(&self.chain, 100, &self.batches[blocks])
    }

    /// What a node makes of channels that are posted in one L1 block.
    pub(crate) fn read<T: Into<Bytes>>(&self, channels: impl IntoIterator<Item = T>) -> Node {
        let mut l1 = self.l1.clone();
        l1.add(
            (1..)
                .zip(channels)
                .map(|(letter, channel)| L1Tx::inbox(item_of(letter, channel))),
        );
        let mut node = Node::new(&l1);
        node.run_to_end();
        node
    }

    /// How many blocks are derived from one channel, and what is dropped.
    pub(crate) fn outcome(&self, channel: impl Into<Bytes>) -> (u64, Vec<DropReason>) {
        let node = self.read([channel.into()]);
        (node.safe_number(), node.reasons())
    }
}

/// A chain that follows the verdicts of Celo's lineage.
pub(crate) fn celo_rules(rollup: RollupConfig) -> Arc<ChainConfig> {
    let profile = ChainProfile {
        rules: RuleSet::Celo,
        ..ChainProfile::upstream()
    };
    let overrides = Overrides {
        profile: Some(profile),
        ..Overrides::default()
    };
    chain_with(rollup, overrides)
}

/// An L1 without transactions, whose blocks come so many seconds after genesis.
pub(crate) fn timeline(chain: &Arc<ChainConfig>, seconds: &[u64]) -> L1 {
    let mut l1 = L1::new(chain);
    for seconds in seconds {
        let header = doppio_protocol::l1::L1Header {
            timestamp: GENESIS_TIME + seconds,
            ..l1.next_header()
        };
        l1.add_with(header, []);
    }
    l1
}

/// Puts transactions into a block of an L1; its hash stays.
pub(crate) fn put(l1: &mut L1, index: usize, transactions: impl IntoIterator<Item = L1Tx>) {
    let header = l1.blocks[index].header;
    l1.add_with(header, transactions);
    l1.blocks[index] = l1.blocks.pop().unwrap();
}

/// Each string in a channel and a transaction of its own.
pub(crate) fn channels_of(strings: &[Vec<u8>]) -> Vec<L1Tx> {
    (1..)
        .zip(strings)
        .map(|(letter, string)| L1Tx::inbox(item(letter, std::slice::from_ref(string))))
        .collect()
}

/// Batches as strings: singular, or spans of so many blocks. The span's own word on whether it
/// begins an epoch is not looked at by anyone.
pub(crate) fn strings_of(
    chain: &ChainConfig,
    form: BatchForm,
    batches: &[SingularBatch],
    mut counts: &[usize],
) -> Vec<Vec<u8>> {
    match form {
        BatchForm::Singular => batches.iter().map(SingularBatch::encode).collect(),
        BatchForm::Span => {
            let mut rest = batches;
            let mut strings = Vec::new();
            while let Some((count, more)) = counts.split_first() {
                let (span_blocks, others) = rest.split_at(*count);
                strings.push(span(chain, 100, span_blocks));
                (counts, rest) = (more, others);
            }
            assert!(rest.is_empty());
            strings
        }
    }
}

/// What a node derives from an L1 that it reads to the end.
#[track_caller]
pub(crate) fn derive(l1: &L1) -> Node {
    let mut node = Node::new(l1);
    node.run_to_end();
    node
}

/// For each derived block: seconds after genesis, index of its L1 origin, index of the L1 block
/// that it was derived from.
pub(crate) fn times(node: &Node) -> Vec<(u64, u64, u64)> {
    node.derived
        .iter()
        .map(|derived| {
            (
                derived.attributes.timestamp - GENESIS_TIME,
                derived.l1_origin.number - 100,
                derived.derived_from.number - 100,
            )
        })
        .collect()
}

/// Puts items into the order that a number names; different numbers name different orders.
pub(crate) fn shuffle<T>(items: &mut [T], mut order: usize) {
    for length in (2..=items.len()).rev() {
        items.swap(length - 1, order % length);
        order /= length;
    }
}

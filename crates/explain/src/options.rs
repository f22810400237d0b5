//! What is known beside the bytes: the rules that hold, the chain, and how much to tell.

use crate::Form;
use doppio_protocol::config::{
    ChainProfile, CommitmentType, Fork, ForkTimes, MAX_RLP_BYTES_PER_CHANNEL_BEDROCK,
    MAX_RLP_BYTES_PER_CHANNEL_FJORD, RollupConfig,
};

/// What [`explain`](crate::explain) is told beside the bytes. The default is the newest rules and
/// an unknown chain.
#[derive(Clone, Debug)]
pub struct Options {
    /// The form that the bytes have. None: it is found out.
    pub form: Option<Form>,
    /// Which rules hold.
    pub rules: Rules,
    /// What is known of the chain.
    pub chain: Chain,
    /// How much of long lists is told.
    pub detail: Detail,
    /// Bytes to decompress in all before further channels are left unread. A channel that was
    /// begun is read to its own limit.
    pub max_decompressed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            form: None,
            rules: Rules::newest(&ChainProfile::upstream()),
            chain: Chain::default(),
            detail: Detail::FULL,
            max_decompressed: 1_000_000_000,
        }
    }
}

/// The rules that hold at some L1 block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Largest data of one frame, in bytes.
    // spec: opstack 2.4
    pub max_frame_len: u32,
    /// Decompressed bytes read from one channel at most.
    // spec: opstack 2.8 |1
    pub max_rlp_bytes: u64,
    /// Fjord: channels may be compressed with brotli.
    pub brotli: bool,
    /// Delta: span batches count.
    pub span_batches: bool,
    /// Holocene: one channel at a time, its frames in order.
    pub in_order: bool,
    /// Transactions of type 0x7d are known in span batches.
    // spec: opstack-2026-09 2 *10
    pub post_exec: bool,
    /// Transactions of type 0x7b are known in span batches.
    pub celo_dynamic_fee_v2: bool,
}

impl Rules {
    /// The rules of the newest fork, on a chain of this profile.
    pub fn newest(profile: &ChainProfile) -> Self {
        Self {
            max_frame_len: profile.max_frame_len,
            max_rlp_bytes: MAX_RLP_BYTES_PER_CHANNEL_FJORD,
            brotli: true,
            span_batches: true,
            in_order: true,
            post_exec: profile.rules.rules().post_exec_known,
            celo_dynamic_fee_v2: profile.celo_dynamic_fee_v2(),
        }
    }

    /// The rules at an L1 block of `l1_time`: these are rules that ask with the time of L1 (opstack
    /// 0.1).
    pub fn at(config: &RollupConfig, profile: &ChainProfile, l1_time: u64) -> Self {
        let fjord = config.active(Fork::Fjord, l1_time);
        Self {
            max_rlp_bytes: if fjord {
                MAX_RLP_BYTES_PER_CHANNEL_FJORD
            } else {
                MAX_RLP_BYTES_PER_CHANNEL_BEDROCK
            },
            brotli: fjord,
            span_batches: config.active(Fork::Delta, l1_time),
            in_order: config.active(Fork::Holocene, l1_time),
            ..Self::newest(profile)
        }
    }
}

/// What is known of the chain. A span batch leaves these things out; what is not known is told
/// relative to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// L2 chain id, which signed transactions are for.
    pub chain_id: Option<u64>,
    /// Time of the L2 genesis block, in seconds since the Unix epoch.
    pub genesis_l2_time: Option<u64>,
    /// Seconds between L2 blocks.
    pub block_time: Option<u64>,
    /// When forks activate. None: they are all active, but for Lagoon.
    pub forks: Option<ForkTimes>,
    /// Whether commitments stand for data.
    pub alt_da: AltDa,
}

/// Whether a chain keeps its data elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AltDa {
    /// Not known: commitments of either type are taken for such.
    #[default]
    Unknown,
    /// It does not: a commitment is dropped.
    No,
    /// It does, with commitments of this type.
    Yes(CommitmentType),
}

impl Chain {
    /// What rollup.json says.
    pub fn of(config: &RollupConfig) -> Self {
        Self {
            chain_id: Some(config.l2_chain_id),
            genesis_l2_time: Some(config.genesis.l2_time),
            block_time: Some(config.block_time),
            forks: Some(config.forks),
            alt_da: config
                .alt_da
                .map_or(AltDa::No, |alt_da| AltDa::Yes(alt_da.da_commitment_type)),
        }
    }

    /// Whether `fork` is active in an L2 block of this time.
    pub(crate) fn active(&self, fork: Fork, time: Option<u64>) -> bool {
        match (self.forks, time) {
            (Some(forks), Some(time)) => forks.active(fork, time),
            _ => fork < Fork::Lagoon,
        }
    }
}

/// How many entries of each list are told. All are read and counted, and those that break are
/// told too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Data items of the input.
    pub items: usize,
    /// Frames of each item.
    pub frames: usize,
    /// Channels.
    pub channels: usize,
    /// Batches of each channel.
    pub batches: usize,
    /// Blocks of each span batch.
    pub blocks: usize,
    /// Transactions of each block.
    pub transactions: usize,
    /// Entries of all lists together, and breaks.
    pub total: usize,
}

impl Detail {
    /// Everything, up to a number that no genuine data reaches.
    pub const FULL: Self = Self {
        items: usize::MAX,
        frames: usize::MAX,
        channels: usize::MAX,
        batches: usize::MAX,
        blocks: usize::MAX,
        transactions: usize::MAX,
        total: 200_000,
    };

    /// What fits a few screens.
    pub const SHORT: Self = Self {
        items: 16,
        frames: 16,
        channels: 8,
        batches: 8,
        blocks: 6,
        transactions: 3,
        total: 2_000,
    };
}

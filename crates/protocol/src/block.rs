//! Names of blocks: what one layer says of a block of the other.

use alloy_primitives::B256;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Hash and number of a block, of either layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlockId {
    /// Hash of the block's header.
    pub hash: B256,
    /// Height of the block.
    pub number: u64,
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.hash, self.number)
    }
}

/// What derivation needs to know of an L1 block's place in its chain.
///
/// The JSON form is the one of `optimism_syncStatus`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L1BlockRef {
    /// Hash of the block's header.
    pub hash: B256,
    /// Height of the block.
    pub number: u64,
    /// Hash of the block before it.
    pub parent_hash: B256,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
}

impl L1BlockRef {
    /// Hash and number alone.
    pub const fn id(&self) -> BlockId {
        BlockId {
            hash: self.hash,
            number: self.number,
        }
    }
}

impl fmt::Display for L1BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(f)
    }
}

/// What derivation needs to know of an L2 block: its place in the L2 chain and the L1 block it
/// takes its L1 information from.
///
/// The JSON form is the one of `optimism_syncStatus`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L2BlockRef {
    /// Hash of the block's header.
    pub hash: B256,
    /// Height of the block.
    pub number: u64,
    /// Hash of the block before it.
    pub parent_hash: B256,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    /// The L1 block whose information the block's first transaction carries (its *epoch*).
    #[serde(rename = "l1origin")]
    pub l1_origin: BlockId,
    /// Distance, in L2 blocks, to the first L2 block of the same epoch.
    pub sequence_number: u64,
}

impl L2BlockRef {
    /// Hash and number alone.
    pub const fn id(&self) -> BlockId {
        BlockId {
            hash: self.hash,
            number: self.number,
        }
    }
}

impl fmt::Display for L2BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(f)
    }
}

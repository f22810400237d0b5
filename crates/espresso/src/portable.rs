//! The portable proof: one file that shows what Espresso's confirmation of an L2 block is worth.
//!
//! It makes up to five claims, each of which holds, fails, or is not carried:
//!
//! | claim | by what |
//! |---|---|
//! | (a) the HotShot block is final | a certificate of the epoch's stake table, or the light client's root on L1 |
//! | (b) the batch is in it | a namespace proof |
//! | (c) its signer may sign | the batchers' history on L1, by storage proof |
//! | (d) the block builds on the anchor | L2 headers, each the parent of the next |
//! | (e) it is the first of its number | the namespace of every HotShot block since the anchor |
//!
//! What it does not claim: that the block was executed rightly, or that its L1 origin is canonical.
//! The anchor is only named; whether to believe it is the reader's business.

mod batcher;
mod trust;
mod verify;

pub use batcher::{BatcherError, BatcherProof, HISTORY_SLOT, checkpoint_slot};
pub use trust::TrustError;
pub use verify::{Claim, Failure, Outcome, Report, Trust, verify};

use crate::{
    finality::LeafProof, header::Header, number::base64_bytes, streamer::Place, vid::NamespaceProof,
};
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the file calls itself.
pub const FORMAT: &str = "doppio-portable-proof-1";

/// Most bytes of a file that is read.
pub const MAX_BYTES: usize = 512 << 20;

/// Most HotShot blocks of a file.
pub const MAX_HOTSHOT_BLOCKS: usize = 100_000;

/// Most L2 headers of a file.
pub const MAX_L2_HEADERS: usize = 100_000;

/// The L2 block to which the proof links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Height of the L2 block.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// The height of HotShot from which on all batches after the L2 block stand.
    pub hotshot_height: u64,
}

/// Where the batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPlace {
    /// Height of the HotShot block.
    pub height: u64,
    /// Number of the transaction in the namespace.
    pub index: usize,
}

impl From<BatchPlace> for Place {
    fn from(BatchPlace { height, index }: BatchPlace) -> Self {
        Self { height, index }
    }
}

/// Why HotShot's blocks are final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinalBlock {
    /// By certificates, for the first leaf's block.
    Certificate(Box<LeafProof>),
    /// By the root that the light client's contract on L1 keeps, of all blocks below this height.
    LightClient {
        /// The number of blocks.
        height: u64,
    },
}

/// A HotShot block, and what it holds of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotShotEvidence {
    /// The header.
    pub header: Header,
    /// The way to the root that the final block, or the light client, has of all blocks: two
    /// siblings on each of 32 levels. None for the final block itself.
    pub path: Option<Vec<[B256; 2]>>,
    /// The namespace's bytes; none if it is not in the block.
    pub namespace: Option<NamespaceProof>,
}

/// An L2 header, in RLP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawHeader(#[serde(with = "base64_bytes")] pub Bytes);

/// A portable proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortableProof {
    /// [`FORMAT`].
    pub format: String,
    /// The rollup's namespace.
    pub namespace: u64,
    /// Hash of the L2 block.
    pub block: B256,
    /// Where its batch stands.
    pub place: BatchPlace,
    /// The L2 block to which it links.
    pub anchor: Anchor,
    /// The L2 headers from the one after the anchor to the block's own. Empty if the link is not
    /// carried.
    pub l2_headers: Vec<RawHeader>,
    /// Why HotShot's blocks are final.
    pub final_block: FinalBlock,
    /// HotShot's blocks: the one with the batch, or, if the proof is complete, all from the anchor's
    /// height on.
    pub hotshot: Vec<HotShotEvidence>,
    /// Whether they are all since the anchor.
    pub complete: bool,
    /// Who may sign; none with contracts of generation 2, which keep no history.
    pub batcher: Option<BatcherProof>,
}

/// Why bytes are no portable proof.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// More than are read.
    #[error("a proof has at most {MAX_BYTES} bytes, not {0}")]
    Length(usize),
    /// Not its JSON.
    #[error("the file is not a portable proof: {0}")]
    Json(String),
    /// Another format.
    #[error("the file is not in the format {FORMAT}")]
    Format,
    /// More HotShot blocks than are read, or none.
    #[error("a proof has 1 to {MAX_HOTSHOT_BLOCKS} HotShot blocks, not {0}")]
    HotShot(usize),
    /// More L2 headers than are read.
    #[error("a proof has at most {MAX_L2_HEADERS} L2 headers, not {0}")]
    L2Headers(usize),
}

impl PortableProof {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it is not one.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        #[derive(Deserialize)]
        struct Name {
            format: String,
        }
        if bytes.len() > MAX_BYTES {
            return Err(FormatError::Length(bytes.len()));
        }
        let json = |error: serde_json::Error| FormatError::Json(error.to_string());
        let name: Name = serde_json::from_slice(bytes).map_err(json)?;
        if name.format != FORMAT {
            return Err(FormatError::Format);
        }
        let proof: Self = serde_json::from_slice(bytes).map_err(json)?;
        let (blocks, headers) = (proof.hotshot.len(), proof.l2_headers.len());
        if blocks == 0 || blocks > MAX_HOTSHOT_BLOCKS {
            return Err(FormatError::HotShot(blocks));
        }
        if headers > MAX_L2_HEADERS {
            return Err(FormatError::L2Headers(headers));
        }
        Ok(proof)
    }

    /// Writes a file; the same proof gives the same bytes.
    ///
    /// # Errors
    ///
    /// Never for a proof that was read.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        serde_json::to_vec(self).map_err(|error| FormatError::Json(error.to_string()))
    }
}

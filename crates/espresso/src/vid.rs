//! How a payload is committed to, and how one namespace of it is proven.
//!
//! Each namespace is encoded into shares for the validators, the shares are the leaves of a tree, and
//! the roots of those trees are the leaves of the payload's. A namespace is proven by its bytes: they
//! are encoded again, and their root must lead to the payload's.
//!
//! Neither its length nor the number of shares is in the commitment before 0.7, and both decide what
//! bytes a root stands for: the same root has several payloads. So the length comes from the header's
//! table, and the shares from the stake table, never from whoever answers.
// spec: espresso 3.6

mod avidm;
mod avidm_gf2;
mod proof;
mod tree;

pub use proof::{
    Lie, NamespaceAnswer, NamespaceProof, NamespaceProofError, ProofBytes, VidCommon, VidCommonV1,
    VidCommonV2, check_answer, prove_namespace, verify_namespace,
};

use crate::{namespace::NsTable, tagged::PayloadCommitment};
use thiserror::Error;
use tree::Tree;

/// Most shares of a namespace that are computed: no network has as many weights.
pub const MAX_WEIGHTS: u32 = 1 << 14;

/// Into how many shares a namespace is encoded, and how many of them are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VidParams {
    total_weights: u32,
    recovery_threshold: u32,
}

/// Why numbers of shares are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{recovery_threshold} of {total_weights} shares: not 1 or more of at most {MAX_WEIGHTS}")]
pub struct ParamsError {
    total_weights: u32,
    recovery_threshold: u32,
}

impl VidParams {
    /// What the genesis block is encoded with.
    pub const GENESIS: Self = Self {
        total_weights: 1,
        recovery_threshold: 1,
    };

    /// This many shares, of which so many are enough.
    ///
    /// # Errors
    ///
    /// If none or more than all are enough, or there are more than [`MAX_WEIGHTS`].
    pub const fn new(total_weights: u32, recovery_threshold: u32) -> Result<Self, ParamsError> {
        if recovery_threshold == 0
            || recovery_threshold > total_weights
            || total_weights > MAX_WEIGHTS
        {
            return Err(ParamsError {
                total_weights,
                recovery_threshold,
            });
        }
        Ok(Self {
            total_weights,
            recovery_threshold,
        })
    }

    /// This many shares, of which a third is enough.
    ///
    /// # Errors
    ///
    /// If there is none, or there are more than [`MAX_WEIGHTS`].
    pub const fn of_weights(total_weights: u32) -> Result<Self, ParamsError> {
        Self::new(total_weights, total_weights.div_ceil(3))
    }

    /// Number of shares.
    pub const fn total_weights(&self) -> u32 {
        self.total_weights
    }

    /// Number of shares that are enough.
    pub const fn recovery_threshold(&self) -> u32 {
        self.recovery_threshold
    }

    const fn n(&self) -> usize {
        self.total_weights as usize
    }

    const fn k(&self) -> usize {
        self.recovery_threshold as usize
    }
}

/// How the payload of a header's version is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// 0.3 to 0.5.
    AvidM,
    /// 0.6: the tree has the namespaces' roots alone.
    AvidmGf2,
    /// From 0.7 on: a last leaf commits to the numbers of shares and the lengths.
    AvidmGf2Full,
}

impl Scheme {
    /// That of a minor version; none for those of which no namespace can be proven here.
    pub const fn of(minor: u16) -> Option<Self> {
        match minor {
            3..=5 => Some(Self::AvidM),
            6 => Some(Self::AvidmGf2),
            7 => Some(Self::AvidmGf2Full),
            _ => None,
        }
    }

    const fn tree(self) -> &'static Tree {
        match self {
            Self::AvidM => &tree::KECCAK,
            Self::AvidmGf2 | Self::AvidmGf2Full => &tree::BLAKE3,
        }
    }

    /// The root of one namespace.
    fn root(self, params: VidParams, bytes: &[u8]) -> Option<[u8; 32]> {
        match self {
            Self::AvidM => avidm::root(params, bytes),
            Self::AvidmGf2 | Self::AvidmGf2Full => avidm_gf2::root(params, bytes),
        }
    }

    /// The last leaf of 0.7.
    fn last_leaf(self, params: VidParams, lengths: &[usize]) -> Option<[u8; 32]> {
        (self == Self::AvidmGf2Full).then(|| avidm_gf2::common(params, lengths))
    }

    const fn commitment(self, root: [u8; 32]) -> PayloadCommitment {
        match self {
            Self::AvidM => PayloadCommitment::AvidM(root),
            Self::AvidmGf2 | Self::AvidmGf2Full => PayloadCommitment::AvidmGf2(root),
        }
    }
}

/// The lengths of a payload's namespaces, as they are encoded: one of zero if there is none.
fn lengths(table: &NsTable) -> Option<Vec<usize>> {
    let entries = table.entries().ok()?;
    let mut lengths: Vec<usize> = entries.iter().map(|entry| entry.length()).collect();
    if lengths.is_empty() {
        lengths.push(0);
    }
    Some(lengths)
}

/// The roots of a payload's namespaces; none if the table is not that of the payload.
fn roots(
    scheme: Scheme,
    params: VidParams,
    table: &NsTable,
    payload: &[u8],
) -> Option<Vec<[u8; 32]>> {
    let lengths = lengths(table)?;
    if lengths.iter().sum::<usize>() != payload.len() {
        return None;
    }
    let mut rest = payload;
    let mut roots = Vec::with_capacity(lengths.len() + 1);
    for length in &lengths {
        let (namespace, after) = rest.split_at_checked(*length)?;
        roots.push(scheme.root(params, namespace)?);
        rest = after;
    }
    roots.extend(scheme.last_leaf(params, &lengths));
    Some(roots)
}

/// The commitment to a payload; none if the table is not that of the payload.
pub fn commit(
    scheme: Scheme,
    params: VidParams,
    table: &NsTable,
    payload: &[u8],
) -> Option<PayloadCommitment> {
    let roots = roots(scheme, params, table, payload)?;
    Some(scheme.commitment(scheme.tree().root(&roots)))
}

//! Proofs of a namespace, of its absence, and what a service's answer must satisfy.
// spec: espresso 3.6

use super::{Scheme, VidParams, lengths, roots};
use crate::{
    header::{Header, Version},
    namespace::{
        NamespaceError, NsEntry, NsTable, Transaction, read_transactions, table_namespace,
    },
    number::base64_bytes,
    tagged::{MerkleProofBytes, PayloadCommitment},
};
use alloy_primitives::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// The shares as a service names them. They are compared with what the stake table says, and never
/// believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VidCommon {
    /// Of ADVZ.
    V0(serde_json::Value),
    /// Of AvidM.
    V1(VidCommonV1),
    /// Of AvidmGf2.
    V2(VidCommonV2),
}

/// Numbers of shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VidCommonV1 {
    /// All.
    pub total_weights: u32,
    /// Enough.
    pub recovery_threshold: u32,
}

/// Numbers of shares, and what there is to commit to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VidCommonV2 {
    /// Numbers of shares.
    pub param: VidCommonV1,
    /// The namespaces' roots.
    pub ns_commits: Vec<serde_json::Value>,
    /// Their lengths.
    pub ns_lens: Vec<u64>,
}

/// The bytes of a namespace and the way from its root to the payload's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofBytes {
    /// The namespace's place in the table.
    pub ns_index: u64,
    /// Its bytes.
    #[serde(with = "payload_bytes")]
    pub ns_payload: Bytes,
    /// The way.
    pub ns_proof: MerkleProofBytes,
}

/// Bytes as base64, or, as in 2025, a list of numbers.
mod payload_bytes {
    use super::*;
    pub(super) use base64_bytes::serialize;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Base64(#[serde(with = "base64_bytes")] Bytes),
        List(Vec<u8>),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        Ok(match Form::deserialize(from)? {
            Form::Base64(bytes) => bytes,
            Form::List(bytes) => bytes.into(),
        })
    }
}

/// The proof of a namespace, as services give it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NamespaceProof {
    /// Of ADVZ.
    V0(serde_json::Value),
    /// Of AvidM.
    V1(ProofBytes),
    /// That AvidM's shares were wrong.
    V1IncorrectEncoding(serde_json::Value),
    /// Of AvidmGf2.
    V2(ProofBytes),
    /// That AvidmGf2's shares were wrong.
    V2IncorrectEncoding(serde_json::Value),
}

/// Why a proof shows nothing of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NamespaceProofError {
    /// Payloads of this version cannot be proven here.
    #[error("namespaces of blocks of version {0} cannot be proven: the version is not supported")]
    UnsupportedVersion(Version),
    /// Proofs that shares were encoded wrongly are not looked at.
    #[error("a proof that shares were encoded wrongly is not supported")]
    IncorrectEncoding,
    /// The proof is of another encoding than the header's version has.
    #[error("the proof is not one for blocks of version {0}")]
    OtherScheme(Version),
    /// The header's commitment is of another encoding than its version has.
    #[error("the header's payload commitment is not one of version {0}")]
    OtherCommitment(Version),
    /// The chain can have no namespace, or the header's table is none.
    #[error(transparent)]
    Table(#[from] NamespaceError),
    /// The namespace is in the block, and its bytes are missing.
    #[error("the block has {length} bytes of the namespace, and the proof is missing")]
    Missing {
        /// Bytes of the namespace.
        length: usize,
    },
    /// The namespace is not in the block.
    #[error("the block has no such namespace, and there is a proof of it")]
    NotInBlock,
    /// The proof is of another place in the table.
    #[error("the namespace is number {expected} of the block, and the proof is of number {found}")]
    Index {
        /// From the header's table.
        expected: u64,
        /// From the proof.
        found: u64,
    },
    /// The proof has more or fewer bytes than the table says.
    #[error("the namespace has {expected} bytes, and the proof has {found}")]
    Length {
        /// From the header's table.
        expected: usize,
        /// From the proof.
        found: usize,
    },
    /// The way is not as long as the tree is high.
    #[error("the proof's path is not one of a tree of {0} leaves")]
    Path(usize),
    /// No code has such numbers of shares.
    #[error("no code has {0:?}")]
    Params(VidParams),
    /// The bytes are not what the header commits to.
    #[error("the namespace's bytes are not those that the header commits to")]
    Commitment,
}

fn find(table: &NsTable, namespace: u64) -> Result<Option<(usize, NsEntry)>, NamespaceError> {
    let namespace = table_namespace(namespace)?;
    let entries = table.entries()?;
    Ok(entries
        .into_iter()
        .enumerate()
        .find(|(_, entry)| entry.namespace == namespace))
}

/// Reads a path whose length is known; none if it is another.
fn read_path(bytes: &[u8], levels: usize, siblings: usize) -> Option<Vec<Vec<[u8; 32]>>> {
    fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
        let (number, rest) = bytes.split_first_chunk::<8>()?;
        Some((u64::from_le_bytes(*number), rest))
    }
    let (count, mut rest) = number(bytes)?;
    if count != levels as u64 {
        return None;
    }
    let mut path = Vec::with_capacity(levels);
    for _ in 0..levels {
        let (count, after) = number(rest)?;
        if count != siblings as u64 {
            return None;
        }
        let (level, after) = after.split_at_checked(32 * siblings)?;
        path.push(level.as_chunks::<32>().0.to_vec());
        rest = after;
    }
    rest.is_empty().then_some(path)
}

fn write_path(path: &[Vec<[u8; 32]>]) -> MerkleProofBytes {
    let mut out = (path.len() as u64).to_le_bytes().to_vec();
    for level in path {
        out.extend_from_slice(&(level.len() as u64).to_le_bytes());
        out.extend_from_slice(level.as_flattened());
    }
    MerkleProofBytes(out)
}

/// Checks what a block holds of a namespace, and gives the namespace's transactions.
///
/// `params` are those of the stake table of the block's epoch. That a namespace is not in the block
/// is proven by the header alone: then there must be no proof, and there are no transactions.
///
/// # Errors
///
/// If it is not shown. The header itself is not looked at: whether it counts is a certificate's to say.
pub fn verify_namespace(
    header: &Header,
    params: VidParams,
    namespace: u64,
    proof: Option<&NamespaceProof>,
) -> Result<Vec<Bytes>, NamespaceProofError> {
    use NamespaceProofError as Error;
    let version = header.version();
    let fields = header.fields();
    let (place, proof) = match (find(&fields.ns_table, namespace)?, proof) {
        (None, None) => return Ok(Vec::new()),
        (None, Some(_)) => return Err(Error::NotInBlock),
        (Some((_, entry)), None) => {
            return Err(Error::Missing {
                length: entry.length(),
            });
        }
        (Some(place), Some(proof)) => (place, proof),
    };
    let scheme = Scheme::of(version.minor).ok_or(Error::UnsupportedVersion(version))?;
    let proof = match (scheme, proof) {
        (Scheme::AvidM, NamespaceProof::V1(proof))
        | (Scheme::AvidmGf2 | Scheme::AvidmGf2Full, NamespaceProof::V2(proof)) => proof,
        (_, NamespaceProof::V1IncorrectEncoding(_) | NamespaceProof::V2IncorrectEncoding(_)) => {
            return Err(Error::IncorrectEncoding);
        }
        _ => return Err(Error::OtherScheme(version)),
    };
    match (scheme, &fields.payload_commitment) {
        (Scheme::AvidM, PayloadCommitment::AvidM(_))
        | (Scheme::AvidmGf2 | Scheme::AvidmGf2Full, PayloadCommitment::AvidmGf2(_)) => {}
        _ => return Err(Error::OtherCommitment(version)),
    }
    let (index, entry) = place;
    let (expected, found) = (index as u64, proof.ns_index);
    if expected != found {
        return Err(Error::Index { expected, found });
    }
    let (expected, found) = (entry.length(), proof.ns_payload.len());
    if expected != found {
        return Err(Error::Length { expected, found });
    }
    let lengths = lengths(&fields.ns_table).unwrap_or_default();
    let leaves = lengths.len() + usize::from(scheme == Scheme::AvidmGf2Full);
    let tree = scheme.tree();
    let path = read_path(&proof.ns_proof.0, tree.height(leaves), tree.siblings());
    let path = path.ok_or(Error::Path(leaves))?;
    let root = scheme
        .root(params, &proof.ns_payload)
        .ok_or(Error::Params(params))?;
    if tree.fold(index, &root, &path) != *fields.payload_commitment.bytes() {
        return Err(Error::Commitment);
    }
    Ok(read_transactions(&proof.ns_payload))
}

/// The proof of a namespace of a payload, for those who hold it; none if the namespace is not in it,
/// or the table is not that of the payload.
pub fn prove_namespace(
    scheme: Scheme,
    params: VidParams,
    table: &NsTable,
    payload: &Bytes,
    namespace: u64,
) -> Option<NamespaceProof> {
    let (index, entry) = find(table, namespace).ok()??;
    let roots = roots(scheme, params, table, payload)?;
    let range = entry.range.start as usize..entry.range.end as usize;
    let proof = ProofBytes {
        ns_index: index as u64,
        ns_payload: payload.slice(range),
        ns_proof: write_path(&scheme.tree().path(&roots, index)),
    };
    Some(match scheme {
        Scheme::AvidM => NamespaceProof::V1(proof),
        Scheme::AvidmGf2 | Scheme::AvidmGf2Full => NamespaceProof::V2(proof),
    })
}

/// What a service answers about a namespace of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceAnswer {
    /// The proof; none if the block has no such namespace.
    pub proof: Option<NamespaceProof>,
    /// The transactions.
    pub transactions: Vec<Transaction>,
}

/// What a service says that cannot be so.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Lie {
    /// The proof does not hold.
    #[error("the answer about namespace {namespace} of block {height}: {error}")]
    Proof {
        /// The block.
        height: u64,
        /// The namespace.
        namespace: u64,
        /// What is wrong.
        error: NamespaceProofError,
    },
    /// The transactions are not those that are proven.
    #[error(
        "transaction {index} of namespace {namespace} of block {height} is not the one that is proven"
    )]
    Transaction {
        /// The block.
        height: u64,
        /// The namespace.
        namespace: u64,
        /// The first that differs.
        index: usize,
    },
}

/// Checks a service's answer about a namespace, and gives the proven transactions.
///
/// # Errors
///
/// If the service lied: what it said, and where.
pub fn check_answer(
    header: &Header,
    params: VidParams,
    namespace: u64,
    answer: &NamespaceAnswer,
) -> Result<Vec<Bytes>, Lie> {
    let height = header.height();
    let proven =
        verify_namespace(header, params, namespace, answer.proof.as_ref()).map_err(|error| {
            Lie::Proof {
                height,
                namespace,
                error,
            }
        })?;
    let is_said = |at: usize| {
        let said = answer.transactions.get(at);
        said.map(|said| (said.namespace, &said.payload)) == proven.get(at).map(|p| (namespace, p))
    };
    let count = proven.len().max(answer.transactions.len());
    match (0..count).find(|at| !is_said(*at)) {
        Some(index) => Err(Lie::Transaction {
            height,
            namespace,
            index,
        }),
        None => Ok(proven),
    }
}

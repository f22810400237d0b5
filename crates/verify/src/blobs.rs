//! Blobs of a beacon node.
//!
//! What the node says of a blob is not believed: the commitment is computed from the blob.

use super::VerifyError;
use alloy_primitives::{B256, Bytes, FixedBytes};
use c_kzg::ethereum_kzg_settings;
use doppio_protocol::blob::Blob;
use serde::Deserialize;

/// First byte of the versioned hash of a KZG commitment (EIP-4844).
const VERSIONED_HASH_VERSION_KZG: u8 = 1;
/// No table of precomputed points: it speeds up cell proofs only, which nobody makes here.
const PRECOMPUTE: u64 = 0;

/// The versioned hash that a transaction names this blob by: that of its KZG commitment.
///
/// # Errors
///
/// If a field element of the blob is not below the modulus, so that it has no commitment.
pub fn versioned_hash(blob: &Blob) -> Result<B256, VerifyError> {
    let commitment = c_kzg::Blob::from_bytes(blob)
        .and_then(|blob| ethereum_kzg_settings(PRECOMPUTE).blob_to_kzg_commitment(&blob))
        .map_err(|error| VerifyError::BlobForm(error.to_string()))?;
    Ok(hash_of_commitment(commitment.as_slice()))
}

fn hash_of_commitment(commitment: &[u8]) -> B256 {
    let mut hash = B256::from(sha256(commitment));
    hash[0] = VERSIONED_HASH_VERSION_KZG;
    hash
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}

/// An element of `/eth/v1/beacon/blobs`, or of `/eth/v1/beacon/blob_sidecars`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Blob(Bytes),
    Sidecar {
        blob: Bytes,
        kzg_commitment: FixedBytes<48>,
    },
}

/// Reads the blobs with these versioned hashes out of the answer of either blob endpoint. In the
/// order of the hashes; none for each that the answer does not have. Other blobs are passed over if
/// the answer has all that was asked for: some nodes give all blobs of a block whatever is asked for.
///
/// # Errors
///
/// If the answer cannot be read, a blob is none at all, the answer lacks a blob and has one that
/// nobody asked for in its place, or a sidecar's blob is not what its commitment says.
pub fn read_blobs(hashes: &[B256], json: &str) -> Result<Vec<Option<Box<Blob>>>, VerifyError> {
    #[derive(Deserialize)]
    struct Answer {
        data: Vec<Item>,
    }
    let answer: Answer = super::parse("the blobs", json)?;
    let mut found: Vec<Option<Box<Blob>>> = vec![None; hashes.len()];
    let mut other = None;
    for item in answer.data {
        let (bytes, claimed) = match item {
            Item::Blob(bytes) => (bytes, None),
            Item::Sidecar {
                blob,
                kzg_commitment,
            } => (blob, Some(hash_of_commitment(kzg_commitment.as_slice()))),
        };
        // Computing a commitment takes milliseconds: not for blobs that nobody wants.
        if claimed.is_some_and(|claimed| !hashes.contains(&claimed)) {
            continue;
        }
        let blob: Box<Blob> = bytes
            .as_ref()
            .to_vec()
            .into_boxed_slice()
            .try_into()
            .map_err(|bytes: Box<[u8]>| {
                VerifyError::BlobForm(format!("it has {} bytes", bytes.len()))
            })?;
        let hash = versioned_hash(&blob)?;
        if let Some(claimed) = claimed.filter(|claimed| *claimed != hash) {
            return Err(VerifyError::Sidecar {
                claimed,
                found: hash,
            });
        }
        if !hashes.contains(&hash) {
            other = Some(hash);
        }
        // One blob stands for all transactions that name it.
        for (slot, _) in found
            .iter_mut()
            .zip(hashes)
            .filter(|(_, asked)| **asked == hash)
        {
            *slot = Some(blob.clone());
        }
    }
    match other {
        Some(other) if found.contains(&None) => Err(VerifyError::OtherBlob(other)),
        _ => Ok(found),
    }
}

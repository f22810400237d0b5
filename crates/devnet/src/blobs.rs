//! Commitments and proofs of blobs.

use crate::{DevnetError, SidecarForm};
use alloy_consensus::BlobTransactionSidecar;
use alloy_eips::{
    eip4844::Blob as SidecarBlob,
    eip7594::{BlobTransactionSidecarEip7594, BlobTransactionSidecarVariant},
};
use alloy_primitives::{B256, FixedBytes};
use c_kzg::{Bytes48, KzgSettings, ethereum_kzg_settings};
use doppio_protocol::blob::Blob;
use sha2::{Digest, Sha256};

/// No table of precomputed points: its making takes longer than it saves here.
const PRECOMPUTE: u64 = 0;
/// First byte of a versioned hash (EIP-4844).
const VERSION: u8 = 1;

/// What belongs to a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) commitment: FixedBytes<48>,
    pub(crate) proof: FixedBytes<48>,
}

fn kzg() -> &'static KzgSettings {
    ethereum_kzg_settings(PRECOMPUTE)
}

fn kzg_error(error: &c_kzg::Error) -> DevnetError {
    DevnetError::Kzg(error.to_string())
}

fn commitment(blob: &c_kzg::Blob) -> Result<Bytes48, DevnetError> {
    let commitment = kzg().blob_to_kzg_commitment(blob);
    Ok(commitment.map_err(|error| kzg_error(&error))?.to_bytes())
}

/// The versioned hash that a transaction names this blob by.
///
/// # Errors
///
/// If a field element of the blob is none.
pub fn versioned_hash(blob: &Blob) -> Result<B256, DevnetError> {
    let commitment = commitment(&c_kzg::Blob::new(*blob))?;
    Ok(hash_of_commitment(commitment.as_slice()))
}

fn hash_of_commitment(commitment: &[u8]) -> B256 {
    let mut hash = B256::from(<[u8; 32]>::from(Sha256::digest(commitment)));
    hash[0] = VERSION;
    hash
}

/// Commitment and proof of a blob.
pub(crate) fn prove(blob: &Blob) -> Result<Proven, DevnetError> {
    let blob = c_kzg::Blob::new(*blob);
    let commitment = commitment(&blob)?;
    let proof = kzg().compute_blob_kzg_proof(&blob, &commitment);
    let proof = proof.map_err(|error| kzg_error(&error))?.to_bytes();
    Ok(Proven {
        commitment: FixedBytes::from_slice(commitment.as_slice()),
        proof: FixedBytes::from_slice(proof.as_slice()),
    })
}

/// The sidecar of a transaction with these blobs.
pub(crate) async fn sidecar(
    blobs: Vec<Box<Blob>>,
    form: SidecarForm,
) -> Result<BlobTransactionSidecarVariant, DevnetError> {
    // Cell proofs take their time.
    let making = tokio::task::spawn_blocking(move || make_sidecar(&blobs, form));
    making
        .await
        .map_err(|error| DevnetError::Kzg(error.to_string()))?
}

fn make_sidecar(
    blobs: &[Box<Blob>],
    form: SidecarForm,
) -> Result<BlobTransactionSidecarVariant, DevnetError> {
    let mut commitments = Vec::new();
    let mut proofs = Vec::new();
    for blob in blobs {
        match form {
            SidecarForm::Blob => {
                let Proven { commitment, proof } = prove(blob)?;
                commitments.push(commitment);
                proofs.push(proof);
            }
            SidecarForm::Cells => {
                let blob = c_kzg::Blob::new(**blob);
                commitments.push(FixedBytes::from_slice(commitment(&blob)?.as_slice()));
                let (_, cells) = kzg()
                    .compute_cells_and_kzg_proofs(&blob)
                    .map_err(|error| kzg_error(&error))?;
                let cells = cells.iter().map(|proof| proof.to_bytes());
                proofs.extend(cells.map(|proof| FixedBytes::from_slice(proof.as_slice())));
            }
        }
    }
    let blobs = blobs.iter().map(|blob| SidecarBlob::from(**blob)).collect();
    Ok(match form {
        SidecarForm::Blob => BlobTransactionSidecar::new(blobs, commitments, proofs).into(),
        SidecarForm::Cells => {
            BlobTransactionSidecarEip7594::new(blobs, commitments, proofs).into()
        }
    })
}

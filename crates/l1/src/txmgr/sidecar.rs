//! Blobs beside a transaction: commitments and proofs, and how they are sent along.

use alloy_consensus::{EthereumTxEnvelope, TxEip4844, TxEip4844WithSidecar};
use alloy_eips::{
    eip2718::{Decodable2718, Encodable2718},
    eip4844::{Blob as SidecarBlob, BlobTransactionSidecar},
    eip7594::{BlobTransactionSidecarEip7594, BlobTransactionSidecarVariant},
};
use alloy_primitives::{B256, Bytes};
use c_kzg::{KzgSettings, ethereum_kzg_settings};
use doppio_protocol::blob::{BLOB_SIZE, Blob};
use doppio_txmgr::SidecarVersion;
use doppio_verify::versioned_hash;
use std::sync::Arc;
use thiserror::Error;

/// Width of the window of precomputed points. 8 would make proofs of cells twice as fast, for 96 MiB.
const PRECOMPUTE: u64 = 0;

/// Why there is no sidecar.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SidecarError {
    /// A blob is none: a field element is too large.
    #[error("a blob cannot be committed to: {0}")]
    Blob(String),
    /// What was signed is no transaction with these blobs.
    #[error("what was signed is no transaction with blobs: {0}")]
    Transaction(String),
}

fn kzg() -> &'static KzgSettings {
    ethereum_kzg_settings(PRECOMPUTE)
}

/// The blobs of a request, and what was computed of them.
#[derive(Clone, Debug)]
pub struct Sidecar {
    blobs: Vec<Arc<Blob>>,
    hashes: Vec<B256>,
    /// The newest form that was asked for: it does not change but at a fork.
    made: Option<(SidecarVersion, Arc<BlobTransactionSidecarVariant>)>,
}

impl Sidecar {
    /// Commits to blobs. This takes some milliseconds for each.
    ///
    /// # Errors
    ///
    /// If one is no blob.
    pub fn new(blobs: Vec<Arc<Blob>>) -> Result<Self, SidecarError> {
        let hashes = blobs
            .iter()
            .map(|blob| versioned_hash(blob))
            .collect::<Result<_, _>>()
            .map_err(|error| SidecarError::Blob(error.to_string()))?;
        Ok(Self {
            blobs,
            hashes,
            made: None,
        })
    }

    /// The blob of zeros, that cancellations have.
    ///
    /// # Errors
    ///
    /// None can happen.
    pub fn of_zeros() -> Result<Self, SidecarError> {
        Self::new(vec![Arc::new([0; BLOB_SIZE])])
    }

    /// Versioned hashes of the blobs.
    pub fn hashes(&self) -> &[B256] {
        &self.hashes
    }

    /// Commitments and proofs in one of the forms. It is computed when it is asked for first, which
    /// takes up to some hundred milliseconds for each blob.
    ///
    /// # Errors
    ///
    /// If a blob is none.
    pub fn form(
        &mut self,
        version: SidecarVersion,
    ) -> Result<Arc<BlobTransactionSidecarVariant>, SidecarError> {
        if let Some((made, sidecar)) = &self.made
            && *made == version
        {
            return Ok(Arc::clone(sidecar));
        }
        let blobs = self
            .blobs
            .iter()
            .map(|blob| SidecarBlob::from(**blob))
            .collect();
        let sidecar = match version {
            SidecarVersion::Blob => {
                BlobTransactionSidecar::try_from_blobs_with_settings(blobs, kzg()).map(Into::into)
            }
            SidecarVersion::Cells => {
                BlobTransactionSidecarEip7594::try_from_blobs_with_settings(blobs, kzg())
                    .map(Into::into)
            }
        };
        let sidecar = sidecar.map_err(|error| SidecarError::Blob(error.to_string()))?;
        let sidecar = Arc::new(sidecar);
        self.made = Some((version, Arc::clone(&sidecar)));
        Ok(sidecar)
    }
}

/// A signed transaction as `eth_sendRawTransaction` takes it: `03 ‖ rlp[tx, blobs, commitments,
/// proofs]`, and with cells `03 ‖ rlp[tx, 01, blobs, commitments, cell_proofs]`.
///
/// # Errors
///
/// If the transaction is none with blobs.
// spec: opstack 7.8
pub fn with_sidecar(
    raw: &[u8],
    sidecar: &BlobTransactionSidecarVariant,
) -> Result<Bytes, SidecarError> {
    let transaction = EthereumTxEnvelope::<TxEip4844>::decode_2718_exact(raw)
        .map_err(|error| SidecarError::Transaction(error.to_string()))?;
    let EthereumTxEnvelope::Eip4844(signed) = transaction else {
        return Err(SidecarError::Transaction("another type".to_owned()));
    };
    let signed = signed.map(|tx| TxEip4844WithSidecar::from_tx_and_sidecar(tx, sidecar.clone()));
    let envelope = EthereumTxEnvelope::Eip4844(signed);
    Ok(envelope.encoded_2718().into())
}

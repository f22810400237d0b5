//! Blobs: their commitments and proofs, and where they are kept.
//!
//! anvil is never shown a blob. It would take it for a part of the transaction, and make the root of a
//! block's transactions of it: a node that checks the root refuses such a block. So blobs are taken
//! off transactions on their way in, as nodes of L1 do it for good reasons.

use crate::{DevnetError, SidecarForm, folder};
use alloy_consensus::{EthereumTxEnvelope, Signed, TxEip4844, TxEip4844WithSidecar};
use alloy_eips::{
    eip2718::{Decodable2718, Encodable2718},
    eip4844::{Blob as SidecarBlob, BlobTransactionSidecar},
    eip7594::{BlobTransactionSidecarEip7594, BlobTransactionSidecarVariant},
};
use alloy_primitives::{B256, Bytes, FixedBytes};
use c_kzg::{KzgSettings, ethereum_kzg_settings};
use doppio_protocol::blob::{BLOB_SIZE, Blob};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fs,
    io::Read,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;

/// EIP-2718 type byte of transactions with blobs.
const BLOB_TX_TYPE: u8 = 3;
/// No table of precomputed points: its making takes longer than it saves here.
const PRECOMPUTE: u64 = 0;
/// First byte of a versioned hash (EIP-4844).
const VERSION: u8 = 1;
/// Most blobs that are read from a file: 2.7 GB.
const MAX_KEPT: u64 = 20_000;

/// What belongs to a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) commitment: FixedBytes<48>,
    pub(crate) proof: FixedBytes<48>,
}

/// A transaction as it comes in.
type WithSidecar = EthereumTxEnvelope<TxEip4844WithSidecar<BlobTransactionSidecarVariant>>;

/// Why a transaction with blobs is refused.
#[derive(Debug, Error)]
pub(crate) enum SidecarError {
    /// It cannot be read, or has no blobs with it.
    #[error("not a transaction with its blobs, commitments and proofs: {0}")]
    Form(alloy_eips::eip2718::Eip2718Error),
    /// Blobs, commitments, proofs and versioned hashes do not belong together.
    #[error("the transaction's blobs are not what it says: {0}")]
    Proof(String),
    /// A blob cannot be kept.
    #[error("a blob cannot be kept: {0}")]
    Keep(#[from] DevnetError),
}

fn kzg() -> &'static KzgSettings {
    ethereum_kzg_settings(PRECOMPUTE)
}

/// Reads the trusted setup, once for the process: some tenths of a second, or seconds where the code is
/// not optimised.
pub(crate) fn prepare() {
    kzg();
}

fn kzg_error(error: &c_kzg::Error) -> DevnetError {
    DevnetError::Kzg(error.to_string())
}

/// The versioned hash that a transaction names this blob by.
///
/// # Errors
///
/// If a field element of the blob is none.
pub fn versioned_hash(blob: &Blob) -> Result<B256, DevnetError> {
    let commitment = kzg().blob_to_kzg_commitment(&c_kzg::Blob::new(*blob));
    let commitment = commitment.map_err(|error| kzg_error(&error))?.to_bytes();
    let mut hash = B256::from(<[u8; 32]>::from(Sha256::digest(commitment.as_slice())));
    hash[0] = VERSION;
    Ok(hash)
}

/// Commitment and proof of a blob.
pub(crate) fn prove(blob: &Blob) -> Result<Proven, DevnetError> {
    let blob = c_kzg::Blob::new(*blob);
    let commitment = kzg().blob_to_kzg_commitment(&blob);
    let commitment = commitment.map_err(|error| kzg_error(&error))?.to_bytes();
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
    blocking(move || {
        let blobs = blobs.iter().map(|blob| SidecarBlob::from(**blob)).collect();
        let made = match form {
            SidecarForm::Blob => {
                BlobTransactionSidecar::try_from_blobs_with_settings(blobs, kzg()).map(Into::into)
            }
            SidecarForm::Cells => {
                BlobTransactionSidecarEip7594::try_from_blobs_with_settings(blobs, kzg())
                    .map(Into::into)
            }
        };
        made.map_err(|error| kzg_error(&error))
    })
    .await
}

/// Does what takes its time where nobody waits for the thread.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DevnetError> + Send + 'static,
) -> Result<T, DevnetError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| DevnetError::Kzg(error.to_string()))?
}

/// The blobs of all transactions so far, by versioned hash: in memory, or in a folder, a file each.
/// Clones are the same store.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlobStore {
    memory: Arc<Mutex<HashMap<B256, Arc<Blob>>>>,
    folder: Option<Arc<Path>>,
}

impl BlobStore {
    /// The blobs in a folder, which outlive this process however it ends.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, DevnetError> {
        fs::create_dir_all(folder).map_err(DevnetError::io(folder))?;
        Ok(Self {
            folder: Some(folder.into()),
            ..Self::default()
        })
    }

    fn blobs(&self) -> MutexGuard<'_, HashMap<B256, Arc<Blob>>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A blob.
    pub(crate) fn get(&self, hash: &B256) -> Option<Arc<Blob>> {
        let Some(folder) = &self.folder else {
            return self.blobs().get(hash).cloned();
        };
        let bytes = fs::read(folder.join(hash.to_string())).ok()?;
        <Box<Blob>>::try_from(bytes.into_boxed_slice())
            .ok()
            .map(Arc::from)
    }

    fn insert(&self, hash: B256, blob: &Blob) -> Result<(), DevnetError> {
        let Some(folder) = &self.folder else {
            self.blobs().insert(hash, Arc::new(*blob));
            return Ok(());
        };
        // The same blob may come twice at once.
        let _alone = self.blobs();
        folder::replace(&folder.join(hash.to_string()), blob)
    }

    /// A transaction without its blobs, which are kept. Others stay as they are.
    pub(crate) fn take_off(&self, raw: Bytes) -> Result<Bytes, SidecarError> {
        if raw.first() != Some(&BLOB_TX_TYPE) {
            return Ok(raw);
        }
        let transaction = WithSidecar::decode_2718_exact(&raw).map_err(SidecarError::Form)?;
        let EthereumTxEnvelope::Eip4844(signed) = transaction else {
            return Ok(raw);
        };
        let (transaction, signature, hash) = signed.into_parts();
        let (transaction, sidecar) = transaction.into_parts();
        let hashes = &transaction.blob_versioned_hashes;
        sidecar
            .validate(hashes, kzg())
            .map_err(|error| SidecarError::Proof(error.to_string()))?;
        for (hash, blob) in hashes.iter().zip(sidecar.into_blobs()) {
            self.insert(*hash, &blob.0)?;
        }
        let bare: EthereumTxEnvelope<TxEip4844> =
            Signed::new_unchecked(transaction, signature, hash).into();
        Ok(bare.encoded_2718().into())
    }

    /// Writes all blobs into a file, one behind the other.
    pub(crate) fn write(&self, file: &Path) -> Result<(), DevnetError> {
        let blobs: Vec<_> = self
            .blobs()
            .values()
            .map(|blob| blob.as_slice())
            .collect::<Vec<_>>()
            .concat();
        fs::write(file, blobs).map_err(DevnetError::io(file))
    }

    /// Reads what [`BlobStore::write`] wrote.
    pub(crate) fn read(file: &Path) -> Result<Self, DevnetError> {
        let mut bytes = Vec::new();
        fs::File::open(file)
            .and_then(|open| {
                open.take(MAX_KEPT * BLOB_SIZE as u64)
                    .read_to_end(&mut bytes)
            })
            .map_err(DevnetError::io(file))?;
        let (blobs, _) = bytes.as_chunks::<BLOB_SIZE>();
        let store = Self::default();
        for blob in blobs {
            store.blobs().insert(versioned_hash(blob)?, Arc::new(*blob));
        }
        Ok(store)
    }
}

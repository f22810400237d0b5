//! What clients, dispersers and operators sign when they ask each other for something.
//!
//! Each hash begins with its purpose, except for two that are as old as the protocol. Strings and
//! lists have their length in front, in 32 bits.
// spec: eigenda 3.7

use crate::certificate::BlobHeader;
use alloy_primitives::{Address, B256, Bytes, Keccak256, U256};
use sha2::{Digest, Sha256};

/// Numbers and strings, one after the other.
struct Hasher(Keccak256);

impl Hasher {
    fn new(purpose: &str) -> Self {
        let mut hasher = Keccak256::new();
        hasher.update(purpose);
        Self(hasher)
    }

    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.raw(&number.to_be_bytes())
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.raw(&number.to_be_bytes())
    }

    fn count(&mut self, count: usize) -> &mut Self {
        // no message is as long as 4 GiB
        self.u32(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).raw(bytes)
    }

    fn finish(self) -> B256 {
        self.0.finalize()
    }
}

/// What a client signs beside the blob's key, so that no other disperser and no other chain can use
/// its request.
pub fn anchor(chain_id: U256, disperser: u32, blob_key: &B256) -> B256 {
    let mut hasher = Hasher::new("disperser.DisperseBlobRequest");
    hasher
        .raw(&chain_id.to_be_bytes::<32>())
        .u32(disperser)
        .raw(blob_key.as_slice());
    hasher.finish()
}

/// What a client signs to learn what it has paid: the time is in nanoseconds.
pub fn payment_state(account: &Address, timestamp: u64) -> B256 {
    let mut hasher = Hasher::new("");
    hasher.bytes(account.as_slice()).u64(timestamp);
    B256::from(<[u8; 32]>::from(Sha256::digest(hasher.finish())))
}

/// A blob as a disperser tells it to validators: the points compressed, the payment in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// Version of the blob's parameters.
    pub version: u32,
    /// Quorums.
    pub quorum_numbers: Vec<u32>,
    /// Commitment.
    pub commitment: Bytes,
    /// Length commitment.
    pub length_commitment: Bytes,
    /// Length proof.
    pub length_proof: Bytes,
    /// Symbols.
    pub length: u32,
    /// Who pays.
    pub account: Address,
    /// When, in nanoseconds.
    pub timestamp: i64,
    /// The total paid so far, big-endian; empty if a reservation pays.
    pub cumulative_payment: Bytes,
    /// The client's signature.
    pub signature: Bytes,
    /// Relays.
    pub relay_keys: Vec<u32>,
}

/// What a disperser signs to have validators store a batch. The time is in seconds.
pub fn store_chunks(
    batch_root: &B256,
    reference_block: u64,
    blobs: &[StoredBlob],
    disperser: u32,
    timestamp: u32,
) -> B256 {
    let mut hasher = Hasher::new("validator.StoreChunksRequest");
    hasher.bytes(batch_root.as_slice()).u64(reference_block);
    hasher.count(blobs.len());
    for blob in blobs {
        let quorums = blob.quorum_numbers.len();
        // the reference writes the number of quorums twice
        hasher.u32(blob.version).count(quorums).count(quorums);
        for quorum in &blob.quorum_numbers {
            hasher.u32(*quorum);
        }
        hasher
            .bytes(&blob.commitment)
            .bytes(&blob.length_commitment)
            .bytes(&blob.length_proof)
            .u32(blob.length)
            .bytes(blob.account.to_checksum(None).as_bytes())
            .raw(&blob.timestamp.to_be_bytes())
            .bytes(&blob.cumulative_payment)
            .bytes(&blob.signature)
            .count(blob.relay_keys.len());
        for key in &blob.relay_keys {
            hasher.u32(*key);
        }
    }
    hasher.u32(disperser).u32(timestamp);
    hasher.finish()
}

/// Chunks of one blob that are asked of a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkRequest {
    /// By their numbers.
    Indices {
        /// The blob.
        blob_key: B256,
        /// The numbers.
        indices: Vec<u32>,
    },
    /// A run of them.
    Range {
        /// The blob.
        blob_key: B256,
        /// The first.
        start: u32,
        /// Behind the last.
        end: u32,
    },
}

/// What an operator signs to get chunks from a relay. The time of the request is not part of it.
pub fn get_chunks(operator_id: &B256, requests: &[ChunkRequest]) -> B256 {
    let mut hasher = Hasher::new("relay.GetChunksRequest");
    hasher.bytes(operator_id.as_slice()).count(requests.len());
    for request in requests {
        match request {
            ChunkRequest::Indices { blob_key, indices } => {
                hasher.raw(b"i").bytes(blob_key.as_slice());
                hasher.count(indices.len());
                for index in indices {
                    hasher.u32(*index);
                }
            }
            ChunkRequest::Range {
                blob_key,
                start,
                end,
            } => {
                hasher.raw(b"r").bytes(blob_key.as_slice());
                hasher.u32(*start).u32(*end);
            }
        }
    }
    hasher.finish()
}

/// What an operator signs to get all its chunks of a blob from a relay. The time is in seconds.
pub fn get_validator_chunks(operator_id: &B256, blob_key: &B256, timestamp: u32) -> B256 {
    let mut hasher = Hasher::new("relay.GetValidatorChunksRequest");
    hasher
        .bytes(operator_id.as_slice())
        .bytes(blob_key.as_slice())
        .u32(timestamp);
    hasher.finish()
}

/// The account that signed a blob's key: 65 bytes r, s, v, with v 0 or 1. None if the signature is
/// nobody's.
pub fn signer(header: &BlobHeader, signature: &[u8]) -> Option<Address> {
    signer_of(&header.blob_key(), signature)
}

/// The account that signed a hash.
pub fn signer_of(hash: &B256, signature: &[u8]) -> Option<Address> {
    let (v, scalars) = signature.split_last()?;
    let (r, s) = scalars.split_at_checked(32)?;
    if s.len() != 32 || *v > 1 {
        return None;
    }
    let signature =
        alloy_primitives::Signature::new(U256::from_be_slice(r), U256::from_be_slice(s), *v == 1);
    alloy_consensus::crypto::secp256k1::recover_signer(&signature, *hash).ok()
}

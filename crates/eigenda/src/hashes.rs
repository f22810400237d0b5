//! The hashes by which EigenDA names things.
// spec: eigenda 3.6

use crate::{
    abi::{Tuple, one},
    certificate::{BatchHeader, BlobCertificate, BlobHeader},
    coordinates::G1Coordinates,
};
use alloy_primitives::{Address, B256, U256, keccak256};

/// The hash of who pays for a blob: the account, the time in nanoseconds, and the total paid so far;
/// zero if a reservation pays.
pub fn payment_header_hash(account: &Address, timestamp: i64, cumulative_payment: U256) -> B256 {
    // the account is hashed as text, with the checksum's capitals
    let account = account.to_checksum(None);
    let timestamp = if timestamp < 0 {
        U256::MAX - U256::from(timestamp.unsigned_abs()) + U256::ONE
    } else {
        U256::from(timestamp.unsigned_abs())
    };
    keccak256(one(Tuple::default()
        .bytes(account.as_bytes())
        .u256(timestamp)
        .u256(cumulative_payment)))
}

impl BlobHeader {
    /// The key by which the network knows the blob. Quorums are hashed in the order in which they
    /// stand, as the contract does it.
    pub fn blob_key(&self) -> B256 {
        let inner = Tuple::default()
            .number(self.version)
            .bytes(&self.quorum_numbers);
        let inner = keccak256(self.commitment.put(inner).encode());
        keccak256([inner.0, self.payment_header_hash.0].concat())
    }
}

impl BlobCertificate {
    /// The leaf of the batch's tree, before it is hashed once more.
    pub fn hash(&self) -> B256 {
        keccak256(
            Tuple::default()
                .word(self.header.blob_key())
                .bytes(&self.signature)
                .numbers(&self.relay_keys)
                .encode(),
        )
    }
}

impl BatchHeader {
    /// What operators sign.
    pub fn hash(&self) -> B256 {
        keccak256(
            Tuple::default()
                .word(self.batch_root)
                .number(self.reference_block)
                .encode(),
        )
    }
}

impl G1Coordinates {
    /// The hash of a key: an operator's id, and by its first 24 bytes a quorum's key in L1's history.
    pub fn hash(&self) -> B256 {
        keccak256([self.x.to_be_bytes::<32>(), self.y.to_be_bytes()].concat())
    }
}

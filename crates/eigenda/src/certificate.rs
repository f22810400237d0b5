//! Certificates of EigenDA's second version: what they hold, and their encoding in calldata.
//!
//! Three versions differ in the order of the parts, and in one number that the last of them adds.
// spec: eigenda 1.2

use crate::{
    coordinates::{G1Coordinates, G2Coordinates},
    rlp::{Fields, Writer},
};
use alloy_primitives::{B256, Bytes};
use doppio_protocol::rlp::RlpError;

/// Which certificate: the byte in front of it, and what the version adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// Blob before batch.
    V2,
    /// Batch before blob.
    V3,
    /// As V3, and the version of the rules that are not on L1.
    V4 {
        /// That version: which recency window holds.
        offchain: u16,
    },
}

impl Version {
    /// The byte in front of the certificate.
    // spec: eigenda 1.1
    pub const fn byte(self) -> u8 {
        match self {
            Self::V2 => 1,
            Self::V3 => 2,
            Self::V4 { .. } => 3,
        }
    }

    /// The version of the verifier's contract that judges it.
    pub const fn contract(self) -> u8 {
        match self {
            Self::V2 | Self::V3 => 3,
            Self::V4 { .. } => 4,
        }
    }
}

/// A batch of blobs, as operators signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchHeader {
    /// Root of the tree of the batch's blob certificates.
    pub batch_root: B256,
    /// The L1 block by whose operators and stakes the batch is judged.
    pub reference_block: u32,
}

/// What is said of a blob's polynomial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlobCommitment {
    /// Commitment in G1.
    pub commitment: G1Coordinates,
    /// Commitment in G2.
    pub length_commitment: G2Coordinates,
    /// Proof that the polynomial is no longer than `length`.
    pub length_proof: G2Coordinates,
    /// Symbols of the blob.
    pub length: u32,
}

/// What the client asked the network to keep.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobHeader {
    /// Version of the blob's parameters.
    pub version: u16,
    /// Quorums that keep it.
    pub quorum_numbers: Bytes,
    /// The blob.
    pub commitment: BlobCommitment,
    /// Hash of who pays, when, and how much.
    pub payment_header_hash: B256,
}

/// The client's request, signed, and the relays that have the blob.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobCertificate {
    /// The request.
    pub header: BlobHeader,
    /// The client's signature.
    pub signature: Bytes,
    /// Numbers of the relays.
    pub relay_keys: Vec<u32>,
}

/// A blob's place in its batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobInclusion {
    /// The blob.
    pub certificate: BlobCertificate,
    /// Number of the leaf.
    pub blob_index: u32,
    /// Siblings on the way to the root.
    pub inclusion_proof: Bytes,
}

/// The operators' signature, who did not sign, and where L1's histories tell keys and stakes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attestation {
    /// For each non-signer, the place in the history of its quorums.
    pub non_signer_bitmap_indices: Vec<u32>,
    /// Keys of those who did not sign, by ascending id.
    pub non_signer_keys: Vec<G1Coordinates>,
    /// For each signed quorum, the sum of all its operators' keys.
    pub quorum_keys: Vec<G1Coordinates>,
    /// The sum of the signers' keys, in G2.
    pub signers_key: G2Coordinates,
    /// The sum of the signatures.
    pub signature: G1Coordinates,
    /// For each signed quorum, the place in the history of its key.
    pub quorum_key_indices: Vec<u32>,
    /// For each signed quorum, the place in the history of its stake.
    pub total_stake_indices: Vec<u32>,
    /// For each signed quorum and each of its non-signers, the place in the history of the
    /// operator's stake.
    pub non_signer_stake_indices: Vec<Vec<u32>>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// Which.
    pub version: Version,
    /// The batch.
    pub batch: BatchHeader,
    /// The blob, and its place in the batch.
    pub blob: BlobInclusion,
    /// The signature.
    pub attestation: Attestation,
    /// The quorums whose operators signed.
    pub signed_quorums: Bytes,
}

impl BatchHeader {
    fn read(fields: &mut Fields<'_>) -> Result<Self, RlpError> {
        fields.list(|fields| {
            Ok(Self {
                batch_root: fields.hash()?,
                reference_block: fields.u32()?,
            })
        })
    }

    fn write(&self, out: &mut Writer) {
        out.list(|out| {
            out.bytes(self.batch_root.as_slice());
            out.number(self.reference_block.into());
        });
    }
}

impl BlobCommitment {
    fn read(fields: &mut Fields<'_>) -> Result<Self, RlpError> {
        fields.list(|fields| {
            Ok(Self {
                commitment: fields.g1()?,
                length_commitment: fields.g2()?,
                length_proof: fields.g2()?,
                length: fields.u32()?,
            })
        })
    }

    fn write(&self, out: &mut Writer) {
        out.list(|out| {
            out.g1(&self.commitment);
            out.g2(&self.length_commitment);
            out.g2(&self.length_proof);
            out.number(self.length.into());
        });
    }
}

impl BlobHeader {
    fn read(fields: &mut Fields<'_>) -> Result<Self, RlpError> {
        fields.list(|fields| {
            Ok(Self {
                version: fields.u16()?,
                quorum_numbers: fields.bytes()?,
                commitment: BlobCommitment::read(fields)?,
                payment_header_hash: fields.hash()?,
            })
        })
    }

    fn write(&self, out: &mut Writer) {
        out.list(|out| {
            out.number(self.version.into());
            out.bytes(&self.quorum_numbers);
            self.commitment.write(out);
            out.bytes(self.payment_header_hash.as_slice());
        });
    }
}

impl BlobCertificate {
    fn read(fields: &mut Fields<'_>) -> Result<Self, RlpError> {
        fields.list(|fields| {
            Ok(Self {
                header: BlobHeader::read(fields)?,
                signature: fields.bytes()?,
                relay_keys: fields.u32s()?,
            })
        })
    }

    fn write(&self, out: &mut Writer) {
        out.list(|out| {
            self.header.write(out);
            out.bytes(&self.signature);
            out.numbers(&self.relay_keys);
        });
    }
}

impl BlobInclusion {
    fn read(fields: &mut Fields<'_>) -> Result<Self, RlpError> {
        fields.list(|fields| {
            Ok(Self {
                certificate: BlobCertificate::read(fields)?,
                blob_index: fields.u32()?,
                inclusion_proof: fields.bytes()?,
            })
        })
    }

    fn write(&self, out: &mut Writer) {
        out.list(|out| {
            self.certificate.write(out);
            out.number(self.blob_index.into());
            out.bytes(&self.inclusion_proof);
        });
    }
}

impl Attestation {
    fn read(fields: &mut Fields<'_>) -> Result<Self, RlpError> {
        fields.list(|fields| {
            Ok(Self {
                non_signer_bitmap_indices: fields.u32s()?,
                non_signer_keys: fields.list_of(Fields::g1)?,
                quorum_keys: fields.list_of(Fields::g1)?,
                signers_key: fields.g2()?,
                signature: fields.g1()?,
                quorum_key_indices: fields.u32s()?,
                total_stake_indices: fields.u32s()?,
                non_signer_stake_indices: fields.list_of(Fields::u32s)?,
            })
        })
    }

    fn write(&self, out: &mut Writer) {
        out.list(|out| {
            out.numbers(&self.non_signer_bitmap_indices);
            out.list(|out| self.non_signer_keys.iter().for_each(|key| out.g1(key)));
            out.list(|out| self.quorum_keys.iter().for_each(|key| out.g1(key)));
            out.g2(&self.signers_key);
            out.g1(&self.signature);
            out.numbers(&self.quorum_key_indices);
            out.numbers(&self.total_stake_indices);
            out.list(|out| {
                for indices in &self.non_signer_stake_indices {
                    out.numbers(indices);
                }
            });
        });
    }
}

impl Certificate {
    /// Reads the RLP of a certificate of the version that the byte in front of it tells; none for a
    /// byte that is no version's.
    ///
    /// # Errors
    ///
    /// If the bytes are not the one encoding of a certificate.
    pub fn from_rlp(version: u8, bytes: &[u8]) -> Option<Result<Self, RlpError>> {
        let read: fn(&mut Fields<'_>) -> Result<Self, RlpError> = match version {
            1 => Self::read_v2,
            2 => Self::read_v3,
            3 => Self::read_v4,
            _ => return None,
        };
        Some(Fields::whole(bytes, |fields| fields.list(read)))
    }

    fn read_v2(fields: &mut Fields<'_>) -> Result<Self, RlpError> {
        let blob = BlobInclusion::read(fields)?;
        Ok(Self {
            version: Version::V2,
            batch: BatchHeader::read(fields)?,
            blob,
            attestation: Attestation::read(fields)?,
            signed_quorums: fields.bytes()?,
        })
    }

    fn read_v3(fields: &mut Fields<'_>) -> Result<Self, RlpError> {
        Ok(Self {
            version: Version::V3,
            batch: BatchHeader::read(fields)?,
            blob: BlobInclusion::read(fields)?,
            attestation: Attestation::read(fields)?,
            signed_quorums: fields.bytes()?,
        })
    }

    fn read_v4(fields: &mut Fields<'_>) -> Result<Self, RlpError> {
        let certificate = Self::read_v3(fields)?;
        let offchain = fields.u16()?;
        Ok(Self {
            version: Version::V4 { offchain },
            ..certificate
        })
    }

    /// The RLP of the certificate.
    pub fn to_rlp(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.list(|out| {
            if self.version == Version::V2 {
                self.blob.write(out);
                self.batch.write(out);
            } else {
                self.batch.write(out);
                self.blob.write(out);
            }
            self.attestation.write(out);
            out.bytes(&self.signed_quorums);
            if let Version::V4 { offchain } = self.version {
                out.number(offchain.into());
            }
        });
        out.finish()
    }
}

//! Certificates of EigenDA's first version. Nothing serves their blobs any more but archives; a
//! chain's history may hold them all the same.
//!
//! Such a certificate counts if its batch is the one that L1 has confirmed under its number, and the
//! blob is in it, signed by enough of each quorum. These are the rules of EigenDA's contract for the
//! first version. eigenda-proxy, when it still read such certificates, looked at the quorums by their
//! order instead of the places that are told, let the two thresholds be equal, and compared the
//! adversary's with the network's instead of the confirmation's. What the disperser made passed both.
// spec: eigenda 1.4

use crate::{
    abi::{Tuple, one},
    merkle,
    rlp::{Fields, Writer},
};
use alloy_primitives::{B256, Bytes, keccak256};
use doppio_protocol::rlp::RlpError;
use thiserror::Error;

/// What a blob asks of one quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlobQuorum {
    /// Number of the quorum.
    pub number: u8,
    /// Percentage of stake that an adversary may hold.
    pub adversary_threshold: u8,
    /// Percentage of stake that must have signed.
    pub confirmation_threshold: u8,
    /// Symbols of a chunk.
    pub chunk_length: u32,
}

/// A batch as L1 confirmed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BatchMetadata {
    /// Root of the tree of blob headers.
    pub batch_root: B256,
    /// Quorums of the batch.
    pub quorum_numbers: Bytes,
    /// Percentage of stake that signed, for each of them.
    pub signed_percentages: Bytes,
    /// The L1 block by whose operators it is judged.
    pub reference_block: u32,
    /// Hash of who did not sign.
    pub signatory_record_hash: B256,
    /// Fee; not hashed.
    pub fee: Bytes,
    /// The L1 block that confirmed it.
    pub confirmation_block: u32,
    /// Hash of root and reference block; not hashed.
    pub batch_header_hash: B256,
}

/// A certificate of the first version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobInfo {
    /// x of the commitment, as 32 bytes.
    pub commitment_x: B256,
    /// y of the commitment, as 32 bytes.
    pub commitment_y: B256,
    /// Symbols of the blob.
    pub data_length: u32,
    /// What the blob asks of quorums.
    pub quorums: Vec<BlobQuorum>,
    /// Number of the batch.
    pub batch_id: u32,
    /// Number of the leaf.
    pub blob_index: u32,
    /// The batch.
    pub batch: BatchMetadata,
    /// Siblings on the way to the root.
    pub inclusion_proof: Bytes,
    /// For each of the blob's quorums, its place among the batch's.
    pub quorum_indexes: Bytes,
}

/// What L1 says of a batch of the first version, and of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchFacts {
    /// `batchIdToBatchMetadataHash` of the batch's number; zero if there is no such batch.
    pub metadata_hash: B256,
    /// Quorums that every blob must have.
    pub required: Vec<u8>,
    /// The least confirmation threshold of each quorum, by its number; zero for those beyond.
    pub confirmation_thresholds: Vec<u8>,
}

/// Why a certificate of the first version does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlobInfoError {
    /// The blob is not in the batch.
    #[error("the blob header is not in the batch")]
    Inclusion,
    /// L1 has not confirmed this batch.
    #[error("the batch hashes to {computed}, and L1 confirmed {confirmed}")]
    Batch {
        /// Of the certificate.
        computed: B256,
        /// On L1.
        confirmed: B256,
    },
    /// The blob's quorum is none of the batch's at the place that is told.
    #[error("quorum {0} is not where the certificate says")]
    QuorumPlace(u8),
    /// Thresholds that protect nothing.
    #[error("the thresholds of quorum {0} are in the wrong order")]
    Thresholds(u8),
    /// The blob asks for less than the network does.
    #[error("the confirmation threshold of quorum {0} is below the network's")]
    Unsafe(u8),
    /// Too little stake signed.
    #[error("too little stake of quorum {0} signed")]
    Signed(u8),
    /// A quorum that every blob must have is lacking.
    #[error("the required quorum {0} is lacking")]
    Required(u8),
}

impl BlobInfo {
    /// Reads the RLP.
    ///
    /// # Errors
    ///
    /// If the bytes are not the one encoding of such a certificate.
    pub fn from_rlp(bytes: &[u8]) -> Result<Self, RlpError> {
        Fields::whole(bytes, |fields| fields.list(Self::read))
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, RlpError> {
        let ([commitment_x, commitment_y], data_length, quorums) = fields.list(|fields| {
            Ok((
                fields.list(|fields| Ok([fields.hash()?, fields.hash()?]))?,
                fields.u32()?,
                fields.list_of(|fields| {
                    fields.list(|fields| {
                        Ok(BlobQuorum {
                            number: fields.u8()?,
                            adversary_threshold: fields.u8()?,
                            confirmation_threshold: fields.u8()?,
                            chunk_length: fields.u32()?,
                        })
                    })
                })?,
            ))
        })?;
        fields.list(|fields| {
            Ok(Self {
                commitment_x,
                commitment_y,
                data_length,
                quorums,
                batch_id: fields.u32()?,
                blob_index: fields.u32()?,
                batch: fields.list(BatchMetadata::read)?,
                inclusion_proof: fields.bytes()?,
                quorum_indexes: fields.bytes()?,
            })
        })
    }

    /// The RLP of the certificate.
    pub fn to_rlp(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.list(|out| {
            out.list(|out| {
                out.list(|out| {
                    out.bytes(self.commitment_x.as_slice());
                    out.bytes(self.commitment_y.as_slice());
                });
                out.number(self.data_length.into());
                out.list(|out| {
                    for quorum in &self.quorums {
                        out.list(|out| {
                            out.number(quorum.number.into());
                            out.number(quorum.adversary_threshold.into());
                            out.number(quorum.confirmation_threshold.into());
                            out.number(quorum.chunk_length.into());
                        });
                    }
                });
            });
            out.list(|out| {
                out.number(self.batch_id.into());
                out.number(self.blob_index.into());
                self.batch.write(out);
                out.bytes(&self.inclusion_proof);
                out.bytes(&self.quorum_indexes);
            });
        });
        out.finish()
    }

    /// The hash of the blob's header.
    pub fn blob_header_hash(&self) -> B256 {
        let quorums = self.quorums.iter().fold(Tuple::default(), |tuple, quorum| {
            tuple
                .number(quorum.number)
                .number(quorum.adversary_threshold)
                .number(quorum.confirmation_threshold)
                .number(quorum.chunk_length)
        });
        let count = Tuple::default().number(self.quorums.len() as u64);
        keccak256(one(Tuple::default()
            .word(self.commitment_x)
            .word(self.commitment_y)
            .number(self.data_length)
            .dynamic([count.encode(), quorums.encode()].concat())))
    }

    /// Whether the certificate counts.
    ///
    /// # Errors
    ///
    /// If it does not: then it counts on no node.
    pub fn verify(&self, facts: &BatchFacts) -> Result<(), BlobInfoError> {
        let leaf = keccak256(self.blob_header_hash());
        let root = merkle::root_of(leaf, self.blob_index, &self.inclusion_proof);
        if root != Some(self.batch.batch_root) {
            return Err(BlobInfoError::Inclusion);
        }
        let computed = self.batch.metadata_hash();
        if computed != facts.metadata_hash {
            return Err(BlobInfoError::Batch {
                computed,
                confirmed: facts.metadata_hash,
            });
        }
        for (place, quorum) in self.quorums.iter().enumerate() {
            self.verify_quorum(place, quorum, facts)?;
        }
        let has = |number: &u8| self.quorums.iter().any(|quorum| quorum.number == *number);
        match facts.required.iter().find(|number| !has(number)) {
            Some(number) => Err(BlobInfoError::Required(*number)),
            None => Ok(()),
        }
    }

    fn verify_quorum(
        &self,
        place: usize,
        quorum: &BlobQuorum,
        facts: &BatchFacts,
    ) -> Result<(), BlobInfoError> {
        let number = quorum.number;
        let index = self.quorum_indexes.get(place).copied().map(usize::from);
        let index = index.ok_or(BlobInfoError::QuorumPlace(number))?;
        if self.batch.quorum_numbers.get(index) != Some(&number) {
            return Err(BlobInfoError::QuorumPlace(number));
        }
        if quorum.confirmation_threshold <= quorum.adversary_threshold {
            return Err(BlobInfoError::Thresholds(number));
        }
        let least = facts.confirmation_thresholds.get(usize::from(number));
        if least.is_some_and(|least| quorum.confirmation_threshold < *least) {
            return Err(BlobInfoError::Unsafe(number));
        }
        match self.batch.signed_percentages.get(index) {
            Some(signed) if *signed >= quorum.confirmation_threshold => Ok(()),
            _ => Err(BlobInfoError::Signed(number)),
        }
    }
}

impl BatchMetadata {
    fn read(fields: &mut Fields<'_>) -> Result<Self, RlpError> {
        let (batch_root, quorum_numbers, signed_percentages, reference_block) =
            fields.list(|fields| {
                Ok((
                    fields.hash()?,
                    fields.bytes()?,
                    fields.bytes()?,
                    fields.u32()?,
                ))
            })?;
        Ok(Self {
            batch_root,
            quorum_numbers,
            signed_percentages,
            reference_block,
            signatory_record_hash: fields.hash()?,
            fee: fields.bytes()?,
            confirmation_block: fields.u32()?,
            batch_header_hash: fields.hash()?,
        })
    }

    fn write(&self, out: &mut Writer) {
        out.list(|out| {
            out.list(|out| {
                out.bytes(self.batch_root.as_slice());
                out.bytes(&self.quorum_numbers);
                out.bytes(&self.signed_percentages);
                out.number(self.reference_block.into());
            });
            out.bytes(self.signatory_record_hash.as_slice());
            out.bytes(&self.fee);
            out.number(self.confirmation_block.into());
            out.bytes(self.batch_header_hash.as_slice());
        });
    }

    /// The hash that L1 keeps of a confirmed batch.
    pub fn metadata_hash(&self) -> B256 {
        let batch_hash = keccak256(one(Tuple::default()
            .word(self.batch_root)
            .bytes(&self.quorum_numbers)
            .bytes(&self.signed_percentages)
            .number(self.reference_block)));
        keccak256(
            [
                batch_hash.as_slice(),
                self.signatory_record_hash.as_slice(),
                &self.confirmation_block.to_be_bytes(),
            ]
            .concat(),
        )
    }
}

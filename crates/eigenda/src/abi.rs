//! The ABI encoding of certificates: what `checkDACert` takes, and what hashes are taken of.
// spec: eigenda 1.3

use crate::{
    certificate::{
        Attestation, BatchHeader, BlobCertificate, BlobCommitment, BlobHeader, BlobInclusion,
        Certificate, Version,
    },
    coordinates::{G1Coordinates, G2Coordinates},
};
use alloy_primitives::{B256, Bytes, U256};
use thiserror::Error;

const WORD: usize = 32;

/// Why bytes are no ABI encoding of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AbiError {
    /// An offset or a length leads out of the bytes.
    #[error("the ABI encoding leads beyond its end")]
    Truncated,
    /// A number does not fit its type.
    #[error("a number of the ABI encoding is larger than its type")]
    Number,
    /// The values have another encoding: offsets out of order, gaps, or bytes left over.
    #[error("the ABI encoding is not the canonical one of its values")]
    NotCanonical,
}

/// A tuple as it is written: its parts in order.
#[derive(Debug, Default)]
pub(crate) struct Tuple {
    /// What stands in the head: words, or where in the tail the part begins.
    head: Vec<Part>,
    tail: Vec<u8>,
}

#[derive(Debug)]
enum Part {
    Word([u8; WORD]),
    /// Offset in the tail.
    Tail(usize),
}

fn word(number: usize) -> [u8; WORD] {
    U256::from(number).to_be_bytes()
}

impl Tuple {
    pub(crate) fn word(mut self, word: impl Into<B256>) -> Self {
        self.head.push(Part::Word(word.into().0));
        self
    }

    pub(crate) fn number(self, number: impl Into<u64>) -> Self {
        self.u256(U256::from(number.into()))
    }

    pub(crate) fn u256(self, number: U256) -> Self {
        self.word(number.to_be_bytes::<WORD>())
    }

    /// A part of variable length: what it is, encoded.
    pub(crate) fn dynamic(mut self, mut encoded: Vec<u8>) -> Self {
        self.head.push(Part::Tail(self.tail.len()));
        self.tail.append(&mut encoded);
        self
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        let mut encoded = word(bytes.len()).to_vec();
        encoded.extend_from_slice(bytes);
        encoded.resize(encoded.len().next_multiple_of(WORD), 0);
        self.dynamic(encoded)
    }

    pub(crate) fn numbers(self, numbers: &[u32]) -> Self {
        self.dynamic(array(numbers, |tuple, n| tuple.number(*n)))
    }

    pub(crate) fn g1(self, point: &G1Coordinates) -> Self {
        self.u256(point.x).u256(point.y)
    }

    pub(crate) fn g2(self, point: &G2Coordinates) -> Self {
        let numbers = point.x.into_iter().chain(point.y);
        numbers.fold(self, Self::u256)
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        let head = self.head.len() * WORD;
        let mut encoded = Vec::with_capacity(head + self.tail.len());
        for part in self.head {
            encoded.extend_from_slice(&match part {
                Part::Word(word) => word,
                Part::Tail(offset) => word(head + offset),
            });
        }
        encoded.extend_from_slice(&self.tail);
        encoded
    }
}

fn array<T>(elements: &[T], put: impl Fn(Tuple, &T) -> Tuple) -> Vec<u8> {
    let tuple = elements.iter().fold(Tuple::default(), put);
    [word(elements.len()).to_vec(), tuple.encode()].concat()
}

/// `abi.encode` of one dynamic tuple.
pub(crate) fn one(tuple: Tuple) -> Vec<u8> {
    Tuple::default().dynamic(tuple.encode()).encode()
}

impl BlobCommitment {
    pub(crate) fn put(&self, tuple: Tuple) -> Tuple {
        tuple
            .g1(&self.commitment)
            .g2(&self.length_commitment)
            .g2(&self.length_proof)
            .number(self.length)
    }
}

impl Certificate {
    /// What `checkDACert` takes. A V2 certificate has no form of its own: it goes to L1 as a V3.
    pub fn to_abi(&self) -> Vec<u8> {
        let header = &self.blob.certificate.header;
        let header = Tuple::default()
            .number(header.version)
            .bytes(&header.quorum_numbers);
        let blob_header = &self.blob.certificate.header;
        let header = blob_header
            .commitment
            .put(header)
            .word(blob_header.payment_header_hash);
        let certificate = Tuple::default()
            .dynamic(header.encode())
            .bytes(&self.blob.certificate.signature)
            .numbers(&self.blob.certificate.relay_keys);
        let blob = Tuple::default()
            .dynamic(certificate.encode())
            .number(self.blob.blob_index)
            .bytes(&self.blob.inclusion_proof);
        let attestation = &self.attestation;
        let signers = Tuple::default()
            .numbers(&attestation.non_signer_bitmap_indices)
            .dynamic(array(&attestation.non_signer_keys, Tuple::g1))
            .dynamic(array(&attestation.quorum_keys, Tuple::g1))
            .g2(&attestation.signers_key)
            .g1(&attestation.signature)
            .numbers(&attestation.quorum_key_indices)
            .numbers(&attestation.total_stake_indices)
            .dynamic(array(
                &attestation.non_signer_stake_indices,
                |tuple, indices| tuple.numbers(indices),
            ));
        let whole = Tuple::default()
            .word(self.batch.batch_root)
            .number(self.batch.reference_block)
            .dynamic(blob.encode())
            .dynamic(signers.encode())
            .bytes(&self.signed_quorums);
        one(match self.version {
            Version::V2 | Version::V3 => whole,
            Version::V4 { offchain } => whole.number(offchain),
        })
    }

    /// Reads what `checkDACert` takes, of a V3 or V4 certificate.
    ///
    /// # Errors
    ///
    /// If the bytes are not the canonical encoding of one. Contracts accept others, too; nobody has a
    /// reason to make them.
    pub fn from_abi(bytes: &[u8], is_v4: bool) -> Result<Self, AbiError> {
        let whole = View(bytes).at(0)?;
        let blob = whole.at(2)?;
        let certificate = blob.at(0)?;
        let header = certificate.at(0)?;
        let signers = whole.at(3)?;
        let read = Self {
            version: if is_v4 {
                Version::V4 {
                    offchain: whole.number(5)?,
                }
            } else {
                Version::V3
            },
            batch: BatchHeader {
                batch_root: whole.word(0)?.into(),
                reference_block: whole.number(1)?,
            },
            blob: BlobInclusion {
                certificate: BlobCertificate {
                    header: BlobHeader {
                        version: header.number(0)?,
                        quorum_numbers: header.bytes(1)?,
                        commitment: BlobCommitment {
                            commitment: header.g1(2)?,
                            length_commitment: header.g2(4)?,
                            length_proof: header.g2(8)?,
                            length: header.number(12)?,
                        },
                        payment_header_hash: header.word(13)?.into(),
                    },
                    signature: certificate.bytes(1)?,
                    relay_keys: certificate.numbers(2)?,
                },
                blob_index: blob.number(1)?,
                inclusion_proof: blob.bytes(2)?,
            },
            attestation: Attestation {
                non_signer_bitmap_indices: signers.numbers(0)?,
                non_signer_keys: signers.array(1, 2, |view, place| view.g1(place))?,
                quorum_keys: signers.array(2, 2, |view, place| view.g1(place))?,
                signers_key: signers.g2(3)?,
                signature: signers.g1(7)?,
                quorum_key_indices: signers.numbers(9)?,
                total_stake_indices: signers.numbers(10)?,
                non_signer_stake_indices: signers
                    .array(11, 1, |view, place| view.numbers(place))?,
            },
            signed_quorums: whole.bytes(4)?,
        };
        // offsets may point anywhere; only one choice of them is canonical
        if read.to_abi() == bytes {
            Ok(read)
        } else {
            Err(AbiError::NotCanonical)
        }
    }
}

/// A tuple as it is read: its head, and everything behind. Places are counted in words.
#[derive(Clone, Copy, Debug)]
struct View<'a>(&'a [u8]);

impl<'a> View<'a> {
    fn word(self, place: usize) -> Result<[u8; WORD], AbiError> {
        let start = place.checked_mul(WORD).ok_or(AbiError::Truncated)?;
        self.0
            .get(start..)
            .and_then(|rest| rest.first_chunk::<WORD>())
            .copied()
            .ok_or(AbiError::Truncated)
    }

    fn u256(self, place: usize) -> Result<U256, AbiError> {
        Ok(U256::from_be_bytes(self.word(place)?))
    }

    fn number<N: TryFrom<u64>>(self, place: usize) -> Result<N, AbiError> {
        let number = u64::try_from(self.u256(place)?).map_err(|_| AbiError::Number)?;
        N::try_from(number).map_err(|_| AbiError::Number)
    }

    /// Where the part begins whose offset stands at `place`.
    fn at(self, place: usize) -> Result<Self, AbiError> {
        let offset: u64 = self.number(place)?;
        usize::try_from(offset)
            .ok()
            .and_then(|offset| self.0.get(offset..))
            .map(Self)
            .ok_or(AbiError::Truncated)
    }

    fn bytes(self, place: usize) -> Result<Bytes, AbiError> {
        let part = self.at(place)?;
        let length: u64 = part.number(0)?;
        usize::try_from(length)
            .ok()
            .and_then(|length| part.0.get(WORD..)?.get(..length))
            .map(Bytes::copy_from_slice)
            .ok_or(AbiError::Truncated)
    }

    fn g1(self, place: usize) -> Result<G1Coordinates, AbiError> {
        Ok(G1Coordinates {
            x: self.u256(place)?,
            y: self.u256(place.saturating_add(1))?,
        })
    }

    fn g2(self, place: usize) -> Result<G2Coordinates, AbiError> {
        let number = |offset| self.u256(place.saturating_add(offset));
        Ok(G2Coordinates {
            x: [number(0)?, number(1)?],
            y: [number(2)?, number(3)?],
        })
    }

    fn numbers(self, place: usize) -> Result<Vec<u32>, AbiError> {
        self.array(place, 1, |view, place| view.number(place))
    }

    fn array<T>(
        self,
        place: usize,
        words: usize,
        read: impl Fn(Self, usize) -> Result<T, AbiError>,
    ) -> Result<Vec<T>, AbiError> {
        let part = self.at(place)?;
        let length: u64 = part.number(0)?;
        let elements = Self(part.0.get(WORD..).ok_or(AbiError::Truncated)?);
        // each element has at least its words in the head
        let most = elements.0.len() / (WORD * words);
        match usize::try_from(length) {
            Ok(length) if length <= most => (0..length)
                .map(|index| read(elements, index * words))
                .collect(),
            _ => Err(AbiError::Truncated),
        }
    }
}

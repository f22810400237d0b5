//! Alt-DA commitments: what an inbox transaction holds in place of frames.
//!
//! `01 ‖ commitment type ‖ commitment`. A generic commitment begins, by convention, with a byte
//! for the DA layer; EigenDA's is 0x00.

use alloy_primitives::{B256, Bytes};
use thiserror::Error;

/// First byte of inbox data that holds frames.
// spec: opstack 2.1 |1
pub const DERIVATION_VERSION_0: u8 = 0x00;
/// First byte of inbox data that holds an alt-DA commitment.
// spec: opstack 2.1 |2
pub const DERIVATION_VERSION_1: u8 = 0x01;

const KECCAK: u8 = 0x00;
const GENERIC: u8 = 0x01;

/// A commitment to data that is kept elsewhere.
// spec: opstack 2.1 |2
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Commitment {
    /// keccak256 of the data.
    Keccak(B256),
    /// Opaque: DA layer byte and payload. Never empty.
    Generic(Bytes),
}

/// Why bytes are no commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CommitmentError {
    /// Nothing behind the derivation version byte.
    #[error("alt-DA commitment is empty")]
    Empty,
    /// A commitment type that is neither Keccak nor Generic.
    #[error("alt-DA commitment type {0:#04x} is unknown")]
    Type(u8),
    /// A Keccak commitment of another length.
    #[error("Keccak commitment has {0} bytes instead of 32")]
    KeccakLength(usize),
    /// A Generic commitment without content.
    #[error("Generic commitment has no content")]
    GenericEmpty,
}

/// The DA layers that are known by their byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum DaLayer {
    EigenDa,
    Avail,
    Celestia,
    Unknown(u8),
}

impl DaLayer {
    /// The layer of a generic commitment.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0x00 => Self::EigenDa,
            0x0a => Self::Avail,
            0x0c => Self::Celestia,
            other => Self::Unknown(other),
        }
    }
}

impl Commitment {
    /// Decodes a commitment: type byte and content, without the derivation version byte.
    pub fn decode(bytes: &Bytes) -> Result<Self, CommitmentError> {
        match bytes.as_ref() {
            [] => Err(CommitmentError::Empty),
            [KECCAK, hash @ ..] => <[u8; 32]>::try_from(hash)
                .map(|hash| Self::Keccak(hash.into()))
                .map_err(|_| CommitmentError::KeccakLength(hash.len())),
            [GENERIC] => Err(CommitmentError::GenericEmpty),
            [GENERIC, ..] => Ok(Self::Generic(bytes.slice(1..))),
            [other, ..] => Err(CommitmentError::Type(*other)),
        }
    }

    /// Type byte and content.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Keccak(hash) => [&[KECCAK], hash.as_slice()].concat().into(),
            Self::Generic(content) => [&[GENERIC], content.as_ref()].concat().into(),
        }
    }

    /// What an inbox transaction holds: derivation version byte, type byte and content.
    pub fn inbox_data(&self) -> Bytes {
        [&[DERIVATION_VERSION_1], self.encode().as_ref()]
            .concat()
            .into()
    }

    /// The DA layer that a generic commitment names.
    pub fn layer(&self) -> Option<DaLayer> {
        match self {
            Self::Keccak(_) => None,
            Self::Generic(content) => content.first().copied().map(DaLayer::from_byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_keccak_commitment_has_32_bytes() {
        for length in [0, 1, 31, 33] {
            let bytes = Bytes::from([vec![0], vec![7; length]].concat());
            assert_eq!(
                Commitment::decode(&bytes),
                Err(CommitmentError::KeccakLength(length))
            );
        }
        let valid = Bytes::from([vec![0], vec![7; 32]].concat());
        assert_eq!(
            Commitment::decode(&valid),
            Ok(Commitment::Keccak(B256::repeat_byte(7)))
        );
    }

    #[test]
    fn a_generic_commitment_has_at_least_a_byte() {
        assert_eq!(
            Commitment::decode(&Bytes::from_static(&[1])),
            Err(CommitmentError::GenericEmpty)
        );
        let eigenda = Commitment::decode(&Bytes::from_static(&[1, 0, 3, 0xc0])).unwrap();
        assert_eq!(eigenda.layer(), Some(DaLayer::EigenDa));
        assert_eq!(
            eigenda.inbox_data(),
            Bytes::from_static(&[1, 1, 0, 3, 0xc0])
        );
    }

    #[test]
    fn other_types_and_nothing_are_refused() {
        assert_eq!(
            Commitment::decode(&Bytes::new()),
            Err(CommitmentError::Empty)
        );
        assert_eq!(
            Commitment::decode(&Bytes::from_static(&[2, 1])),
            Err(CommitmentError::Type(2))
        );
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_written_back_unchanged(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let bytes = Bytes::from(bytes);
            if let Ok(commitment) = Commitment::decode(&bytes) {
                prop_assert_eq!(commitment.encode(), bytes);
            }
        }
    }
}

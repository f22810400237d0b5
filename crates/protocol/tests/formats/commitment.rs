//! Alt-DA commitments.

use alloy_primitives::{B256, Bytes, keccak256};
use doppio_protocol::commitment::{Commitment, CommitmentError, DERIVATION_VERSION_1, DaLayer};
use proptest::prelude::*;

fn decode(bytes: &[u8]) -> Result<Commitment, CommitmentError> {
    Commitment::decode(&Bytes::copy_from_slice(bytes))
}

// opstack 11 I, commitments: valid keccak, invalid keccak, valid generic, invalid type, empty

#[test]
fn valid_keccak() {
    let hash = keccak256("data");
    let commitment = decode(&[&[0], hash.as_slice()].concat()).unwrap();
    assert_eq!(commitment, Commitment::Keccak(hash));
    assert_eq!(commitment.layer(), None);
}

#[test]
fn invalid_keccak() {
    for length in (0..40).filter(|length| *length != 32) {
        assert_eq!(
            decode(&[vec![0], vec![1; length]].concat()),
            Err(CommitmentError::KeccakLength(length))
        );
    }
}

#[test]
fn valid_generic() {
    for content in [
        &[0u8][..],
        &[0, 3, 0xc0],
        &[0x0a, 1],
        &[0x0c],
        &[0xff; 1000],
    ] {
        let commitment = decode(&[&[1], content].concat()).unwrap();
        assert_eq!(
            commitment,
            Commitment::Generic(Bytes::copy_from_slice(content))
        );
    }
}

#[test]
fn invalid_type() {
    for commitment_type in 2..=u8::MAX {
        assert_eq!(
            decode(&[&[commitment_type], [7; 32].as_slice()].concat()),
            Err(CommitmentError::Type(commitment_type))
        );
    }
}

#[test]
fn empty_commitment() {
    assert_eq!(decode(&[]), Err(CommitmentError::Empty));
    assert_eq!(decode(&[1]), Err(CommitmentError::GenericEmpty));
    assert_eq!(decode(&[0]), Err(CommitmentError::KeccakLength(0)));
}

#[test]
fn the_layer_byte_names_the_layer() {
    let layer = |byte| decode(&[1, byte, 9]).unwrap().layer();
    assert_eq!(layer(0x00), Some(DaLayer::EigenDa));
    assert_eq!(layer(0x0a), Some(DaLayer::Avail));
    assert_eq!(layer(0x0c), Some(DaLayer::Celestia));
    for byte in (1..=u8::MAX).filter(|byte| !matches!(byte, 0x0a | 0x0c)) {
        assert_eq!(layer(byte), Some(DaLayer::Unknown(byte)));
    }
}

#[test]
fn inbox_data_is_the_commitment_behind_derivation_version_1() {
    let commitment = Commitment::Keccak(B256::repeat_byte(5));
    let inbox = commitment.inbox_data();
    assert_eq!(inbox[..2], [DERIVATION_VERSION_1, 0]);
    assert_eq!(Commitment::decode(&inbox.slice(1..)), Ok(commitment));
}

proptest! {
    #[test]
    fn what_is_written_is_read(content in proptest::collection::vec(any::<u8>(), 1..300)) {
        let commitment = Commitment::Generic(content.into());
        prop_assert_eq!(Commitment::decode(&commitment.encode()), Ok(commitment));
    }

    #[test]
    fn what_is_accepted_is_written_back_unchanged(
        kind in 0u8..4, rest in proptest::collection::vec(any::<u8>(), 0..70)
    ) {
        let bytes = Bytes::from([&[kind], rest.as_slice()].concat());
        if let Ok(commitment) = Commitment::decode(&bytes) {
            prop_assert_eq!(commitment.encode(), bytes);
        }
    }
}

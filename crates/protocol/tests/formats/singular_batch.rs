//! Singular batches, and what tells the two kinds of batch apart.

use crate::{
    common::{Kind, Parts, int, list, string},
    span_batch::any_tx,
};
use alloy_primitives::{B256, Bytes};
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use doppio_protocol::{
    BlockId,
    batch::{
        Batch, BatchError, SINGULAR_BATCH_TYPE, SingularBatch, SingularError, TransactionList,
    },
    rlp::RlpError,
};
use proptest::prelude::*;

/// The same batch for alloy's RLP.
#[derive(RlpDecodable, RlpEncodable, Debug, PartialEq)]
struct Reference {
    parent_hash: B256,
    epoch_num: u64,
    epoch_hash: B256,
    timestamp: u64,
    transactions: Vec<Bytes>,
}

fn reference(batch: &SingularBatch) -> Reference {
    Reference {
        parent_hash: batch.parent_hash,
        epoch_num: batch.epoch_num,
        epoch_hash: batch.epoch_hash,
        timestamp: batch.timestamp,
        transactions: batch.transactions.iter().collect(),
    }
}

fn sample() -> SingularBatch {
    SingularBatch {
        parent_hash: B256::repeat_byte(1),
        epoch_num: 77,
        epoch_hash: B256::repeat_byte(2),
        timestamp: 1_700_000_000,
        transactions: Kind::ALL
            .iter()
            .map(|kind| Parts::default().encode(*kind))
            .collect(),
    }
}

/// A batch of encoded fields.
fn decode(fields: &[&[u8]]) -> Result<SingularBatch, SingularError> {
    SingularBatch::decode(&list(fields).into())
}

// opstack 11 E: TestSingularBatchForBatchInterface

#[test]
fn singular_batch_for_batch_interface() {
    let batch = sample();
    assert_eq!(
        batch.epoch(),
        BlockId {
            hash: B256::repeat_byte(2),
            number: 77
        }
    );
    assert_eq!(batch.encode()[0], SINGULAR_BATCH_TYPE);
}

// opstack 11 E: TestBatchRoundTrip, TestBatchRoundTripRLP, FuzzBatchRoundTrip

#[test]
fn batch_round_trip_through_the_type_byte() {
    let batch = sample();
    let decoded = Batch::decode(&batch.encode().into());
    assert_eq!(decoded, Ok(Batch::Singular(batch)));
}

#[test]
fn batch_round_trip_rlp_equals_another_implementations() {
    let batch = sample();
    let encoded = batch.encode();
    assert_eq!(encoded[1..], alloy_rlp::encode(reference(&batch))[..]);
    assert_eq!(Reference::decode(&mut &encoded[1..]), Ok(reference(&batch)));
}

// opstack 2.6: what op-node's RLP refuses

#[test]
fn a_malformed_batch_is_refused_in_the_field_that_is_wrong() {
    let hash = string(&[7; 32]);
    let (n, txs) = (int(5), list(&[]));
    let wrong = |field, error| Err(SingularError { field, error });
    let good: [&[u8]; 5] = [&hash, &n, &hash, &n, &txs];
    assert!(decode(&good).is_ok());
    let replaced = |place: usize, value: &[u8]| {
        let mut fields = good;
        fields[place] = value;
        decode(&fields)
    };
    let short = string(&[7; 31]);
    assert_eq!(
        replaced(0, &short),
        wrong("parent_hash", RlpError::WrongLength(31))
    );
    assert_eq!(
        replaced(1, &[0]),
        wrong("epoch_number", RlpError::LeadingZeros)
    );
    assert_eq!(
        replaced(1, &string(&[1; 9])),
        wrong("epoch_number", RlpError::WrongLength(9))
    );
    assert_eq!(
        replaced(2, &txs),
        wrong("epoch_hash", RlpError::UnexpectedList)
    );
    assert_eq!(
        replaced(3, &string(&[0, 1])),
        wrong("timestamp", RlpError::LeadingZeros)
    );
    assert_eq!(
        replaced(3, &[0x81, 5]),
        wrong("timestamp", RlpError::NonMinimalHeader)
    );
    assert_eq!(
        replaced(4, &hash),
        wrong("transactions", RlpError::UnexpectedString)
    );
    assert_eq!(
        replaced(4, &list(&[&txs])),
        wrong("transactions", RlpError::UnexpectedList)
    );
    assert_eq!(
        replaced(4, &[0xc2, 0x81, 5]),
        wrong("transactions", RlpError::NonMinimalHeader)
    );
    assert_eq!(
        decode(&good[..4]),
        wrong("transactions", RlpError::WrongElementCount)
    );
    let six: Vec<&[u8]> = good.iter().copied().chain([n.as_slice()]).collect();
    assert_eq!(decode(&six), wrong("batch", RlpError::WrongElementCount));
    assert_eq!(
        SingularBatch::decode(&hash.into()),
        wrong("batch", RlpError::UnexpectedString)
    );
}

#[test]
fn a_batch_cut_off_anywhere_is_refused() {
    let encoded = Bytes::from(sample().encode());
    for end in 1..encoded.len() {
        assert!(matches!(
            Batch::decode(&encoded.slice(..end)),
            Err(BatchError::Singular(SingularError {
                field: "batch",
                error: RlpError::Truncated
            }))
        ));
    }
}

#[test]
fn bytes_behind_the_batch_are_ignored_as_op_node_ignores_them() {
    let encoded: Bytes = [sample().encode().as_slice(), &[1, 2, 3]].concat().into();
    assert_eq!(Batch::decode(&encoded), Ok(Batch::Singular(sample())));
}

/// Which transactions count is decided block by block, never while decoding.
#[test]
fn empty_deposit_and_unknown_transactions_are_decoded() {
    let transactions: [&[u8]; 4] = [&[], &[0x7e, 1], &[0x03], &[0xff; 200]];
    let batch = SingularBatch {
        transactions: transactions.iter().collect(),
        ..sample()
    };
    let Ok(Batch::Singular(decoded)) = Batch::decode(&batch.encode().into()) else {
        panic!("not decoded")
    };
    assert!(decoded.transactions.iter_slices().eq(transactions));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        parent_hash in any::<[u8; 32]>(), epoch_hash in any::<[u8; 32]>(),
        epoch_num in any::<u64>(), timestamp in any::<u64>(), shift in 0u32..64,
        txs in proptest::collection::vec(any_tx(), 0..5),
        opaque in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..5),
    ) {
        let txs = txs.iter().map(|(kind, parts)| parts.encode(*kind));
        let opaque = opaque.into_iter().map(Bytes::from);
        let batch = SingularBatch {
            parent_hash: parent_hash.into(),
            epoch_num: epoch_num >> shift,
            epoch_hash: epoch_hash.into(),
            timestamp: timestamp >> shift,
            transactions: txs.chain(opaque).collect::<TransactionList>(),
        };
        let encoded = batch.encode();
        prop_assert_eq!(&encoded[1..], alloy_rlp::encode(reference(&batch)));
        prop_assert_eq!(Batch::decode(&encoded.into()), Ok(Batch::Singular(batch)));
    }

    /// The format is canonical: what is accepted is written back unchanged.
    #[test]
    fn what_is_accepted_is_written_back_unchanged(
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        random in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut bytes = sample().encode();
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        for bytes in [bytes, [&[0], random.as_slice()].concat()] {
            if let Ok(Batch::Singular(batch)) = Batch::decode(&bytes.clone().into()) {
                let encoded = batch.encode();
                prop_assert_eq!(&encoded[..], &bytes[..encoded.len()]);
            }
        }
    }
}

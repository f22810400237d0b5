//! Span batches: prefix, block counts, origins, and the run of blocks.

use crate::{
    common::{BLOCK_TIME, GENESIS_TIME, Kind, Parts, span_params, uvarint},
    span_raw::{
        Block, FIELDS, L1_ORIGIN, ORIGIN, PARENT, REL_TIMESTAMP, Raw, mixed, sample, singulars,
        write,
    },
};
use alloy_primitives::{B256, Bytes};
use doppio_protocol::batch::{
    Batch, BatchError, SPAN_BATCH_TYPE, SingularBatch, SpanBatch, SpanBatchWriter, SpanBlock,
    SpanCursor, SpanDecodeError, SpanField, SpanWriteError, TransactionList, VarintError,
};
use proptest::prelude::*;
use std::sync::Arc;

pub(crate) fn blocks_of(batch: SpanBatch) -> Vec<SpanBlock> {
    let params = span_params();
    batch.check_transactions(&params).unwrap();
    let mut cursor = SpanCursor::new(Arc::new(batch), params);
    std::iter::from_fn(|| cursor.next_block())
        .map(Result::unwrap)
        .collect()
}

fn expected(blocks: &[Block]) -> Vec<SpanBlock> {
    singulars(blocks)
        .into_iter()
        .map(|batch| SpanBlock {
            timestamp: batch.timestamp,
            epoch_num: batch.epoch_num,
            transactions: batch.transactions,
        })
        .collect()
}

fn empty_blocks(origins: &[bool]) -> Vec<Block> {
    origins
        .iter()
        .map(|new_origin| Block {
            new_origin: *new_origin,
            txs: vec![],
        })
        .collect()
}

// opstack 11 E: TestSpanBatchForBatchInterface

#[test]
fn span_batch_for_batch_interface() {
    let blocks = sample();
    let batch = Raw::new(&blocks).decode().unwrap();
    let params = span_params();
    assert_eq!(batch.rel_timestamp(), REL_TIMESTAMP);
    assert_eq!(batch.timestamp(0, &params), GENESIS_TIME + REL_TIMESTAMP);
    assert_eq!(
        batch.last_timestamp(&params),
        GENESIS_TIME + REL_TIMESTAMP + 3 * BLOCK_TIME
    );
    assert_eq!(batch.start_epoch_num(), L1_ORIGIN - 2);
    assert_eq!(batch.last_epoch_num(), L1_ORIGIN);
    assert_eq!((batch.block_count(), batch.tx_count()), (4, 15));
    assert!(batch.matches_parent(&PARENT.into()) && batch.matches_l1_origin(&ORIGIN.into()));
    let near = |hash: [u8; 32], index: usize| {
        let mut hash = hash;
        hash[index] ^= 1;
        B256::from(hash)
    };
    assert!(batch.matches_parent(&near(PARENT, 20)) && !batch.matches_parent(&near(PARENT, 19)));
    assert!(batch.matches_l1_origin(&near(ORIGIN, 31)));
    assert!(!batch.matches_l1_origin(&near(ORIGIN, 0)));
}

// opstack 11 E: TestEmptySpanBatch

#[test]
fn empty_span_batch_is_refused_on_encode_and_decode() {
    assert_eq!(
        SpanBatchWriter::new(span_params()).encode(),
        Err(SpanWriteError::Empty)
    );
    let empty = Raw::new(&[]);
    assert_eq!(empty.field(SpanField::BlockCount), [0]);
    assert_eq!(empty.decode(), Err(SpanDecodeError::Empty));
}

// opstack 11 E: TestSpanBatchOriginBits, TestSpanBatchMaxOriginBitsLength

#[test]
fn origin_bits_are_read_from_the_lowest_bit_of_the_last_byte() {
    for count in [1usize, 7, 8, 9, 16, 17] {
        for place in 0..count {
            let origins: Vec<bool> = (0..count).map(|index| index == place).collect();
            let raw = Raw::new(&empty_blocks(&origins));
            let batch = raw.decode().unwrap();
            assert_eq!(batch.first_origin_bit(), place == 0);
            let before = L1_ORIGIN - u64::from(place > 0);
            assert_eq!(
                batch.start_epoch_num(),
                before,
                "the first bit changes no number"
            );
            let epochs: Vec<u64> = blocks_of(batch)
                .iter()
                .map(|block| block.epoch_num)
                .collect();
            let expected = (0..count).map(|index| if index < place { before } else { L1_ORIGIN });
            assert!(epochs.into_iter().eq(expected));
        }
    }
}

#[test]
fn origin_bits_too_short_are_truncated() {
    let raw = Raw::new(&empty_blocks(&[false; 9])).with(SpanField::OriginBits, vec![1]);
    let end: usize = FIELDS[..6]
        .iter()
        .map(|field| raw.field(*field).len())
        .sum();
    let result = SpanBatch::decode(raw.bytes().slice(..end));
    assert_eq!(
        result,
        Err(SpanDecodeError::Truncated(SpanField::OriginBits))
    );
}

#[test]
fn origin_bits_beyond_the_block_count_are_refused() {
    for (count, bits) in [
        (1, vec![0b10]),
        (7, vec![0x80]),
        (9, vec![0b10, 0]),
        (15, vec![0x80, 0]),
    ] {
        let raw = Raw::new(&empty_blocks(&vec![false; count])).with(SpanField::OriginBits, bits);
        assert_eq!(
            raw.decode(),
            Err(SpanDecodeError::ExcessBits(SpanField::OriginBits))
        );
    }
}

#[test]
fn max_origin_bits_length_is_checked_before_the_bits() {
    let raw = Raw::new(&empty_blocks(&[false])).with(SpanField::BlockCount, uvarint(10_000_000));
    assert_eq!(
        raw.decode(),
        Err(SpanDecodeError::Truncated(SpanField::OriginBits))
    );
}

// opstack 11 E: TestSpanBatchPrefix, RelTimestamp, L1OriginNum, ParentCheck, L1OriginCheck

#[test]
fn prefix_fields_are_read_and_written() {
    let raw = Raw::new(&empty_blocks(&[true]));
    assert_eq!(write(&empty_blocks(&[true])).unwrap()[1..], raw.bytes()[..]);
    for field in &FIELDS[..4] {
        assert!(!raw.field(*field).is_empty());
    }
}

#[test]
fn rel_timestamp_and_l1_origin_num_have_64_bits() {
    for value in [0, 1, 127, 128, u64::from(u32::MAX), u64::MAX] {
        let raw = Raw::new(&empty_blocks(&[false]))
            .with(SpanField::RelTimestamp, uvarint(value))
            .with(SpanField::L1OriginNum, uvarint(value));
        let batch = raw.decode().unwrap();
        assert_eq!(
            (batch.rel_timestamp(), batch.last_epoch_num()),
            (value, value)
        );
    }
    for field in [SpanField::RelTimestamp, SpanField::L1OriginNum] {
        let too_long = [vec![0xff; 9], vec![2]].concat();
        let raw = Raw::new(&empty_blocks(&[false])).with(field, too_long);
        assert_eq!(
            raw.decode(),
            Err(SpanDecodeError::Varint(field, VarintError::Overflow))
        );
    }
}

/// op-node adds and multiplies these numbers with wrap-around.
#[test]
fn times_and_epochs_wrap_as_op_nodes_do() {
    let raw = Raw::new(&empty_blocks(&[false, true, true]))
        .with(SpanField::RelTimestamp, uvarint(u64::MAX - GENESIS_TIME))
        .with(SpanField::L1OriginNum, uvarint(1));
    let blocks = blocks_of(raw.decode().unwrap());
    let seen: Vec<_> = blocks
        .iter()
        .map(|block| (block.timestamp, block.epoch_num))
        .collect();
    assert_eq!(
        seen,
        [
            (u64::MAX, u64::MAX),
            (BLOCK_TIME - 1, 0),
            (2 * BLOCK_TIME - 1, 1)
        ]
    );
}

#[test]
fn parent_check_and_l1_origin_check_are_20_bytes() {
    let mut check: Vec<u8> = (1..=20).collect();
    let raw = Raw::new(&empty_blocks(&[false])).with(SpanField::ParentCheck, check.clone());
    assert_eq!(raw.decode().unwrap().parent_check().as_slice(), check);
    check.reverse();
    let raw = raw.with(SpanField::L1OriginCheck, check.clone());
    assert_eq!(raw.decode().unwrap().l1_origin_check().as_slice(), check);
}

// opstack 11 E: TestSpanBatchPayload, BlockCount, BlockTxCounts, Txs, MaxBlockCount,
// MaxBlockTxCount, TotalBlockTxCountNotOverflow, UvarintConformance, NonMinimalBlockCount

#[test]
fn payload_and_txs_equal_the_specifications_layout() {
    let blocks = sample();
    assert_eq!(write(&blocks).unwrap()[1..], Raw::new(&blocks).bytes()[..]);
}

#[test]
fn block_count_is_read_whatever_its_encoding() {
    let raw = Raw::new(&empty_blocks(&[false; 5]));
    for encoding in [vec![5], vec![0x85, 0], vec![0x85, 0x80, 0x80, 0]] {
        let batch = raw
            .clone()
            .with(SpanField::BlockCount, encoding)
            .decode()
            .unwrap();
        assert_eq!(batch.block_count(), 5);
    }
    assert_eq!(
        raw.with(SpanField::BlockCount, vec![0x80; 11]).decode(),
        Err(SpanDecodeError::Varint(
            SpanField::BlockCount,
            VarintError::Overflow
        ))
    );
}

#[test]
fn max_block_count_is_ten_million() {
    let raw = |count| Raw::new(&empty_blocks(&[false])).with(SpanField::BlockCount, uvarint(count));
    for count in [10_000_001, u64::from(u32::MAX), u64::MAX] {
        assert_eq!(
            raw(count).decode(),
            Err(SpanDecodeError::TooMany(SpanField::BlockCount))
        );
    }
    assert_eq!(
        raw(10_000_000).decode(),
        Err(SpanDecodeError::Truncated(SpanField::OriginBits)),
        "the limit itself is allowed"
    );
}

#[test]
fn block_tx_counts_say_which_block_a_transaction_is_of() {
    let txs = mixed();
    let blocks: Vec<Block> = [0, 3, 0, 2, 1]
        .iter()
        .scan(txs.into_iter(), |txs, count| {
            Some(Block {
                new_origin: false,
                txs: txs.by_ref().take(*count).collect(),
            })
        })
        .collect();
    let raw = Raw::new(&blocks);
    assert_eq!(raw.field(SpanField::BlockTxCounts), [0, 3, 0, 2, 1]);
    assert_eq!(blocks_of(raw.decode().unwrap()), expected(&blocks));
}

#[test]
fn max_block_tx_count_is_ten_million() {
    let raw =
        |count| Raw::new(&empty_blocks(&[false])).with(SpanField::BlockTxCounts, uvarint(count));
    for count in [10_000_001, u64::MAX] {
        assert_eq!(
            raw(count).decode(),
            Err(SpanDecodeError::TooMany(SpanField::BlockTxCounts))
        );
    }
    assert_eq!(
        raw(10_000_000).decode(),
        Err(SpanDecodeError::Truncated(SpanField::ContractCreationBits))
    );
}

#[test]
fn total_block_tx_count_not_overflow() {
    let counts: Vec<u8> = [10_000_000, 1].into_iter().flat_map(uvarint).collect();
    let raw = Raw::new(&empty_blocks(&[false; 2])).with(SpanField::BlockTxCounts, counts);
    assert_eq!(
        raw.decode(),
        Err(SpanDecodeError::TooMany(SpanField::BlockTxCounts))
    );
}

// opstack 11 E: TestSpanBatchRoundTrip, TestBatchRoundTrip, TestBatchRoundTripRLP

#[test]
fn span_batch_round_trip() {
    let blocks = sample();
    let encoded = Bytes::from(write(&blocks).unwrap());
    assert_eq!(encoded[0], SPAN_BATCH_TYPE);
    let Batch::Span(batch) = Batch::decode(&encoded).unwrap() else {
        panic!("not a span")
    };
    assert_eq!(batch.encoded_len(), encoded.len() - 1);
    assert_eq!(blocks_of(batch), expected(&blocks));
}

// opstack 11 E: TestSpanBatchDerive, TestSpanBatchToSingularBatch

#[test]
fn span_batch_derive_gives_the_blocks_it_was_made_of() {
    let blocks = sample();
    let derived = blocks_of(Raw::new(&blocks).decode().unwrap());
    assert_eq!(derived, expected(&blocks));
}

#[test]
fn to_singular_batch_needs_only_the_hashes_that_a_span_leaves_out() {
    let blocks = sample();
    let derived = blocks_of(Raw::new(&blocks).decode().unwrap());
    let again: Vec<SingularBatch> = derived
        .into_iter()
        .zip(singulars(&blocks))
        .map(|(block, source)| SingularBatch {
            parent_hash: source.parent_hash,
            epoch_num: block.epoch_num,
            epoch_hash: source.epoch_hash,
            timestamp: block.timestamp,
            transactions: block.transactions,
        })
        .collect();
    assert_eq!(again, singulars(&blocks));
}

#[test]
fn a_cursor_that_skips_blocks_reads_the_later_ones_alike() {
    let blocks = sample();
    let expected = expected(&blocks);
    let batch = Arc::new(Raw::new(&blocks).decode().unwrap());
    for skipped in 0..=blocks.len() {
        let mut cursor = SpanCursor::new(Arc::clone(&batch), span_params());
        (0..skipped).for_each(|_| cursor.skip_block());
        assert_eq!(cursor.position(), skipped);
        assert_eq!(cursor.remaining(), blocks.len() - skipped);
        let next = expected.get(skipped);
        assert_eq!(
            cursor.peek(),
            next.map(|block| (block.timestamp, block.epoch_num))
        );
        assert_eq!(cursor.next_block().transpose().unwrap().as_ref(), next);
    }
}

// opstack 11 E: TestSpanBatchAppend, TestSpanBatchMerge

#[test]
fn append_equals_writing_all_at_once() {
    let blocks = sample();
    let batches = singulars(&blocks);
    let mut writer = SpanBatchWriter::new(span_params());
    for (count, batch) in (1u64..).zip(&batches) {
        writer.push(batch, 1).unwrap();
        assert_eq!(writer.block_count(), count);
        let so_far = writer.encode().unwrap();
        let read = SpanBatch::decode(so_far[1..].to_vec().into()).unwrap();
        assert_eq!(read.block_count() as u64, count);
        assert_eq!(read.last_epoch_num(), batch.epoch_num);
        assert!(read.matches_l1_origin(&batch.epoch_hash));
        assert!(read.matches_parent(&batches[0].parent_hash));
    }
    assert_eq!(writer.encode().unwrap()[1..], Raw::new(&blocks).bytes()[..]);
}

#[test]
fn merge_sets_the_first_origin_bit_by_the_sequence_number() {
    let batch = singulars(&sample()).remove(0);
    for (sequence_number, bit) in [(0, true), (1, false), (77, false)] {
        let mut writer = SpanBatchWriter::new(span_params());
        writer.push(&batch, sequence_number).unwrap();
        let read = SpanBatch::decode(writer.encode().unwrap()[1..].to_vec().into()).unwrap();
        assert_eq!(read.first_origin_bit(), bit);
    }
}

#[test]
fn a_block_that_does_not_follow_is_refused_and_changes_nothing() {
    let batches = singulars(&sample());
    let mut writer = SpanBatchWriter::new(span_params());
    writer.push(&batches[0], 1).unwrap();
    let before = writer.encode().unwrap();
    let next = &batches[1];
    let early = SingularBatch {
        timestamp: next.timestamp - 1,
        ..next.clone()
    };
    let before_genesis = SingularBatch {
        timestamp: GENESIS_TIME - 1,
        ..next.clone()
    };
    let far = SingularBatch {
        epoch_num: next.epoch_num + 1,
        ..next.clone()
    };
    let back = SingularBatch {
        epoch_num: next.epoch_num - 2,
        ..next.clone()
    };
    let foreign = Parts {
        chain_id: 5,
        ..Parts::default()
    };
    let good = Parts::default();
    let transactions: TransactionList = [good.encode(Kind::Legacy), foreign.encode(Kind::Eip1559)]
        .iter()
        .collect();
    let bad_tx = SingularBatch {
        transactions,
        ..next.clone()
    };
    let timestamp = next.timestamp;
    for (batch, error) in [
        (
            early,
            SpanWriteError::NotConsecutive {
                expected: timestamp,
                found: timestamp - 1,
            },
        ),
        (
            before_genesis,
            SpanWriteError::BeforeGenesis(GENESIS_TIME - 1),
        ),
        (
            far,
            SpanWriteError::Epoch {
                previous: L1_ORIGIN - 2,
                found: L1_ORIGIN,
            },
        ),
        (
            back,
            SpanWriteError::Epoch {
                previous: L1_ORIGIN - 2,
                found: L1_ORIGIN - 3,
            },
        ),
        (
            bad_tx,
            SpanWriteError::ChainId {
                timestamp,
                index: 1,
            },
        ),
    ] {
        assert_eq!(writer.push(&batch, 1), Err(error));
        assert_eq!(writer.encode().unwrap(), before);
    }
    writer.push(next, 1).unwrap();
}

// opstack 2.7: truncation names the field; trailing bytes are ignored

#[test]
fn a_batch_cut_off_anywhere_is_refused_in_the_field_of_the_cut() {
    let raw = Raw::new(&sample());
    let whole = raw.bytes();
    let mut start = 0;
    for field in FIELDS {
        let end = start + raw.field(field).len();
        for cut in start..end {
            let error = SpanBatch::decode(whole.slice(..cut)).unwrap_err();
            let named = match error {
                SpanDecodeError::Truncated(named) => named,
                SpanDecodeError::Varint(named, VarintError::Truncated) => named,
                // the header of a transaction
                SpanDecodeError::NotAList(_) => SpanField::TxDatas,
                other => panic!("{other}"),
            };
            assert_eq!(named, field, "cut at {cut}");
        }
        start = end;
    }
    assert_eq!(start, whole.len());
}

#[test]
fn trailing_bytes_are_ignored_as_op_node_ignores_them() {
    let raw = Raw::new(&sample());
    let more: Bytes = [raw.bytes().as_ref(), &[1, 2, 3]].concat().into();
    assert_eq!(
        blocks_of(SpanBatch::decode(more).unwrap()),
        expected(&sample())
    );
}

#[test]
fn an_unknown_batch_type_and_an_empty_string_are_refused() {
    assert_eq!(Batch::decode(&Bytes::new()), Err(BatchError::Empty));
    // 2 is reserved for spans of several blocks a second
    for batch_type in 2..=u8::MAX {
        let bytes: Bytes = [&[batch_type], Raw::new(&sample()).bytes().as_ref()]
            .concat()
            .into();
        assert_eq!(
            Batch::decode(&bytes),
            Err(BatchError::UnknownType(batch_type))
        );
    }
}

prop_compose! {
    fn any_parts()(
        nonce in any::<u64>(), gas in any::<u64>(), to in any::<Option<[u8; 20]>>(),
        value in any::<[u8; 32]>(), shift in 0usize..257, fee in any::<u128>(), tip in any::<u128>(),
        input in proptest::collection::vec(any::<u8>(), 0..70),
        slots in proptest::collection::vec(any::<[u8; 32]>(), 0..3),
        r in any::<[u8; 32]>(), s in any::<[u8; 32]>(), y_parity in any::<bool>(),
    ) -> Parts {
        let number = |bytes| alloy_primitives::U256::from_be_bytes::<32>(bytes) >> shift;
        Parts {
            nonce: nonce >> (shift % 64),
            gas: gas >> (shift % 64),
            to: to.map(Into::into),
            value: number(value),
            fee: fee >> (shift % 128),
            tip,
            input: input.into(),
            slots: slots.into_iter().map(Into::into).collect(),
            r: number(r),
            s: number(s),
            y_parity,
            ..Parts::default()
        }
    }
}

pub(crate) fn any_tx() -> impl Strategy<Value = (Kind, Parts)> {
    (proptest::sample::select(Kind::ALL.to_vec()), any_parts()).prop_map(|(kind, mut parts)| {
        if kind == Kind::Eip7702 {
            parts.to.get_or_insert_default();
        }
        (kind, parts)
    })
}

fn any_blocks() -> impl Strategy<Value = Vec<Block>> {
    let txs = proptest::collection::vec(any_tx(), 0..5);
    let block = (any::<bool>(), txs).prop_map(|(new_origin, txs)| Block { new_origin, txs });
    proptest::collection::vec(block, 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 3))]

    /// FuzzBatchRoundTrip, over every transaction type, against the second encoder.
    #[test]
    fn what_is_written_has_the_layout_and_is_read(blocks in any_blocks()) {
        let encoded = write(&blocks).unwrap();
        prop_assert_eq!(&encoded[1..], &Raw::new(&blocks).bytes()[..]);
        let read = SpanBatch::decode(encoded[1..].to_vec().into()).unwrap();
        prop_assert_eq!(blocks_of(read), expected(&blocks));
    }

    /// What survives arbitrary changes reads the same through every path of the cursor.
    #[test]
    fn hostile_bytes_give_a_typed_error_or_consistent_blocks(
        blocks in any_blocks(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Raw::new(&blocks).bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if cut.index(4) == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        let params = span_params();
        if let Ok(batch) = SpanBatch::decode(bytes.into()) {
            prop_assume!(batch.block_count() < 10_000);
            let checked = batch.check_transactions(&params);
            let batch = Arc::new(batch);
            let mut reading = SpanCursor::new(Arc::clone(&batch), params);
            let mut skipping = SpanCursor::new(batch, params);
            let mut failed = None;
            while let Some(block) = reading.next_block() {
                if let Err(error) = block {
                    failed = Some(error);
                    break;
                }
                skipping.skip_block();
                prop_assert_eq!(reading.position(), skipping.position());
                prop_assert_eq!(reading.peek(), skipping.peek());
            }
            prop_assert_eq!(checked.err(), failed);
        }
    }
}

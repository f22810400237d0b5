//! The transactions of span batches: taken apart, put together, refused.

use crate::{
    common::{
        BLOCK_TIME, CHAIN_ID, GENESIS_TIME, Kind, Parts, int, list, span_params, string, uvarint,
    },
    span_batch::{any_tx, blocks_of},
    span_raw::{Block, Raw, bitlist, mixed, tx_data, write},
};
use alloy_primitives::{Address, Bytes, U256, keccak256};
use doppio_protocol::{
    batch::{
        SingularBatch, SpanBatch, SpanBatchWriter, SpanCursor, SpanDecodeError, SpanField,
        SpanParams, SpanTxError, SpanWriteError, TxFieldError, VarintError,
    },
    rlp::RlpError,
};
use proptest::prelude::*;
use std::sync::Arc;

fn block(txs: Vec<(Kind, Parts)>) -> Vec<Block> {
    vec![Block {
        new_origin: false,
        txs,
    }]
}

fn raw(txs: Vec<(Kind, Parts)>) -> Raw {
    Raw::new(&block(txs))
}

/// The transactions of a span, put together.
fn full_txs(raw: &Raw) -> Vec<Bytes> {
    blocks_of(raw.decode().unwrap())
        .iter()
        .flat_map(|block| block.transactions.iter().collect::<Vec<_>>())
        .collect()
}

fn check(raw: &Raw) -> Result<(), TxFieldError> {
    check_with(raw, &span_params())
}

fn check_with(raw: &Raw, params: &SpanParams) -> Result<(), TxFieldError> {
    let batch = raw.decode().unwrap();
    let checked = batch
        .check_transactions(params)
        .map_err(|SpanTxError { error, .. }| error);
    let read = SpanCursor::new(Arc::new(batch), *params)
        .next_block()
        .unwrap();
    assert_eq!(
        read.map(|_| ()).map_err(|error| error.error),
        checked,
        "two ways, one verdict"
    );
    checked
}

fn push(tx: &Bytes) -> Result<(), SpanWriteError> {
    push_with(tx, span_params())
}

fn push_with(tx: &Bytes, params: SpanParams) -> Result<(), SpanWriteError> {
    let batch = SingularBatch {
        timestamp: GENESIS_TIME + BLOCK_TIME,
        transactions: [tx].into_iter().collect(),
        ..SingularBatch::default()
    };
    SpanBatchWriter::new(params).push(&batch, 0)
}

/// A span of one transaction whose data is given.
fn with_data(data: Vec<u8>) -> Raw {
    raw(vec![(Kind::Eip1559, Parts::default())]).with(SpanField::TxDatas, data)
}

// opstack 11 E: TestSpanBatchTxConvert, TestSpanBatchTxRoundTrip, each type

#[test]
fn span_batch_tx_convert_and_round_trip_keep_every_type() {
    for kind in Kind::ALL {
        for to in [Some(Address::repeat_byte(0x77)), None] {
            if kind == Kind::Eip7702 && to.is_none() {
                continue;
            }
            for y_parity in [false, true] {
                let parts = Parts {
                    to,
                    y_parity,
                    ..Parts::default()
                };
                let span = raw(vec![(kind, parts.clone())]);
                assert_eq!(full_txs(&span), [parts.encode(kind)], "{kind:?}");
                let written = write(&block(vec![(kind, parts)])).unwrap();
                assert_eq!(written[1..], span.bytes()[..], "{kind:?}");
            }
        }
    }
}

// opstack 11 E: TestSpanBatchTxsRecoverV per type

#[test]
fn recover_v_per_type() {
    for y_parity in [false, true] {
        let parts = Parts {
            y_parity,
            ..Parts::default()
        };
        let y = u64::from(y_parity);
        for (kind, v, place) in [
            (Kind::Unprotected, 27 + y, 6),
            (Kind::Legacy, 2 * CHAIN_ID + 35 + y, 6),
            (Kind::Eip2930, y, 8),
            (Kind::Eip1559, y, 9),
            (Kind::Eip7702, y, 10),
            (Kind::Celo, y, 10),
        ] {
            let tx = &full_txs(&raw(vec![(kind, parts.clone())]))[0];
            let type_length = usize::from(tx[0] < 0x80);
            let mut rest = &tx[type_length..];
            let mut fields = doppio_protocol::rlp::next_item(&mut rest).unwrap().payload;
            for _ in 0..place {
                doppio_protocol::rlp::next_item(&mut fields).unwrap();
            }
            let found = doppio_protocol::rlp::next_item(&mut fields).unwrap().u64();
            assert_eq!(found, Ok(v), "{kind:?}");
        }
    }
}

/// `2 · chain id + 35 + y` does not fit 64 bits for the largest chain ids.
#[test]
fn recover_v_of_a_huge_chain_id_does_not_overflow() {
    let params = SpanParams {
        chain_id: u64::MAX,
        ..span_params()
    };
    let batch = raw(vec![(Kind::Legacy, Parts::default())])
        .decode()
        .unwrap();
    let mut cursor = SpanCursor::new(Arc::new(batch), params);
    let block = cursor.next_block().unwrap().unwrap();
    let v = U256::from(u64::MAX) * U256::from(2) + U256::from(36);
    let encoded = [&[0x89], &v.to_be_bytes::<32>()[23..]].concat();
    let tx = block.transactions.iter().next().unwrap();
    assert!(tx.windows(encoded.len()).any(|window| window == encoded));
    assert_eq!(push_with(&tx, params), Ok(()));
}

// opstack 11 E: TestSpanBatchTxInvalidTxType, TestSpanBatchTxsRecoverVInvalidTxType

#[test]
fn span_batch_tx_invalid_tx_type() {
    let body = &tx_data(Kind::Eip1559, &Parts::default())[1..];
    for tx_type in (0..=0x7f).filter(|tx_type| ![1, 2, 4, 0x7b, 0x7d].contains(tx_type)) {
        let span = with_data([&[tx_type], body].concat());
        // 0 counts as legacy until the transaction is put together
        let span = match tx_type {
            0 => span.with(SpanField::ProtectedBits, vec![0]),
            _ => span,
        };
        assert_eq!(check(&span), Err(TxFieldError::Type(tx_type)));
    }
}

#[test]
fn recover_v_invalid_tx_type_loses_the_span_and_names_the_transaction() {
    let mut datas = tx_data(Kind::Eip1559, &Parts::default());
    datas.extend([0x05, 0xc0]);
    let span = raw(vec![(Kind::Eip1559, Parts::default()); 2]).with(SpanField::TxDatas, datas);
    assert_eq!(
        span.decode().unwrap().check_transactions(&span_params()),
        Err(SpanTxError {
            index: 1,
            error: TxFieldError::Type(5)
        })
    );
}

#[test]
fn celos_type_and_post_exec_are_known_only_where_the_profile_says() {
    for (kind, tx_type, params) in [
        (
            Kind::Celo,
            0x7b,
            SpanParams {
                celo_dynamic_fee_v2: false,
                ..span_params()
            },
        ),
        (
            Kind::PostExec,
            0x7d,
            SpanParams {
                post_exec: false,
                ..span_params()
            },
        ),
    ] {
        let span = raw(vec![(kind, Parts::default())]);
        assert_eq!(check(&span), Ok(()));
        assert_eq!(check_with(&span, &params), Err(TxFieldError::Type(tx_type)));
        let written = push_with(&Parts::default().encode(kind), params);
        assert!(matches!(
            written,
            Err(SpanWriteError::Transaction { error: TxFieldError::Type(found), .. })
                if found == tx_type
        ));
    }
}

// opstack 11 E: TestSpanBatchTxDecodeInvalid

#[test]
fn span_batch_tx_decode_invalid() {
    let wrong = |field, error| Err(TxFieldError::Field { field, error });
    let number = int(5);
    let zeros = string(&[0, 1]);
    let data = string(&[1, 2]);
    let empty = list(&[]);
    for (tx_type, fields, expected) in [
        // too few and too many fields
        (
            2,
            vec![&number, &number],
            wrong("maxFeePerGas", RlpError::WrongElementCount),
        ),
        (
            1,
            vec![&number, &number, &data],
            wrong("accessList", RlpError::WrongElementCount),
        ),
        (
            1,
            vec![&number, &number, &data, &empty, &number],
            wrong("transaction", RlpError::WrongElementCount),
        ),
        // a list for a number, a number for a list, leading zeros
        (
            2,
            vec![&empty, &number, &number, &data, &empty],
            wrong("value", RlpError::UnexpectedList),
        ),
        (
            2,
            vec![&zeros, &number, &number, &data, &empty],
            wrong("value", RlpError::LeadingZeros),
        ),
        (
            2,
            vec![&number, &number, &number, &empty, &empty],
            wrong("data", RlpError::UnexpectedList),
        ),
        (
            2,
            vec![&number, &number, &number, &data, &number],
            wrong("accessList", RlpError::UnexpectedString),
        ),
        (
            0x7b,
            vec![&number, &number, &number, &data, &empty, &data],
            wrong("feeCurrency", RlpError::WrongLength(2)),
        ),
    ] {
        let fields: Vec<&[u8]> = fields.iter().map(|field| field.as_slice()).collect();
        let span = with_data([&[tx_type], list(&fields).as_slice()].concat());
        assert_eq!(check(&span), expected, "{fields:x?}");
    }
}

#[test]
fn access_lists_and_authorizations_are_checked_inside() {
    let address = string(&[1; 20]);
    let entry = |address: &[u8], slots: &[u8]| list(&[&list(&[address, slots])]);
    let slot = string(&[2; 32]);
    let good = entry(&address, &list(&[&slot]));
    let short = string(&[2; 31]);
    let access = |access: Vec<u8>| {
        let n = int(1);
        let fields: [&[u8]; 5] = [&n, &n, &n, &string(&[]), &access];
        check(&with_data([&[2], list(&fields).as_slice()].concat()))
    };
    let wrong = |field, error| Err(TxFieldError::Field { field, error });
    assert_eq!(access(good.clone()), Ok(()));
    let list_of = |error| wrong("accessList", error);
    assert_eq!(
        access(entry(&short, &list(&[]))),
        list_of(RlpError::WrongLength(31))
    );
    assert_eq!(
        access(entry(&address, &list(&[&short]))),
        list_of(RlpError::WrongLength(31))
    );
    assert_eq!(
        access(entry(&address, &slot)),
        list_of(RlpError::UnexpectedString)
    );
    let three = list(&[&list(&[&address, &list(&[]), &int(1)])]);
    assert_eq!(access(three), list_of(RlpError::WrongElementCount));

    let authorization = |chain_id: Vec<u8>, nonce: Vec<u8>, y: Vec<u8>| {
        let (n, r) = (int(1), int(9));
        let tuple = list(&[&chain_id, &address, &nonce, &y, &r, &r]);
        let fields: [&[u8]; 6] = [&n, &n, &n, &string(&[]), &good, &list(&[&tuple])];
        check(&with_data([&[4], list(&fields).as_slice()].concat()))
    };
    let auth = |error| wrong("authorizationList", error);
    let huge = string(&[0xff; 33]);
    assert_eq!(
        authorization(string(&[0xff; 32]), int(u64::MAX), int(255)),
        Ok(())
    );
    assert_eq!(
        authorization(huge.clone(), int(0), int(0)),
        auth(RlpError::WrongLength(33))
    );
    assert_eq!(
        authorization(int(0), string(&[1; 9]), int(0)),
        auth(RlpError::WrongLength(9))
    );
    assert_eq!(
        authorization(int(0), int(0), int(256)),
        auth(RlpError::WrongLength(2))
    );

    // op-node decodes the numbers of SetCode transactions into 256 bits, those of others not
    let numbers = |tx_type: u8, more: &[&[u8]]| {
        let empty = (string(&[]), list(&[]));
        let fields = [&[huge.as_slice(), &huge, &huge, &empty.0, &empty.1], more].concat();
        check(&with_data([&[tx_type], list(&fields).as_slice()].concat()))
    };
    assert_eq!(numbers(2, &[]), Ok(()));
    assert_eq!(
        numbers(4, &[&list(&[])]),
        wrong("value", RlpError::WrongLength(33))
    );
}

// opstack 11 E: TestSpanBatchTxSetCodeInvalidTo

#[test]
fn span_batch_tx_set_code_invalid_to() {
    let span = raw(vec![(Kind::Eip7702, Parts::default())])
        .with(SpanField::ContractCreationBits, vec![1])
        .with(SpanField::TxTos, Vec::new());
    assert_eq!(check(&span), Err(TxFieldError::SetCodeWithoutRecipient));
    let tx = Parts::default().encode(Kind::Eip7702);
    let fields = doppio_protocol::rlp::next_item(&mut &tx[1..])
        .unwrap()
        .payload;
    let to = string(&[0x70; 20]);
    let place = fields.windows(21).position(|window| window == to).unwrap();
    let fields = [&fields[..place], &string(&[]), &fields[place + 21..]].concat();
    let creation: Bytes = [&[4], list(&[&fields]).as_slice()].concat().into();
    assert!(matches!(
        push(&creation),
        Err(SpanWriteError::Transaction {
            error: TxFieldError::SetCodeWithoutRecipient,
            ..
        })
    ));
}

// opstack 11 E: TestSpanBatchReadTxData, ReadTxDataInvalid, ReadTxDataLeadingZero, MaxTxData

#[test]
fn read_tx_data_of_each_type_ends_where_the_list_ends() {
    let span = raw(mixed());
    let expected: Vec<Bytes> = mixed()
        .iter()
        .map(|(kind, parts)| parts.encode(*kind))
        .collect();
    assert_eq!(full_txs(&span), expected);
}

#[test]
fn read_tx_data_invalid_is_not_a_list() {
    let not_a_list = Err(SpanDecodeError::NotAList(0));
    for data in [
        vec![0x80],
        vec![0xb8, 56],
        vec![2, 0x80],
        vec![2, 5],
        vec![2],
        vec![0x7f, 0x7f],
    ] {
        assert_eq!(
            with_data(data.clone()).decode().map(|_| ()),
            not_a_list,
            "{data:x?}"
        );
    }
    // headers that are longer than they need to be
    for header in [
        vec![0xf8, 1, 0],
        vec![0xf8, 55],
        vec![0xf9, 0, 56],
        vec![0xff, 0, 0, 0, 0, 0, 0, 1],
    ] {
        let data = [header, vec![1; 60]].concat();
        assert_eq!(with_data(data).decode().map(|_| ()), not_a_list);
    }
}

#[test]
fn read_tx_data_leading_zero_is_no_legacy_transaction() {
    let legacy = tx_data(Kind::Legacy, &Parts::default());
    let span = raw(vec![(Kind::Legacy, Parts::default())])
        .with(SpanField::TxDatas, [&[0], legacy.as_slice()].concat());
    assert_eq!(check(&span), Err(TxFieldError::Type(0)));
}

#[test]
fn max_tx_data_is_ten_million_bytes_with_the_header() {
    let header = |length: u32| [&[0xfb], length.to_be_bytes().as_slice()].concat();
    let claim = |length| with_data(header(length)).decode().map(|_| ());
    assert_eq!(claim(1 << 24), Err(SpanDecodeError::TxTooLong(0)));
    assert_eq!(claim(u32::MAX), Err(SpanDecodeError::TxTooLong(0)));
    let three = |length: u32| [&[0xfa], &length.to_be_bytes()[1..]].concat();
    let claim = |length| with_data(three(length)).decode().map(|_| ());
    assert_eq!(
        claim(10_000_000 - 3),
        Err(SpanDecodeError::TxTooLong(0)),
        "4 bytes of header"
    );
    assert_eq!(
        claim(10_000_000 - 4),
        Err(SpanDecodeError::Truncated(SpanField::TxDatas))
    );
    let largest = [three(10_000_000 - 4), vec![0x80; 10_000_000 - 4]].concat();
    let span = raw(vec![(Kind::Legacy, Parts::default())]).with(SpanField::TxDatas, largest);
    assert!(span.decode().is_ok());
}

// opstack 11 E: TestSpanBatchTxs ContractCreationBits, ContractCreationCount, YParityBits,
// ProtectedBits, and MaxLength of the three

#[test]
fn contract_creation_bits_say_who_has_a_recipient() {
    let txs: Vec<_> = (0..11)
        .map(|index| {
            let to = (index % 3 != 0).then(|| Address::repeat_byte(index));
            (
                Kind::Eip1559,
                Parts {
                    to,
                    ..Parts::default()
                },
            )
        })
        .collect();
    let span = raw(txs.clone());
    assert_eq!(
        span.field(SpanField::ContractCreationBits),
        [0b010, 0b0100_1001]
    );
    let expected: Vec<Bytes> = txs
        .iter()
        .map(|(kind, parts)| parts.encode(*kind))
        .collect();
    assert_eq!(full_txs(&span), expected);
}

#[test]
fn contract_creation_count_is_how_many_recipients_are_missing() {
    for creations in 0..=9usize {
        let txs = (0..9)
            .map(|index| {
                let to = (index >= creations).then_some(Address::ZERO);
                (
                    Kind::Eip2930,
                    Parts {
                        to,
                        ..Parts::default()
                    },
                )
            })
            .collect();
        let span = raw(txs);
        assert_eq!(span.field(SpanField::TxTos).len(), 20 * (9 - creations));
        assert!(span.decode().is_ok());
    }
}

#[test]
fn bit_lists_of_transactions_are_refused_with_excess_bits_and_truncated_when_short() {
    let txs = vec![(Kind::Legacy, Parts::default()); 7];
    for field in [
        SpanField::ContractCreationBits,
        SpanField::YParityBits,
        SpanField::ProtectedBits,
    ] {
        let excess = raw(txs.clone()).with(field, vec![0x80]);
        assert_eq!(excess.decode(), Err(SpanDecodeError::ExcessBits(field)));
        let mut short = raw(txs.clone()).with(field, Vec::new());
        short.0[field as usize + 1..]
            .iter_mut()
            .for_each(Vec::clear);
        assert_eq!(short.decode(), Err(SpanDecodeError::Truncated(field)));
    }
}

#[test]
fn max_lengths_of_bit_lists_are_checked_by_the_count_of_transactions() {
    for count in [10_000_001, u64::MAX] {
        let span = raw(Vec::new()).with(SpanField::BlockTxCounts, uvarint(count));
        assert_eq!(
            span.decode(),
            Err(SpanDecodeError::TooMany(SpanField::BlockTxCounts))
        );
    }
}

#[test]
fn protected_bits_count_legacy_transactions_only() {
    let kinds = [
        Kind::Legacy,
        Kind::Eip1559,
        Kind::Unprotected,
        Kind::Celo,
        Kind::Legacy,
    ];
    let span = raw(kinds.map(|kind| (kind, Parts::default())).to_vec());
    assert_eq!(span.field(SpanField::ProtectedBits), [0b101]);
    let expected: Vec<Bytes> = kinds
        .iter()
        .map(|kind| Parts::default().encode(*kind))
        .collect();
    assert_eq!(full_txs(&span), expected);
}

// opstack 11 E: TestSpanBatchTxs TxSigs, TxNonces, TxGases, TxTos, TxDatas; kona
// decode_tx_sigs/tos_truncated_input

#[test]
fn tx_sigs_are_words_without_their_zeros_once_put_together() {
    for shift in [0, 1, 7, 8, 200, 248, 255, 256] {
        let r = U256::MAX >> shift;
        let s = (U256::MAX << 3usize) >> shift;
        let parts = Parts {
            r,
            s,
            ..Parts::default()
        };
        assert_eq!(
            full_txs(&raw(vec![(Kind::Legacy, parts.clone())])),
            [parts.encode(Kind::Legacy)]
        );
    }
}

#[test]
fn tx_nonces_and_gases_have_64_bits() {
    for n in [0, 1, 127, 128, 1 << 32, u64::MAX] {
        let parts = Parts {
            nonce: n,
            gas: n,
            ..Parts::default()
        };
        assert_eq!(
            full_txs(&raw(vec![(Kind::Celo, parts.clone())])),
            [parts.encode(Kind::Celo)]
        );
    }
    for field in [SpanField::TxNonces, SpanField::TxGases] {
        let overflow = raw(vec![(Kind::Eip1559, Parts::default())]).with(field, vec![0xff; 10]);
        assert_eq!(
            overflow.decode(),
            Err(SpanDecodeError::Varint(field, VarintError::Overflow))
        );
    }
}

/// field I39: kona refused them; op-node's reader takes them.
#[test]
fn uvarints_need_not_be_minimal() {
    let span = raw(vec![(
        Kind::Eip1559,
        Parts {
            nonce: 3,
            gas: 4,
            ..Parts::default()
        },
    )]);
    let padded = span
        .clone()
        .with(SpanField::TxNonces, vec![0x83, 0])
        .with(SpanField::TxGases, vec![0x84, 0x80, 0])
        .with(SpanField::BlockTxCounts, vec![0x81, 0x80, 0x80, 0]);
    assert_eq!(full_txs(&padded), full_txs(&span));
}

#[test]
fn decode_tx_sigs_and_tos_truncated_input() {
    for (field, length) in [(SpanField::TxSigs, 64), (SpanField::TxTos, 20)] {
        for present in [0, 1, length - 1] {
            let mut span = raw(vec![(Kind::Legacy, Parts::default())]);
            span.0[field as usize].truncate(present);
            span.0[field as usize + 1..].iter_mut().for_each(Vec::clear);
            assert_eq!(span.decode(), Err(SpanDecodeError::Truncated(field)));
        }
    }
}

// opstack 11 E: TestSpanBatchTxsFullTxNotEnoughTxTos

#[test]
fn full_tx_not_enough_tx_tos_shifts_what_follows_and_is_refused() {
    let txs = vec![(Kind::Eip1559, Parts::default()); 2];
    let one_to = raw(txs).with(SpanField::TxTos, vec![0x70; 20]);
    assert!(one_to.decode().is_err());
}

// opstack 11 E: TestSpanBatchTxsAddTxs, RoundTrip, RoundTripFullTxs, kona
// add_eip2930_tx_wrong_chain_id, RejectsWrongChainIDForProtectedTx

#[test]
fn add_txs_in_two_blocks_equals_all_in_order() {
    let txs = mixed();
    let halves: Vec<Block> = txs
        .chunks(3)
        .map(|txs| Block {
            new_origin: false,
            txs: txs.to_vec(),
        })
        .collect();
    let expected: Vec<Bytes> = txs
        .iter()
        .map(|(kind, parts)| parts.encode(*kind))
        .collect();
    assert_eq!(full_txs(&Raw::new(&halves)), expected);
    assert_eq!(write(&halves).unwrap()[1..], Raw::new(&halves).bytes()[..]);
}

#[test]
fn add_tx_with_the_wrong_chain_id_is_refused_unless_it_is_unprotected() {
    let foreign = Parts {
        chain_id: CHAIN_ID + 1,
        ..Parts::default()
    };
    for kind in Kind::ALL {
        let pushed = push(&foreign.encode(kind));
        match kind {
            Kind::Unprotected | Kind::PostExec => assert_eq!(pushed, Ok(())),
            _ => assert!(
                matches!(pushed, Err(SpanWriteError::ChainId { .. })),
                "{kind:?}"
            ),
        }
    }
}

#[test]
fn what_is_no_transaction_is_not_written() {
    let good = Parts::default().encode(Kind::Eip1559);
    let trailing: Bytes = [good.as_ref(), &[0]].concat().into();
    for tx in [
        Bytes::new(),
        good.slice(..good.len() - 1),
        trailing,
        Bytes::from_static(&[0x7d]),
    ] {
        assert!(
            matches!(push(&tx), Err(SpanWriteError::Transaction { .. })),
            "{tx}"
        );
    }
    // a legacy transaction with a v that is neither a parity nor a chain's
    let legacy = Parts::default().encode(Kind::Unprotected);
    let fields = doppio_protocol::rlp::next_item(&mut legacy.as_ref())
        .unwrap()
        .payload;
    let mut rest = fields;
    for _ in 0..6 {
        doppio_protocol::rlp::next_item(&mut rest).unwrap();
    }
    let place = fields.len() - rest.len();
    assert_eq!(fields[place], 28);
    for v in [0, 1, 26, 29, 34] {
        let changed = list(&[&fields[..place], &int(v), &fields[place + 1..]]);
        let pushed = push(&changed.into());
        assert!(
            matches!(pushed, Err(SpanWriteError::ChainId { .. })),
            "v {v}"
        );
    }
}

// opstack-2026-09 2: PostExec

#[test]
fn post_exec_stands_with_empty_fields_and_an_opaque_payload() {
    let parts = Parts::default();
    let span = raw(vec![(Kind::PostExec, parts.clone())]);
    assert_eq!(span.field(SpanField::ContractCreationBits), [1]);
    assert_eq!(span.field(SpanField::YParityBits), [0]);
    assert_eq!(span.field(SpanField::TxSigs), [0; 64]);
    assert_eq!(span.field(SpanField::TxNonces), [0]);
    assert_eq!(span.field(SpanField::TxGases), [0]);
    assert_eq!(full_txs(&span), [parts.encode(Kind::PostExec)]);
    // op-node looks at none of them when it puts the transaction together
    let signed = span
        .with(SpanField::TxSigs, vec![9; 64])
        .with(SpanField::TxNonces, vec![5])
        .with(SpanField::ContractCreationBits, vec![0])
        .with(SpanField::TxTos, vec![7; 20]);
    assert_eq!(full_txs(&signed), [parts.encode(Kind::PostExec)]);
    let opaque = with_data([&[0x7d], list(&[&[0xc0, 0xc0, 5]]).as_slice()].concat());
    assert_eq!(full_txs(&opaque)[0][..], [0x7d, 0xc3, 0xc0, 0xc0, 5]);
}

#[test]
fn the_naive_bit_list_is_big_endian() {
    assert_eq!(bitlist(&[true]), [1]);
    let nine: Vec<bool> = (0..9).map(|index| index == 8).collect();
    assert_eq!(bitlist(&nine), [1, 0]);
    assert_eq!(keccak256(bitlist(&[])), keccak256([]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    /// TestSpanBatchTxsRoundTripFullTxs, over arbitrary fields.
    #[test]
    fn round_trip_full_txs(txs in proptest::collection::vec(any_tx(), 0..12)) {
        let expected: Vec<Bytes> = txs.iter().map(|(kind, parts)| parts.encode(*kind)).collect();
        prop_assert_eq!(full_txs(&raw(txs)), expected);
    }

    /// A transaction that the writer takes is the transaction that readers get.
    #[test]
    fn hostile_transactions_are_refused_or_kept(
        (kind, parts) in any_tx(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut tx = parts.encode(kind).to_vec();
        let place = place.index(tx.len());
        tx[place] = byte;
        let batch = SingularBatch {
            timestamp: GENESIS_TIME,
            transactions: [&tx].into_iter().collect(),
            ..SingularBatch::default()
        };
        let mut writer = SpanBatchWriter::new(span_params());
        if writer.push(&batch, 0).is_ok() {
            let span = SpanBatch::decode(writer.encode().unwrap()[1..].to_vec().into()).unwrap();
            let blocks = blocks_of(span);
            prop_assert_eq!(&blocks[0].transactions, &batch.transactions);
        }
    }
}

//! Deposits: logs of the portal, transactions, and source hashes.

use crate::common::{bytes_of, hash_of, log, number_of, vectors, word};
use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256, b256, keccak256};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use doppio_protocol::{
    deposit::{
        DepositLogError, DepositSource, DepositTx, DepositTxError, TRANSACTION_DEPOSITED,
        decode_deposit_log, encode_deposit_log,
    },
    l1::{L1Block, L1Receipt},
    rlp::RlpError,
};
use proptest::prelude::*;

const PORTAL: Address = Address::repeat_byte(0xd0);
const BLOCK: B256 = B256::repeat_byte(0xb1);

fn sample() -> DepositTx {
    DepositTx {
        source_hash: DepositSource::User {
            l1_block_hash: BLOCK,
            log_index: 3,
        }
        .hash(),
        from: Address::repeat_byte(1),
        to: Some(Address::repeat_byte(2)),
        mint: U256::from(5),
        value: U256::from(6),
        gas: 100_000,
        is_system: false,
        data: Bytes::from_static(&[1, 2, 3]),
    }
}

fn decode(log: &Log) -> Result<DepositTx, DepositLogError> {
    decode_deposit_log(log, BLOCK, 3)
}

/// A log with these data and good topics.
fn with_data(data: Vec<u8>) -> Log {
    log(PORTAL, topics(), data)
}

fn topics() -> Vec<B256> {
    encode_deposit_log(PORTAL, &sample()).data.topics().to_vec()
}

/// Offset, length, and zeros up to `total`.
fn header(offset: u64, length: u64, total: usize) -> Vec<u8> {
    let mut data = [word(offset).0, word(length).0].concat();
    data.resize(total, 0);
    data
}

// opstack 11 H: kona deposits.rs, the 18 cases

#[test]
fn decode_deposit_invalid_first_topic() {
    let mut log = with_data(header(32, 73, 64 + 96));
    let mut topics = topics();
    topics[0] = B256::ZERO;
    log.data = LogData::new_unchecked(topics, log.data.data);
    assert_eq!(decode(&log), Err(DepositLogError::Event));
}

#[test]
fn decode_deposit_incomplete_data() {
    assert_eq!(
        decode(&with_data(vec![0; 63])),
        Err(DepositLogError::DataLength(63))
    );
}

#[test]
fn decode_deposit_unaligned_data() {
    assert_eq!(
        decode(&with_data(vec![0; 65])),
        Err(DepositLogError::DataLength(65))
    );
}

/// kona refuses high bytes in the address topics; op-node reads the low 20 only, and is followed.
#[test]
fn decode_deposit_invalid_from_reads_the_low_20_bytes() {
    let mut topics = topics();
    topics[1].0[..12].fill(0xff);
    let log = log(
        PORTAL,
        topics,
        encode_deposit_log(PORTAL, &sample()).data.data,
    );
    assert_eq!(decode(&log), Ok(sample()));
}

#[test]
fn decode_deposit_invalid_to_reads_the_low_20_bytes() {
    let mut topics = topics();
    topics[2].0[..12].fill(0xff);
    let log = log(
        PORTAL,
        topics,
        encode_deposit_log(PORTAL, &sample()).data.data,
    );
    assert_eq!(decode(&log), Ok(sample()));
}

#[test]
fn decode_deposit_invalid_opaque_data_offset() {
    for offset in [0, 31, 33, 64] {
        assert_eq!(
            decode(&with_data(header(offset, 128, 192))),
            Err(DepositLogError::Offset)
        );
    }
}

#[test]
fn decode_deposit_opaque_data_overflow() {
    let data = header(32, 128, 64 + 64);
    assert_eq!(decode(&with_data(data)), Err(DepositLogError::OpaqueLength));
}

#[test]
fn decode_deposit_padded_overflow() {
    let data = header(32, 64, 64 + 64);
    assert_eq!(
        decode(&with_data(data)),
        Err(DepositLogError::OpaqueTooShort(64))
    );
}

#[test]
fn decode_deposit_invalid_version() {
    for version in [word(1), B256::repeat_byte(0x80)] {
        let mut topics = topics();
        topics[3] = version;
        let log = log(PORTAL, topics, header(32, 73, 64 + 96));
        assert_eq!(decode(&log), Err(DepositLogError::Version));
    }
}

#[test]
fn decode_deposit_empty_succeeds() {
    let deposit = decode(&with_data(header(32, 73, 64 + 96))).unwrap();
    let zero = DepositTx {
        mint: U256::ZERO,
        value: U256::ZERO,
        gas: 0,
        data: Bytes::new(),
        ..sample()
    };
    assert_eq!(deposit, zero);
}

#[test]
fn decode_deposit_invalid_offset_beyond_64_bits() {
    let mut data = header(32, 73, 64 + 96);
    data[0] = 1;
    assert_eq!(decode(&with_data(data)), Err(DepositLogError::Offset));
}

#[test]
fn decode_deposit_invalid_length_beyond_64_bits() {
    for place in [32, 55] {
        let mut data = header(32, 73, 64 + 96);
        data[place] = 1;
        assert_eq!(decode(&with_data(data)), Err(DepositLogError::OpaqueLength));
    }
}

#[test]
fn invalid_opaque_data_length_by_one_byte() {
    assert_eq!(
        decode(&with_data(header(32, 129, 64 + 128))),
        Err(DepositLogError::OpaqueLength)
    );
    assert!(decode(&with_data(header(32, 128, 64 + 128))).is_ok());
}

#[test]
fn opaque_data_padding_overflow() {
    // a whole word more than the padding needs
    assert_eq!(
        decode(&with_data(header(32, 73, 64 + 128))),
        Err(DepositLogError::OpaqueLength)
    );
    assert_eq!(
        decode(&with_data(header(32, 96, 64 + 128))),
        Err(DepositLogError::OpaqueLength)
    );
}

#[test]
fn invalid_opaque_data_padding() {
    assert!(decode(&with_data(header(32, 97, 64 + 128))).is_ok());
    assert_eq!(
        decode(&with_data(header(32, 0, 64 + 32))),
        Err(DepositLogError::OpaqueLength)
    );
    // op-node does not look at what the padding holds
    let mut data = header(32, 73, 64 + 96);
    *data.last_mut().unwrap() = 1;
    assert!(decode(&with_data(data)).is_ok());
}

#[test]
fn decode_deposit_full_succeeds() {
    let mut data = header(32, 76, 64);
    data.extend(word(10).0);
    data.extend(word(100).0);
    data.extend(1_000u64.to_be_bytes());
    data.push(1);
    data.extend([7, 8, 9]);
    data.resize(64 + 96, 0);
    let expected = DepositTx {
        to: None,
        mint: U256::from(10),
        value: U256::from(100),
        gas: 1_000,
        data: Bytes::from_static(&[7, 8, 9]),
        ..sample()
    };
    assert_eq!(decode(&with_data(data)), Ok(expected));
}

#[test]
fn unmarshal_deposit_version0_invalid_len() {
    for length in [0, 32, 64, 72] {
        let data = header(32, length, 64 + (length as usize).next_multiple_of(32));
        let error = DepositLogError::OpaqueTooShort(length as usize);
        assert_eq!(decode(&with_data(data)), Err(error));
    }
}

#[test]
fn unmarshal_deposit_version0_creation_is_any_byte_but_zero() {
    for byte in [1, 2, 0xff] {
        let mut data = header(32, 73, 64 + 96);
        data[64 + 72] = byte;
        assert_eq!(decode(&with_data(data)).unwrap().to, None);
    }
}

#[test]
fn a_log_with_another_number_of_topics_is_refused() {
    for count in [0, 1, 3, 5] {
        let topics = topics()
            .into_iter()
            .chain([B256::ZERO])
            .take(count)
            .collect();
        let log = log(PORTAL, topics, header(32, 73, 64 + 96));
        assert_eq!(decode(&log), Err(DepositLogError::Topics(count)));
    }
}

// opstack 11 H: TestDeriveUserDeposits, as far as which logs a block shows: those of failed
// transactions do not count, but are counted

#[test]
fn derive_user_deposits_skips_failed_receipts_and_counts_their_logs() {
    let deposit_log = encode_deposit_log(PORTAL, &sample());
    let other = log(Address::ZERO, vec![B256::ZERO], Vec::new());
    let receipt = |success, logs: &[&Log]| L1Receipt {
        success,
        logs: logs.iter().copied().cloned().collect(),
    };
    let block = L1Block {
        receipts: vec![
            receipt(true, &[&other, &deposit_log]),
            receipt(false, &[&deposit_log, &deposit_log]),
            receipt(true, &[]),
            receipt(true, &[&deposit_log]),
        ],
        ..L1Block::default()
    };
    let found: Vec<u64> = block
        .logs()
        .filter(|(_, log)| log.address == PORTAL && log.topics()[0] == TRANSACTION_DEPOSITED)
        .map(|(index, _)| index)
        .collect();
    assert_eq!(found, [1, 4]);
}

// opstack 11 H: TestDeposit, TestL1InfoDepositSource, TestEcotone4788ContractSourceHash,
// TestInvalidatedBlockSource

#[test]
fn deposit_source_of_an_upgrade_is_fixed() {
    assert_eq!(
        DepositSource::Upgrade {
            intent: "Ecotone: L1 Block Proxy Update"
        }
        .hash(),
        b256!("18acb38c5ff1c238a7460ebc1b421fa49ec4874bdf1e0a530d234104e5e67dbc")
    );
}

#[test]
fn l1_info_deposit_source_is_fixed() {
    let l1_block_hash = b256!("c00e5d67c2755389aded7d8b151cbd5bcdf7ed275ad5e028b664880fc7581c77");
    assert_eq!(
        DepositSource::L1Info {
            l1_block_hash,
            sequence_number: 4
        }
        .hash(),
        b256!("0586c503340591999b8b38bc9834bb16aec7d5bc00eb5587ab139c9ddab81977")
    );
}

#[test]
fn ecotone_4788_contract_source_hash_is_fixed() {
    let intent = "Ecotone: beacon block roots contract deployment";
    assert_eq!(
        DepositSource::Upgrade { intent }.hash(),
        b256!("69b763c48478b9dc2f65ada09b3d92133ec592ea715ec65ad6e7f3dc519dc00c")
    );
}

#[test]
fn invalidated_block_source_is_fixed() {
    let output_root = b256!("1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8");
    assert_eq!(
        DepositSource::InvalidatedBlock { output_root }.hash(),
        b256!("4a62bcfa03cf778234ae28fa39c9e0748f11099997b19fef9bb3fffc154fe456")
    );
}

#[test]
fn user_deposit_source_is_the_domain_and_the_place_of_the_log() {
    let id = keccak256([BLOCK.0, word(9).0].concat());
    assert_eq!(
        DepositSource::User {
            l1_block_hash: BLOCK,
            log_index: 9
        }
        .hash(),
        keccak256([word(0).0, id.0].concat())
    );
}

// opstack 3.10: the transaction

/// The same transaction for alloy's RLP; a creation's recipient is the empty string.
#[derive(RlpDecodable, RlpEncodable, Debug)]
struct Reference {
    source_hash: B256,
    from: Address,
    to: Bytes,
    mint: U256,
    value: U256,
    gas: u64,
    is_system: bool,
    data: Bytes,
}

fn reference(deposit: &DepositTx) -> Vec<u8> {
    let fields = alloy_rlp::encode(Reference {
        source_hash: deposit.source_hash,
        from: deposit.from,
        to: deposit
            .to
            .map_or_else(Bytes::new, |to| Bytes::copy_from_slice(to.as_slice())),
        mint: deposit.mint,
        value: deposit.value,
        gas: deposit.gas,
        is_system: deposit.is_system,
        data: deposit.data.clone(),
    });
    [&[0x7e], fields.as_slice()].concat()
}

#[test]
fn real_deposit_transactions_are_read_and_written_back() {
    let Some(vectors) = vectors() else { return };
    let mut seen = 0;
    let calldata = vectors.json("outputs/l1_info_calldata.json");
    let blocks = vectors.json("outputs/l1_info_vectors.json");
    let both = [calldata.as_array().unwrap(), blocks.as_array().unwrap()];
    for vector in both
        .into_iter()
        .flatten()
        .filter(|vector| vector["raw_tx"].is_string())
    {
        let raw = bytes_of(&vector["raw_tx"]);
        let deposit = DepositTx::decode(&raw).unwrap();
        assert_eq!(deposit.source_hash, hash_of(&vector["source_hash"]));
        assert_eq!(deposit.gas, number_of(&vector["gas"]));
        assert_eq!(
            deposit.is_system,
            vector["is_system"].as_bool().unwrap_or_default()
        );
        assert_eq!(deposit.encode(), raw);
        seen += 1;
    }
    assert_eq!(seen, 31);
}

#[test]
fn what_is_no_deposit_transaction_is_refused() {
    let good = sample().encode();
    let with = |place: usize, bytes: &[u8]| {
        Bytes::from([&good[..place], bytes, &good[place + bytes.len()..]].concat())
    };
    assert_eq!(DepositTx::decode(&Bytes::new()), Err(DepositTxError::Empty));
    assert_eq!(
        DepositTx::decode(&with(0, &[2])),
        Err(DepositTxError::Type(2))
    );
    for end in 1..good.len() {
        assert!(DepositTx::decode(&good.slice(..end)).is_err());
    }
    let more = Bytes::from([good.as_ref(), &[0]].concat());
    let wrong_count = Err(DepositTxError::Rlp(RlpError::WrongElementCount));
    assert_eq!(DepositTx::decode(&more), wrong_count);
    // isSystemTx stands before the data: 3 bytes and a header
    let is_system = good.len() - 5;
    assert_eq!(good[is_system], 0x80);
    assert_eq!(
        DepositTx::decode(&with(is_system, &[2])),
        Err(DepositTxError::Bool)
    );
    assert_eq!(
        DepositTx::decode(&with(is_system, &[0])),
        Err(DepositTxError::Rlp(RlpError::LeadingZeros))
    );
    assert!(DepositTx::decode(&with(is_system, &[1])).unwrap().is_system);
}

prop_compose! {
    fn any_deposit()(
        source in any::<[u8; 32]>(), from in any::<[u8; 20]>(), to in any::<Option<[u8; 20]>>(),
        mint in any::<[u8; 32]>(), value in any::<[u8; 32]>(), shift in 0usize..257,
        gas in any::<u64>(), is_system in any::<bool>(),
        data in proptest::collection::vec(any::<u8>(), 0..120),
    ) -> DepositTx {
        DepositTx {
            source_hash: source.into(),
            from: from.into(),
            to: to.map(Into::into),
            mint: U256::from_be_bytes(mint) >> shift,
            value: U256::from_be_bytes(value) >> (256 - shift),
            gas: gas >> (shift % 64),
            is_system,
            data: data.into(),
        }
    }
}

proptest! {
    /// TestUnmarshalLogEvent: random deposits through their logs.
    #[test]
    fn unmarshal_log_event_gives_back_the_deposit(deposit in any_deposit(), index in any::<u64>()) {
        let source = DepositSource::User { l1_block_hash: BLOCK, log_index: index };
        let expected = DepositTx { source_hash: source.hash(), is_system: false, ..deposit };
        let log = encode_deposit_log(PORTAL, &expected);
        prop_assert_eq!(log.address, PORTAL);
        prop_assert_eq!(decode_deposit_log(&log, BLOCK, index), Ok(expected));
    }

    #[test]
    fn transactions_are_written_as_alloy_writes_them_and_read(deposit in any_deposit()) {
        let encoded = deposit.encode();
        prop_assert_eq!(&encoded[..], reference(&deposit));
        prop_assert_eq!(deposit.hash(), keccak256(&encoded));
        prop_assert_eq!(DepositTx::decode(&encoded), Ok(deposit));
    }

    #[test]
    fn what_is_accepted_is_written_back_unchanged(
        deposit in any_deposit(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = deposit.encode().to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let bytes = Bytes::from(bytes);
        if let Ok(deposit) = DepositTx::decode(&bytes) {
            prop_assert_eq!(deposit.encode(), bytes);
        }
    }

    #[test]
    fn hostile_logs_give_a_typed_error_or_a_deposit(
        data in proptest::collection::vec(any::<u8>(), 0..300), length in any::<u8>(),
    ) {
        let mut data = data;
        data.resize(data.len().next_multiple_of(32), 0);
        let _ = decode(&with_data(data.clone()));
        let framed = [header(32, length.into(), 64), data].concat();
        if let Ok(deposit) = decode(&with_data(framed)) {
            prop_assert_eq!(deposit.data.len() + 73, usize::from(length));
        }
    }
}

//! Where the published crates are not exact, and this engine is: opstack-2026-09, Annex B, point by
//! point. Where it is cheap, the crates' own executor runs the same block, to show the difference.

use crate::small_chain::{
    CHAIN_ID, L1_BLOCK, PlainResult, SmallChain, TIME, User, call, deposit, forks_activating,
    forks_up_to, spec, word,
};
use alloy_consensus::{Header, TxReceipt};
use alloy_eips::{
    Decodable2718,
    eip1559::{BaseFeeParams, calc_next_block_base_fee},
};
use alloy_op_hardforks::{OpChainHardforks, OpHardfork, OpHardforks};
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, U256, address, bytes};
use alloy_rlp::Encodable;
use doppio_engine::{
    BlockError, ChainSpec, ExecuteError, ExecutedBlock, HeaderError, MemoryStore, StateAt,
    TransactionError, check_header, decode_transaction, header_params, import_block, next_base_fee,
};
use doppio_protocol::{
    config::{Fork, ForkTimes, RollupConfig},
    deposit::DepositTx,
    extra_data::ExtraDataError,
};
use doppio_test_vectors::Vectors;
use op_alloy_consensus::{OpTxEnvelope, decode_holocene_extra_data};
use serde_json::{Value, json};

/// A contract of the tests.
const CONTRACT: Address = address!("00000000000000000000000000000000000c0de0");

fn contract(code: &str) -> Value {
    json!({ CONTRACT.to_string(): { "code": code } })
}

fn statuses(block: &ExecutedBlock) -> Vec<bool> {
    let receipts = block.executed.receipts.iter();
    receipts.map(TxReceipt::status).collect()
}

// 1. The pairing's input.

/// Calls the pairing with this many pairs of points at infinity.
fn pairing(pairs: usize) -> Bytes {
    let precompile = Address::with_last_byte(8);
    deposit(precompile, 16_500_000, vec![0; pairs * 192].into()).encode()
}

#[test]
fn b1_karst_pairs_300_and_not_301() {
    let chain = SmallChain::new(forks_up_to(Fork::Karst), json!({}));
    let block = chain.build(&[pairing(300), pairing(301)]).unwrap();
    assert_eq!(statuses(&block), [true, false]);
    // the crates keep Jovian's limit
    let plain = chain.plain(&[pairing(301)]);
    assert!(plain[0].as_ref().unwrap().status());
}

#[test]
fn b1_jovian_pairs_427_and_not_428() {
    let chain = SmallChain::new(forks_up_to(Fork::Jovian), json!({}));
    let block = chain.build(&[pairing(427), pairing(428)]).unwrap();
    assert_eq!(statuses(&block), [true, false]);
}

// 2. Deposits and the limit of a transaction's gas.

/// Reverts if there are not more than 17,000,000 gas left.
const NEEDS_17_MILLION: &str = "0x5a630103664010600d575f5ffd5b00";

#[test]
fn b2_a_deposit_can_spend_20_million_gas() {
    let large = deposit(CONTRACT, 20_000_000, Bytes::new()).encode();
    for fork in [Fork::Jovian, Fork::Karst] {
        let chain = SmallChain::new(forks_up_to(fork), contract(NEEDS_17_MILLION));
        let block = chain.build(std::slice::from_ref(&large)).unwrap();
        assert_eq!(statuses(&block), [true], "{fork}");
        // the crates give it 2^24 and no more
        let plain = chain.plain(std::slice::from_ref(&large));
        assert_eq!(plain[0].as_ref().unwrap().status(), fork == Fork::Jovian);
    }
}

#[test]
fn b2_a_users_transaction_cannot_also_not_after_a_deposit() {
    let user = |gas| User(1).sign(call(0, CONTRACT, gas));
    let large = deposit(CONTRACT, 20_000_000, Bytes::new()).encode();
    let chain = SmallChain::new(forks_up_to(Fork::Karst), json!({}));
    let cap = 1 << 24;
    let error = chain.build(&[large.clone(), user(cap + 1)]).unwrap_err();
    assert!(error.is_invalid_block());
    assert!(error.to_string().contains("transaction 1"), "{error}");
    chain.build(&[large.clone(), user(cap)]).unwrap();
    let chain = SmallChain::new(forks_up_to(Fork::Jovian), json!({}));
    chain.build(&[large, user(cap + 1)]).unwrap();
}

// 3. Activation blocks.

#[test]
fn b3_the_activation_block_has_no_users_transactions() {
    let transactions = [
        deposit(CONTRACT, 100_000, Bytes::new()).encode(),
        User(1).sign(call(0, CONTRACT, 100_000)),
    ];
    for fork in [Fork::Jovian, Fork::Karst] {
        let chain = SmallChain::new(forks_activating(fork), json!({}));
        let error = chain.build(&transactions).unwrap_err();
        assert!(error.is_invalid_block());
        let BlockError::Execute(ExecuteError::ActivationBlock {
            index,
            tx_type,
            fork: named,
        }) = error
        else {
            panic!("{error}")
        };
        assert_eq!((index, tx_type, named), (1, 2, fork));
        // the crates execute it
        assert!(chain.plain(&transactions)[1].is_ok());
        // deposits are welcome, and so are users one block later
        chain.build(&transactions[..1]).unwrap();
        let chain = SmallChain::new(forks_up_to(fork), json!({}));
        chain.build(&transactions).unwrap();
    }
    // before Jovian it was for the sequencer to leave them out
    let chain = SmallChain::new(forks_activating(Fork::Isthmus), json!({}));
    chain.build(&transactions).unwrap();
}

// 4. The base fee.

/// A parent with a target of 5,000,000 gas and a base fee of 1 gwei.
fn parent(extra_data: Bytes, gas_used: u64, data: u64) -> Header {
    Header {
        number: 7,
        timestamp: TIME,
        gas_limit: 30_000_000,
        gas_used,
        blob_gas_used: Some(data),
        base_fee_per_gas: Some(1_000_000_000),
        extra_data,
        ..Header::default()
    }
}

/// `1 ‖ 250 ‖ 6 ‖ floor`.
fn jovian_extra_data(floor: u64) -> Bytes {
    let params = [1, 0, 0, 0, 250, 0, 0, 0, 6];
    [&params[..], &floor.to_be_bytes()].concat().into()
}

#[test]
fn b4_data_counts_like_gas_from_jovian_on() {
    let jovian = spec(forks_up_to(Fork::Jovian));
    let fee = |gas, data| {
        let parent = parent(jovian_extra_data(0), gas, data);
        next_base_fee(&jovian, &parent, TIME + 2).unwrap()
    };
    // 5,000,000 above the target of 5,000,000, over 250
    assert_eq!(fee(1_000_000, 10_000_000), 1_004_000_000);
    assert_eq!(fee(10_000_000, 1_000_000), 1_004_000_000);
    assert_eq!(fee(5_000_000, 5_000_000), 1_000_000_000);
    // 4,000,000 below it
    assert_eq!(fee(1_000_000, 0), 996_800_000);
    // the crates look at the gas alone
    let params = BaseFeeParams::new(250, 6);
    let plain = calc_next_block_base_fee(1_000_000, 30_000_000, 1_000_000_000, params);
    assert_eq!(plain, 996_800_000);
}

#[test]
fn b4_data_does_not_count_before_jovian() {
    let isthmus = spec(forks_up_to(Fork::Isthmus));
    let parent = parent(bytes!("00000000fa00000006"), 1_000_000, 10_000_000);
    let fee = next_base_fee(&isthmus, &parent, TIME + 2).unwrap();
    assert_eq!(fee, 996_800_000);
}

#[test]
fn b4_the_floor_is_the_parents() {
    let jovian = spec(forks_up_to(Fork::Jovian));
    for (floor, expected) in [
        (999_999_999, 999_999_999),
        (996_800_001, 996_800_001),
        (996_799_999, 996_800_000),
        (5_000_000_000, 5_000_000_000),
    ] {
        let parent = parent(jovian_extra_data(floor), 1_000_000, 0);
        assert_eq!(next_base_fee(&jovian, &parent, TIME + 2), Ok(expected));
    }
}

#[test]
fn b4_parameters_are_the_parents_from_holocene_on_and_the_chains_before() {
    // denominator 2, elasticity 3: a target of 10,000,000
    let said = bytes!("000000000200000003");
    let holocene = spec(forks_up_to(Fork::Holocene));
    let header = parent(said, 20_000_000, 0);
    let fee = next_base_fee(&holocene, &header, TIME + 2).unwrap();
    assert_eq!(fee, 1_500_000_000);
    // before: 50, and 250 from Canyon on, where the time of the new block counts
    let header = parent(Bytes::new(), 10_000_000, 0);
    let canyon = spec(ForkTimes {
        regolith: Some(0),
        canyon: Some(TIME + 4),
        ..ForkTimes::default()
    });
    assert_eq!(next_base_fee(&canyon, &header, TIME + 2), Ok(1_020_000_000));
    assert_eq!(next_base_fee(&canyon, &header, TIME + 4), Ok(1_004_000_000));
    // Holocene counts from the parent on
    let activating = spec(ForkTimes {
        holocene: Some(TIME + 2),
        ..forks_up_to(Fork::Granite)
    });
    let fee = next_base_fee(&activating, &header, TIME + 2).unwrap();
    assert_eq!(fee, 1_004_000_000);
}

#[test]
fn b4_extreme_parameters_are_survived() {
    let jovian = spec(forks_up_to(Fork::Jovian));
    let mut header = parent(jovian_extra_data(0), 30_000_000, 0);
    header.base_fee_per_gas = Some(u64::MAX);
    let fee = next_base_fee(&jovian, &header, TIME + 2);
    assert_eq!(fee, Err(HeaderError::BaseFeeTooLarge));
    // an elasticity above the gas limit leaves no target
    header.base_fee_per_gas = Some(7);
    header.extra_data = bytes!("01000000faffffffff0000000000000000");
    assert_eq!(next_base_fee(&jovian, &header, TIME + 2), Ok(7));
}

/// The first blocks of early chains have a word in their extra data.
#[test]
fn b4_the_first_blocks_extra_data_is_free_before_holocene() {
    let chain = SmallChain::new(forks_up_to(Fork::Granite), json!({}));
    assert_eq!(&chain.genesis.header.extra_data[..], b"BEDROCK");
    let block = chain.build(&[]).unwrap();
    assert!(block.header.extra_data.is_empty());
}

// 5. Extra data.

#[test]
fn b5_zeros_in_extra_data_are_refused() {
    let holocene = spec(forks_up_to(Fork::Holocene));
    let jovian = spec(forks_up_to(Fork::Jovian));
    for (spec, data, error) in [
        (
            &holocene,
            bytes!("000000000000000006"),
            ExtraDataError::ZeroDenominator,
        ),
        (
            &holocene,
            bytes!("00000000fa00000000"),
            ExtraDataError::ZeroElasticity,
        ),
        (
            &holocene,
            bytes!("000000000000000000"),
            ExtraDataError::ZeroDenominator,
        ),
        (
            &holocene,
            bytes!("01000000fa00000006"),
            ExtraDataError::Version(1),
        ),
        (
            &jovian,
            bytes!("0100000000000000060000000000000000"),
            ExtraDataError::ZeroDenominator,
        ),
        (
            &jovian,
            bytes!("01000000fa000000000000000000000000"),
            ExtraDataError::ZeroElasticity,
        ),
        (
            &jovian,
            bytes!("00000000fa00000006"),
            ExtraDataError::Length {
                expected: 17,
                found: 9,
            },
        ),
    ] {
        let header = parent(data, 0, 0);
        assert_eq!(header_params(spec, &header), Err(error));
        let parent_error = next_base_fee(spec, &header, TIME + 2).unwrap_err();
        assert_eq!(parent_error, HeaderError::ParentExtraData(error));
    }
    // the crates read zeros
    let plain = decode_holocene_extra_data(&bytes!("000000000000000006"));
    assert!(plain.is_ok());
}

// 6. Encodings.

#[test]
fn b6_only_the_canonical_encoding_is_a_transaction() {
    let typed = deposit(CONTRACT, 100_000, bytes!("01")).encode();
    let user = User(1).sign(call(0, CONTRACT, 100_000));
    for bytes in [&typed, &user] {
        decode_transaction(0, bytes).unwrap();
        let trailing: Bytes = [&bytes[..], &[0]].concat().into();
        assert!(decode_transaction(0, &trailing).is_err());
        let short: Bytes = bytes[..bytes.len() - 1].to_vec().into();
        assert!(decode_transaction(0, &short).is_err());
        // as part of an RLP list a typed transaction is a string
        let mut wrapped = Vec::new();
        bytes.encode(&mut wrapped);
        assert!(decode_transaction(0, &wrapped.into()).is_err());
    }
    // a deposit without its type
    let untyped: Bytes = typed[1..].to_vec().into();
    let error = decode_transaction(3, &untyped).unwrap_err();
    let refused = matches!(
        error,
        TransactionError::NotCanonical(3) | TransactionError::Decode { index: 3, .. }
    );
    assert!(refused, "{error}");
    // the crates take it
    let plain = OpTxEnvelope::decode_2718_exact(&untyped);
    assert!(plain.is_ok(), "{plain:?}");
    let chain = SmallChain::new(forks_up_to(Fork::Karst), json!({}));
    let error = chain.build(&[untyped]).unwrap_err();
    assert!(error.is_invalid_block());
}

#[test]
fn b6_blob_transactions_and_unknown_types_are_none() {
    for first in [0x03, 0x05, 0x7b, 0x7c, 0x7d, 0x7f] {
        let mut bytes = User(1).sign(call(0, CONTRACT, 100_000)).to_vec();
        bytes[0] = first;
        assert!(decode_transaction(0, &bytes.into()).is_err(), "{first:#x}");
    }
}

// 7. Forks.

#[test]
fn b7_karst_is_scheduled_where_rollup_json_says() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    for (name, karst) in [("op-mainnet", 1_783_526_401), ("op-sepolia", 1_781_712_001)] {
        let rollup = vectors.text(format!("configs/{name}.rollup.json"));
        let rollup: RollupConfig = serde_json::from_str(&rollup).unwrap();
        let spec = ChainSpec::from_rollup(&rollup).unwrap();
        assert!(spec.activates(Fork::Karst, karst - 1, karst), "{name}");
    }
    // the crates' own table does not have it
    let plain = OpChainHardforks::op_mainnet();
    let karst = plain.op_fork_activation(OpHardfork::Karst);
    assert!(!karst.active_at_timestamp(1_783_526_401));
}

/// `PUSH1 1, CLZ, STOP`: an opcode that Osaka brings.
#[test]
fn b7_karst_is_osaka() {
    let transaction = deposit(CONTRACT, 100_000, Bytes::new()).encode();
    for (fork, works) in [(Fork::Jovian, false), (Fork::Karst, true)] {
        let chain = SmallChain::new(forks_up_to(fork), contract("0x60011e00"));
        let block = chain.build(std::slice::from_ref(&transaction)).unwrap();
        assert_eq!(statuses(&block), [works], "{fork}");
    }
}

// 8. What a refused transaction warms.

#[test]
fn b8_a_refused_transaction_warms_nothing() {
    let poor = User(9);
    // BALANCE of the poor user
    let code = format!("0x73{:x}3100", poor.address());
    let chain = SmallChain::new(forks_up_to(Fork::Karst), contract(&code));
    // it cannot pay: this is found out after its account was loaded
    let refused = poor.sign(call(0, CONTRACT, 100_000));
    let accepted = User(1).sign(call(0, CONTRACT, 100_000));
    let alone = chain.build(std::slice::from_ref(&accepted)).unwrap();
    // 21,000, PUSH20, BALANCE of a cold account
    assert_eq!(alone.header.gas_used, 21_000 + 3 + 2_600);

    let mut block = chain.begin(chain.state());
    let error = block.execute(&decode_transaction(0, &refused).unwrap());
    assert!(error.unwrap_err().is_invalid_block());
    assert_eq!(block.gas_used(), 0);
    block
        .execute(&decode_transaction(0, &accepted).unwrap())
        .unwrap();
    let executed = block.finish().unwrap();
    assert_eq!(executed.gas_used, alone.header.gas_used);
    assert_eq!(executed.state.root, alone.header.state_root);

    // the crates charge for a warm account if an inspector looks on, and else do not
    let transactions = [refused, accepted];
    let gas = |plain: &[PlainResult]| {
        assert!(plain[0].is_err());
        plain[1].as_ref().unwrap().cumulative_gas_used()
    };
    let inspected = gas(&chain.plain_inspected(&transactions));
    assert_eq!(inspected, 21_000 + 3 + 100);
    assert_eq!(gas(&chain.plain(&transactions)), alone.header.gas_used);
}

// 9. What a header must say.

/// A block whose header has something to say in every field.
fn full_block() -> (SmallChain, ExecutedBlock) {
    let scalar = U256::from(400) << 96;
    let mut alloc = contract("0x5f5fa000"); // a log
    alloc[L1_BLOCK] = json!({ "storage": { word(8): word(scalar) } });
    let chain = SmallChain::new(forks_up_to(Fork::Karst), alloc);
    let block = chain
        .build(&[User(1).sign(call(0, CONTRACT, 100_000))])
        .unwrap();
    (chain, block)
}

#[test]
fn b9_blob_gas_used_is_the_data_footprint() {
    let (_, block) = full_block();
    assert!(block.transactions[0].len() < 150);
    // short transactions count as 100 bytes
    assert_eq!(block.header.blob_gas_used, Some(100 * 400));
    assert_eq!(block.executed.da_footprint, 100 * 400);
}

#[test]
fn b9_a_header_that_lies_is_refused_by_the_field() {
    type Lie = fn(&mut Header);
    let (chain, block) = full_block();
    let import = |lie: Lie| {
        let mut header = block.header.clone();
        lie(&mut header);
        let spec = &chain.genesis.spec;
        import_block(
            spec,
            &chain.store,
            chain.parent(),
            &header,
            &block.transactions,
        )
    };
    assert_eq!(import(|_| ()).unwrap().hash, block.hash);
    let lies: [(&str, Lie); 27] = [
        ("blobGasUsed", |header| header.blob_gas_used = Some(39_999)),
        ("blobGasUsed", |header| header.blob_gas_used = None),
        ("excessBlobGas", |header| header.excess_blob_gas = Some(1)),
        ("excessBlobGas", |header| header.excess_blob_gas = None),
        ("withdrawalsRoot", |header| {
            header.withdrawals_root = Some(B256::with_last_byte(1))
        }),
        ("withdrawalsRoot", |header| header.withdrawals_root = None),
        ("requestsHash", |header| {
            header.requests_hash = Some(B256::ZERO)
        }),
        ("requestsHash", |header| header.requests_hash = None),
        ("parentBeaconBlockRoot", |header| {
            header.parent_beacon_block_root = None
        }),
        ("sha3Uncles", |header| header.ommers_hash = B256::ZERO),
        ("difficulty", |header| header.difficulty = U256::ONE),
        ("nonce", |header| header.nonce = B64::with_last_byte(1)),
        ("number", |header| header.number += 1),
        ("timestamp", |header| header.timestamp -= 2),
        ("gas limit", |header| header.gas_limit = 1 << 63),
        ("gas used", |header| header.gas_used = header.gas_limit + 1),
        ("gasUsed", |header| header.gas_used += 1),
        ("base fee", |header| header.base_fee_per_gas = Some(7)),
        ("base fee", |header| header.base_fee_per_gas = None),
        ("extra data", |header| header.extra_data = Bytes::new()),
        ("stateRoot", |header| header.state_root = B256::ZERO),
        ("transactionsRoot", |header| {
            header.transactions_root = B256::ZERO
        }),
        ("receiptsRoot", |header| header.receipts_root = B256::ZERO),
        ("logsBloom", |header| header.logs_bloom = Bloom::ZERO),
        ("parentHash", |header| header.parent_hash = B256::ZERO),
        // what is free, but changes the block: the EVM does not care, the hash does
        ("hash", |header| header.slot_number = Some(1)),
        ("hash", |header| {
            header.block_access_list_hash = Some(B256::ZERO)
        }),
    ];
    for (field, lie) in lies {
        let error = import(lie).expect_err(field);
        assert!(error.is_invalid_block(), "{field}: {error}");
        assert!(error.to_string().contains(field), "{field}: {error}");
    }
}

#[test]
fn b9_before_jovian_blob_gas_used_is_zero() {
    let chain = SmallChain::new(forks_up_to(Fork::Isthmus), json!({}));
    let mut header = chain.build(&[]).unwrap().header;
    let check = |header: &Header| check_header(&chain.genesis.spec, &chain.genesis.header, header);
    assert_eq!(check(&header), Ok(()));
    header.blob_gas_used = Some(1);
    assert_eq!(check(&header), Err(HeaderError::Fixed("blobGasUsed")));
    // and before Isthmus there is no root of withdrawals
    let chain = SmallChain::new(forks_up_to(Fork::Holocene), json!({}));
    let mut header = chain.build(&[]).unwrap().header;
    header.withdrawals_root = Some(B256::ZERO);
    let error = check_header(&chain.genesis.spec, &chain.genesis.header, &header);
    assert_eq!(error, Err(HeaderError::Fixed("withdrawalsRoot")));
}

#[test]
fn b9_data_is_limited_like_gas() {
    // a scalar at which one transaction's data fills the block
    let scalar = U256::from(u16::MAX) << 96;
    let alloc = json!({ L1_BLOCK: { "storage": { word(8): word(scalar) } } });
    let chain = SmallChain::new(forks_up_to(Fork::Jovian), alloc);
    let users = |count: u64| -> Vec<Bytes> {
        let transactions = (0..count).map(|nonce| User(1).sign(call(nonce, CONTRACT, 21_000)));
        transactions.collect()
    };
    // 100 bytes * 65,535 each, and 60,000,000 of gas
    chain.build(&users(9)).unwrap();
    let error = chain.build(&users(10)).unwrap_err();
    assert!(error.is_invalid_block());
    assert!(error.to_string().contains("transaction 9"), "{error}");
}

// Beside the annex: where the crates differ from op-geth.

/// op-geth refuses the block; op-revm would count the deposit as failed.
#[test]
fn system_deposits_ended_with_regolith() {
    let system = DepositTx {
        is_system: true,
        ..deposit(CONTRACT, 100_000, Bytes::new())
    };
    let chain = SmallChain::new(forks_up_to(Fork::Canyon), json!({}));
    let error = chain.build(&[system.encode()]).unwrap_err();
    assert!(error.is_invalid_block());
    assert!(error.to_string().contains("system deposit"), "{error}");
    assert!(chain.plain(&[system.encode()])[0].is_ok());
    let chain = SmallChain::new(ForkTimes::default(), json!({}));
    let block = chain.build(&[system.encode()]).unwrap();
    assert_eq!(block.header.gas_used, 0);
}

/// Before Regolith the crates let deposits use more gas than the block has.
#[test]
fn deposits_stay_within_the_blocks_gas() {
    let half = deposit(CONTRACT, 40_000_000, Bytes::new()).encode();
    let system = DepositTx {
        is_system: true,
        ..deposit(CONTRACT, 150_000_000, Bytes::new())
    };
    for forks in [ForkTimes::default(), forks_up_to(Fork::Regolith)] {
        let chain = SmallChain::new(forks, contract("0x5b5f56")); // runs until its gas is used up
        let error = chain.build(&[half.clone(), half.clone()]).unwrap_err();
        assert!(error.is_invalid_block());
        assert!(error.to_string().contains("transaction 1"), "{error}");
    }
    let chain = SmallChain::new(ForkTimes::default(), json!({}));
    let user = User(1).sign(call(0, CONTRACT, 20_000_000));
    chain.build(&[system.encode(), half.clone(), user]).unwrap();
    let plain = chain.plain(&[half.clone(), half]);
    assert!(plain[1].is_ok());
}

/// Deposits are not held to the limit on init code; what L1 lets through is the limit.
#[test]
fn deposits_may_have_long_init_code() {
    let create = DepositTx {
        to: None,
        ..deposit(CONTRACT, 10_000_000, vec![0; 49_153].into())
    };
    let chain = SmallChain::new(forks_up_to(Fork::Karst), json!({}));
    let block = chain.build(&[create.encode()]).unwrap();
    assert_eq!(statuses(&block), [true]);
}

#[test]
fn lagoon_is_refused_and_not_misunderstood() {
    let chain = SmallChain::new(
        ForkTimes {
            lagoon: Some(TIME + 1_000),
            ..forks_up_to(Fork::Karst)
        },
        json!({}),
    );
    let error = chain.build(&[]).unwrap_err();
    assert!(!error.is_invalid_block());
    assert!(error.to_string().contains("Lagoon"), "{error}");
}

/// The state of a block can be read after another one was built on it.
#[test]
fn building_leaves_the_parents_state_alone() {
    let (mut chain, block) = full_block();
    let root = chain.genesis.header.state_root;
    chain.store.add(&block.executed.state).unwrap();
    let nonce = |store: &MemoryStore, root| {
        let account = StateAt::new(store, root).account(User(1).address());
        account.unwrap().unwrap().nonce
    };
    assert_eq!(nonce(&chain.store, root), 0);
    assert_eq!(nonce(&chain.store, block.header.state_root), 1);
    assert_eq!(CHAIN_ID, chain.genesis.spec.chain_id);
}

//! The SystemConfig: updates from L1, JSON, and what an L2 block says of it.

use crate::common::{SYSTEM_CONFIG, abi_bytes, chain_at, chain_under, chain_with, log, word};
use alloy_primitives::{Address, B64, B256, Log, U256, fixed_bytes, keccak256};
use doppio_protocol::{
    config::{ChainConfig, ChainProfile, Fork, ForkTimes, RuleSet},
    extra_data::{Eip1559Params, ExtraDataError, HeaderParams},
    l1::{L1Block, L1Header, L1Receipt},
    l1_info::L1BlockInfo,
    system_config::{
        CONFIG_UPDATE, ConfigUpdate, ConfigUpdateError, EcotoneScalars, L2ConfigError,
        RefusedUpdate, ScalarError, SystemConfig,
    },
    upgrades,
};
use proptest::prelude::*;
use serde_json::json;

/// The names of data that does not fit, by update type; two types take any word.
const VALUE_NAMES: [(u64, &str); 4] = [
    (0, "an address"),
    (2, "a gas limit"),
    (6, "a minimum base fee"),
    (7, "a DA footprint gas scalar"),
];

fn update_with(update_type: B256, data: Vec<u8>) -> Log {
    log(
        SYSTEM_CONFIG,
        vec![CONFIG_UPDATE, B256::ZERO, update_type],
        data,
    )
}

fn update(update_type: u64, payload: &[u8]) -> Log {
    update_with(word(update_type), abi_bytes(payload))
}

/// The chain before Ecotone.
fn chain() -> ChainConfig {
    chain_with(|_| {})
}

fn applied(chain: &ChainConfig, log: &Log) -> Result<SystemConfig, ConfigUpdateError> {
    let mut config = SystemConfig::default();
    config.apply_log(chain, log, 5_000).map(|()| config)
}

fn params(denominator: u32, elasticity: u32) -> B256 {
    word(u64::from(denominator) << 32 | u64::from(elasticity))
}

/// A payload that each type takes.
fn good_payload(update_type: u64) -> Vec<u8> {
    match update_type {
        0 => Address::repeat_byte(0xaa).into_word().to_vec(),
        1 => [word(0xff).0, word(0xaa).0].concat(),
        4 => params(250, 6).to_vec(),
        _ => word(7).to_vec(),
    }
}

#[test]
fn the_event_is_the_hash_of_its_signature() {
    assert_eq!(
        CONFIG_UPDATE,
        keccak256("ConfigUpdate(uint256,uint8,bytes)")
    );
}

// opstack 11 H, ConfigUpdate: TestProcessSystemConfigUpdateLogEvent by name

#[test]
fn unsafe_block_signer_is_ignored_whatever_it_holds() {
    for data in [Vec::new(), vec![1], abi_bytes(word(1).as_slice())] {
        let log = update_with(word(3), data);
        assert_eq!(applied(&chain(), &log), Ok(SystemConfig::default()));
        assert_eq!(
            ConfigUpdate::decode(&chain(), &log),
            Ok(ConfigUpdate::UnsafeBlockSigner)
        );
    }
}

#[test]
fn batcher() {
    let expected = SystemConfig {
        batcher: Address::repeat_byte(0xaa),
        ..SystemConfig::default()
    };
    assert_eq!(
        applied(&chain(), &update(0, &good_payload(0))),
        Ok(expected)
    );
}

#[test]
fn gas_config() {
    let expected = SystemConfig {
        overhead: word(0xff),
        scalar: word(0xaa),
        ..SystemConfig::default()
    };
    assert_eq!(
        applied(&chain(), &update(1, &good_payload(1))),
        Ok(expected)
    );
}

#[test]
fn gas_limit() {
    let expected = SystemConfig {
        gas_limit: 0xbb,
        ..SystemConfig::default()
    };
    assert_eq!(
        applied(&chain(), &update(2, word(0xbb).as_slice())),
        Ok(expected)
    );
    let most = SystemConfig {
        gas_limit: u64::MAX,
        ..SystemConfig::default()
    };
    assert_eq!(
        applied(&chain(), &update(2, word(u64::MAX).as_slice())),
        Ok(most)
    );
}

#[test]
fn gas_config_ecotone_keeps_the_scalar_packed_and_forgets_the_overhead() {
    let ecotone = chain_at(Fork::Ecotone);
    let mut packed = B256::ZERO;
    (packed[0], packed[27], packed[31]) = (1, 0xb3, 0xbb);
    let version_0 = word(0xffff_ffff);
    for scalar in [packed, version_0] {
        let log = update(1, &[word(0xff).0, scalar.0].concat());
        let expected = SystemConfig {
            scalar,
            ..SystemConfig::default()
        };
        assert_eq!(applied(&ecotone, &log), Ok(expected));
    }
}

#[test]
fn gas_config_ecotone_with_bad_padding_or_version_is_ignored_without_error() {
    let ecotone = chain_at(Fork::Ecotone);
    let before = SystemConfig {
        overhead: word(1),
        scalar: word(2),
        ..SystemConfig::default()
    };
    for (version, place) in [(0, 1), (0, 27), (1, 1), (1, 23), (2, 31), (0xff, 31)] {
        let mut scalar = B256::ZERO;
        (scalar[0], scalar[place]) = (version, 1);
        let log = update(1, &[word(0xff).0, scalar.0].concat());
        let mut config = before;
        assert_eq!(config.apply_log(&ecotone, &log, 5_000), Ok(()));
        assert_eq!(config, before, "version {version}, byte {place}");
        // before Ecotone everything is taken
        let mut config = before;
        assert_eq!(config.apply_log(&chain(), &log, 5_000), Ok(()));
        assert_eq!((config.overhead, config.scalar), (word(0xff), scalar));
    }
}

/// The clock of the scalar's check is the L1 block's.
#[test]
fn gas_config_asks_ecotone_with_the_time_of_the_l1_block() {
    let chain = chain_with(|rollup| {
        rollup.forks = ForkTimes::all_until(Fork::Ecotone);
        rollup.forks.set(Fork::Ecotone, Some(5_000));
    });
    let log = update(1, &[word(0xff).0, B256::repeat_byte(9).0].concat());
    for (l1_time, taken) in [(4_999, true), (5_000, false)] {
        let mut config = SystemConfig::default();
        config.apply_log(&chain, &log, l1_time).unwrap();
        assert_eq!(config.scalar == B256::repeat_byte(9), taken);
    }
}

#[test]
fn one_topic_is_an_error() {
    for count in [1, 2, 4] {
        let topics = [CONFIG_UPDATE, B256::ZERO, B256::ZERO, B256::ZERO];
        let log = log(
            SYSTEM_CONFIG,
            topics[..count].to_vec(),
            abi_bytes(&good_payload(0)),
        );
        assert_eq!(
            applied(&chain(), &log),
            Err(ConfigUpdateError::Topics(count))
        );
    }
}

#[test]
fn another_event_version_or_type_is_an_error() {
    let data = abi_bytes(&good_payload(2));
    let event = log(SYSTEM_CONFIG, vec![B256::ZERO; 3], data.clone());
    assert_eq!(applied(&chain(), &event), Err(ConfigUpdateError::Event));
    let version = log(
        SYSTEM_CONFIG,
        vec![CONFIG_UPDATE, word(1), word(2)],
        data.clone(),
    );
    assert_eq!(applied(&chain(), &version), Err(ConfigUpdateError::Version));
    for unknown in [
        word(8),
        word(255),
        B256::repeat_byte(1),
        U256::from(1u128 << 64).into(),
    ] {
        let log = update_with(unknown, data.clone());
        assert_eq!(
            applied(&chain(), &log),
            Err(ConfigUpdateError::Type(unknown))
        );
    }
}

#[test]
fn eip1559_params_ok_and_both_zero_ok() {
    for (denominator, elasticity) in [(250, 6), (0, 0), (u32::MAX, u32::MAX), (1, 1)] {
        let params = params(denominator, elasticity);
        let expected = SystemConfig {
            eip1559_params: B64::from_slice(&params[24..]),
            ..SystemConfig::default()
        };
        assert_eq!(
            applied(&chain(), &update(4, params.as_slice())),
            Ok(expected)
        );
    }
    // only the low 8 bytes are looked at
    let mut dirty = params(250, 6);
    dirty[0] = 1;
    assert!(applied(&chain(), &update(4, dirty.as_slice())).is_ok());
}

#[test]
fn eip1559_params_zero_denominator_with_elasticity_is_an_error() {
    let log = update(4, params(0, 1).as_slice());
    let error = Err(ConfigUpdateError::Eip1559(ExtraDataError::ZeroDenominator));
    assert_eq!(applied(&chain(), &log), error);
    assert_eq!(
        applied(&chain_under(ChainProfile::celo(), Fork::Jovian), &log),
        error
    );
}

/// The one rule about updates in which the lineages differ.
#[test]
fn eip1559_params_non_zero_denominator_zero_elasticity_depends_on_the_rules() {
    let log = update(4, params(1, 0).as_slice());
    assert_eq!(
        applied(&chain(), &log),
        Err(ConfigUpdateError::Eip1559(ExtraDataError::ZeroElasticity))
    );
    let celo = applied(&chain_under(ChainProfile::celo(), Fork::Jovian), &log).unwrap();
    assert_eq!(
        celo.eip1559(),
        Eip1559Params {
            denominator: 1,
            elasticity: 0
        }
    );
}

#[test]
fn operator_fee_params() {
    let word = B256::from(U256::from(0x0102_0304u64) << 64 | U256::from(0x0506_0708_090a_0b0cu64));
    let config = applied(&chain(), &update(5, word.as_slice())).unwrap();
    assert_eq!(config.operator_fee_params, word);
    assert_eq!(config.operator_fee(), (0x0102_0304, 0x0506_0708_090a_0b0c));
}

#[test]
fn update_min_base_fee() {
    let expected = SystemConfig {
        min_base_fee: 1_000_000_000,
        ..SystemConfig::default()
    };
    assert_eq!(
        applied(&chain(), &update(6, word(1_000_000_000).as_slice())),
        Ok(expected)
    );
}

#[test]
fn da_footprint_gas_scalar() {
    let expected = SystemConfig {
        da_footprint_gas_scalar: 100,
        ..SystemConfig::default()
    };
    assert_eq!(
        applied(&chain(), &update(7, word(100).as_slice())),
        Ok(expected)
    );
}

// opstack 11 H, ConfigUpdate: kona updates/* for all 8 types

#[test]
fn invalid_data_len() {
    for update_type in [0, 1, 2, 4, 5, 6, 7] {
        let good = abi_bytes(&good_payload(update_type));
        for length in (0..good.len()).chain([good.len() + 1, good.len() + 31, good.len() + 32]) {
            let mut data = good.clone();
            data.resize(length, 0);
            let result = applied(&chain(), &update_with(word(update_type), data));
            assert!(
                matches!(result, Err(ConfigUpdateError::Data(_))),
                "{update_type} {length}"
            );
        }
    }
}

#[test]
fn pointer_decoding_and_pointer_not_32() {
    for update_type in [0, 1, 2, 4, 5, 6, 7] {
        for pointer in [
            word(0),
            word(31),
            word(33),
            word(64),
            B256::repeat_byte(0xff),
        ] {
            let mut data = abi_bytes(&good_payload(update_type));
            data[..32].copy_from_slice(pointer.as_slice());
            let result = applied(&chain(), &update_with(word(update_type), data));
            assert_eq!(result, Err(ConfigUpdateError::Data("a pointer")));
        }
    }
}

#[test]
fn length_decoding_and_length_not_expected() {
    for update_type in [0, 1, 2, 4, 5, 6, 7] {
        let expected = good_payload(update_type).len() as u64;
        for length in [
            word(0),
            word(expected - 1),
            word(expected + 1),
            B256::repeat_byte(0xff),
        ] {
            let mut data = abi_bytes(&good_payload(update_type));
            data[32..64].copy_from_slice(length.as_slice());
            let result = applied(&chain(), &update_with(word(update_type), data));
            assert_eq!(result, Err(ConfigUpdateError::Data("a length")));
        }
    }
}

#[test]
fn value_decoding_refuses_bits_beyond_the_type() {
    for (update_type, name) in VALUE_NAMES {
        let bytes = match update_type {
            0 => 20,
            7 => 2,
            _ => 8,
        };
        for place in 0..32 {
            let mut word = B256::ZERO;
            word[place] = 1;
            let result = applied(&chain(), &update(update_type, word.as_slice()));
            if place < 32 - bytes {
                assert_eq!(result, Err(ConfigUpdateError::Data(name)));
            } else {
                assert!(result.is_ok(), "type {update_type}, byte {place}");
            }
        }
    }
    for update_type in [4, 5] {
        assert!(applied(&chain(), &update(update_type, &[0xff; 32])).is_ok());
    }
}

#[test]
fn every_type_is_applied_whatever_fork_is_active() {
    for update_type in [0, 2, 4, 5, 6, 7] {
        let log = update(update_type, &good_payload(update_type));
        let bedrock = applied(&chain(), &log).unwrap();
        assert_ne!(bedrock, SystemConfig::default());
        assert_eq!(applied(&chain_at(Fork::Karst), &log), Ok(bedrock));
    }
}

// opstack 11 H, ConfigUpdate: atomicity

fn block(receipts: Vec<(bool, Vec<Log>)>) -> L1Block {
    let receipts = receipts
        .into_iter()
        .map(|(success, logs)| L1Receipt { success, logs });
    L1Block {
        header: L1Header {
            timestamp: 5_000,
            ..L1Header::default()
        },
        receipts: receipts.collect(),
        ..L1Block::default()
    }
}

#[test]
fn valid_updates_apply_and_invalid_ones_are_reported_and_skipped() {
    let malformed = update_with(word(2), vec![0; 95]);
    let unknown = update(9, word(1).as_slice());
    let elsewhere = Log {
        address: Address::ZERO,
        ..update(2, word(666).as_slice())
    };
    let other_event = log(SYSTEM_CONFIG, vec![B256::ZERO], Vec::new());
    let no_topic = log(SYSTEM_CONFIG, Vec::new(), Vec::new());
    let two_topics = log(SYSTEM_CONFIG, vec![CONFIG_UPDATE; 2], Vec::new());
    let block = block(vec![
        (
            true,
            vec![
                update(0, &good_payload(0)),
                malformed.clone(),
                other_event,
                no_topic,
            ],
        ),
        (false, vec![update(2, word(999).as_slice()), malformed]),
        (
            true,
            vec![elsewhere, update(2, word(5).as_slice()), two_topics],
        ),
        (true, vec![update(2, word(6).as_slice()), unknown]),
    ]);
    let mut config = SystemConfig {
        scalar: word(3),
        ..SystemConfig::default()
    };
    let refused = config.apply_l1_block(&chain(), &block);
    let expected = SystemConfig {
        batcher: Address::repeat_byte(0xaa),
        gas_limit: 6,
        scalar: word(3),
        ..SystemConfig::default()
    };
    assert_eq!(config, expected);
    let error = |log_index, error| RefusedUpdate { log_index, error };
    assert_eq!(
        refused,
        [
            error(1, ConfigUpdateError::Data("a data length")),
            error(8, ConfigUpdateError::Topics(2)),
            error(10, ConfigUpdateError::Type(word(9))),
        ]
    );
}

#[test]
fn all_updates_of_several_receipts_apply_in_order() {
    let logs = |update_type| vec![update(update_type, &good_payload(update_type))];
    let receipts = (0..8)
        .map(|update_type| (true, logs(update_type)))
        .collect();
    let mut config = SystemConfig::default();
    assert_eq!(config.apply_l1_block(&chain(), &block(receipts)), []);
    let expected = SystemConfig {
        batcher: Address::repeat_byte(0xaa),
        overhead: word(0xff),
        scalar: word(0xaa),
        gas_limit: 7,
        eip1559_params: fixed_bytes!("000000fa00000006"),
        operator_fee_params: word(7),
        min_base_fee: 7,
        da_footprint_gas_scalar: 7,
    };
    assert_eq!(config, expected);
}

// opstack 3.9: the Ecotone scalars, by the cases of op-node's TestEcotoneScalars; kona
// empty_scalars

#[test]
fn ecotone_scalars() {
    let scalars = |bytes: &[(usize, u8)]| {
        let mut scalar = B256::ZERO;
        bytes
            .iter()
            .for_each(|(place, byte)| scalar[*place] = *byte);
        let config = SystemConfig {
            scalar,
            ..SystemConfig::default()
        };
        config
            .ecotone_scalars()
            .map_err(|ScalarError(found)| assert_eq!(found, scalar))
    };
    let ok = |base_fee, blob_base_fee| {
        Ok(EcotoneScalars {
            base_fee,
            blob_base_fee,
        })
    };
    assert_eq!(
        scalars(&[(27, 1), (31, 2)]),
        ok(u32::MAX, 0),
        "dirty padding v0"
    );
    assert_eq!(
        scalars(&[(1, 1), (31, 2)]),
        ok(u32::MAX, 0),
        "dirty padding v0, other byte"
    );
    assert_eq!(scalars(&[(31, 2)]), ok(2, 0));
    assert_eq!(
        scalars(&[(0, 1), (7, 1), (31, 2)]),
        Err(()),
        "dirty padding v1"
    );
    assert_eq!(scalars(&[(0, 1), (31, 2)]), ok(2, 0));
    assert_eq!(scalars(&[(0, 1), (27, 123), (31, 2)]), ok(2, 123));
    assert_eq!(scalars(&[(0, 1), (27, 123)]), ok(0, 123));
    assert_eq!(scalars(&[]), ok(0, 0));
    assert_eq!(scalars(&[(0, 1)]), ok(0, 0));
    assert_eq!(scalars(&[(0, 2)]), Err(()), "unknown version");
    let operator = SystemConfig {
        operator_fee_params: {
            let mut params = B256::ZERO;
            (params[20], params[29]) = (4, 3);
            params
        },
        ..SystemConfig::default()
    };
    assert_eq!(operator.operator_fee(), (0x0400_0000, 0x3_0000));
}

// opstack 1.1: JSON, both ways (op-node's TestSystemConfigMarshaling)

#[test]
fn json_has_op_nodes_keys_and_always_all_of_them() {
    let config = SystemConfig {
        batcher: Address::right_padding_from(b"A"),
        overhead: B256::right_padding_from(&[4, 5, 6]),
        scalar: B256::right_padding_from(&[7, 8, 9]),
        gas_limit: 1_234,
        operator_fee_params: B256::right_padding_from(&[1, 2, 3]),
        da_footprint_gas_scalar: 400,
        ..SystemConfig::default()
    };
    let expected = concat!(
        r#"{"batcherAddr":"0x4100000000000000000000000000000000000000","#,
        r#""overhead":"0x0405060000000000000000000000000000000000000000000000000000000000","#,
        r#""scalar":"0x0708090000000000000000000000000000000000000000000000000000000000","#,
        r#""gasLimit":1234,"eip1559Params":"0x0000000000000000","#,
        r#""operatorFeeParams":"0x0102030000000000000000000000000000000000000000000000000000000000","#,
        r#""minBaseFee":0,"daFootprintGasScalar":400}"#
    );
    assert_eq!(serde_json::to_string(&config).unwrap(), expected);
    assert_eq!(
        serde_json::from_str::<SystemConfig>(expected).unwrap(),
        config
    );
}

#[test]
fn konas_unpacked_forms_are_read() {
    let packed: SystemConfig = serde_json::from_value(json!({
        "batcherAddr": Address::repeat_byte(1), "overhead": word(1), "scalar": word(2),
        "gasLimit": 3, "eip1559Params": "0x0000019000000005",
        "operatorFeeParams": B256::from(U256::from(7u64) << 64 | U256::from(9u64)),
        "minBaseFee": 11, "daFootprintGasScalar": 12,
    }))
    .unwrap();
    let unpacked = json!({
        "batcherAddress": Address::repeat_byte(1), "overhead": "0x1", "scalar": "0x2",
        "gasLimit": 3, "eip1559Denominator": 400, "eip1559Elasticity": 5,
        "operatorFeeScalar": 7, "operatorFeeConstant": 9, "minBaseFee": 11,
        "daFootprintGasScalar": 12, "baseFeeScalar": null, "blobBaseFeeScalar": null,
    });
    assert_eq!(
        serde_json::from_value::<SystemConfig>(unpacked.clone()).unwrap(),
        packed
    );
    for (key, value) in [
        ("eip1559Params", json!("0x0000019000000005")),
        ("operatorFeeParams", json!(word(1))),
    ] {
        let mut twice = unpacked.clone();
        twice[key] = value;
        let error = serde_json::from_value::<SystemConfig>(twice).unwrap_err();
        assert!(error.to_string().contains("given twice"), "{error}");
    }
    let nulls = json!({
        "batcherAddr": Address::repeat_byte(1), "gasLimit": 3, "eip1559Denominator": null,
        "eip1559Elasticity": null, "operatorFeeScalar": null, "operatorFeeConstant": null,
        "minBaseFee": null, "daFootprintGasScalar": null,
    });
    let expected = SystemConfig {
        batcher: Address::repeat_byte(1),
        gas_limit: 3,
        ..SystemConfig::default()
    };
    assert_eq!(
        serde_json::from_value::<SystemConfig>(nulls).unwrap(),
        expected
    );
}

// opstack 3.9: out of an L2 block; op-node's TestPayloadToSystemConfigUpgradeGas and
// TestUpgradeGasToStrip

const INFO: L1BlockInfo = L1BlockInfo {
    number: 1,
    time: 2,
    base_fee: U256::ZERO,
    block_hash: B256::ZERO,
    sequence_number: 0,
    batcher: Address::repeat_byte(6),
    l1_fee_overhead: B256::repeat_byte(7),
    l1_fee_scalar: B256::repeat_byte(8),
    blob_base_fee: U256::ZERO,
    base_fee_scalar: 10,
    blob_base_fee_scalar: 11,
    operator_fee_scalar: 12,
    operator_fee_constant: 13,
    da_footprint_gas_scalar: 14,
};

fn rebuilt(chain: &ChainConfig, time: u64) -> SystemConfig {
    let params = HeaderParams {
        eip1559: Eip1559Params {
            denominator: 250,
            elasticity: 6,
        },
        min_base_fee: 5,
    };
    let extra_data = params.encode(chain, time);
    SystemConfig::from_l2_block(chain, time, 100_000_000, &extra_data, &INFO).unwrap()
}

#[test]
fn a_block_gives_what_its_fork_carries() {
    let scalar = {
        let mut scalar = INFO.l1_fee_scalar;
        scalar[0] = 1;
        scalar[24..28].copy_from_slice(&11u32.to_be_bytes());
        scalar[28..].copy_from_slice(&10u32.to_be_bytes());
        scalar
    };
    let bedrock = SystemConfig {
        batcher: Address::repeat_byte(6),
        overhead: B256::repeat_byte(7),
        scalar: B256::repeat_byte(8),
        gas_limit: 100_000_000,
        ..SystemConfig::default()
    };
    let ecotone = SystemConfig { scalar, ..bedrock };
    let holocene = SystemConfig {
        eip1559_params: fixed_bytes!("000000fa00000006"),
        ..ecotone
    };
    let operator_fee_params = B256::from(U256::from(12u64) << 64 | U256::from(13u64));
    let isthmus = SystemConfig {
        operator_fee_params,
        ..holocene
    };
    let jovian = SystemConfig {
        min_base_fee: 5,
        da_footprint_gas_scalar: 14,
        ..isthmus
    };
    for (fork, expected) in [
        (Fork::Delta, bedrock),
        (Fork::Ecotone, ecotone),
        (Fork::Granite, ecotone),
        (Fork::Holocene, holocene),
        (Fork::Isthmus, isthmus),
        (Fork::Jovian, jovian),
        (Fork::Karst, jovian),
    ] {
        assert_eq!(rebuilt(&chain_at(fork), 2_000), expected, "{fork}");
    }
    let activating = chain_with(|rollup| {
        rollup.forks = ForkTimes::all_until(Fork::Ecotone);
        rollup.forks.set(Fork::Ecotone, Some(2_000));
    });
    assert_eq!(
        rebuilt(&activating, 2_000),
        bedrock,
        "the activation block has the old layout"
    );
    assert_eq!(rebuilt(&activating, 2_002), ecotone);
}

#[test]
fn the_gas_of_karsts_upgrade_is_stripped_once_unless_the_chain_keeps_it() {
    const GAS: u64 = 55_370_657;
    for (keep, stripped) in [(false, GAS), (true, 0)] {
        let chain = chain_with(|rollup| {
            rollup.forks = ForkTimes::all_until(Fork::Karst);
            rollup.forks.set(Fork::Karst, Some(2_000));
            rollup.keep_karst_upgrade_gas = keep;
        });
        for (time, strip) in [(1_998, 0), (2_000, stripped), (2_002, 0)] {
            assert_eq!(upgrades::gas_to_strip(&chain, time), strip);
            assert_eq!(rebuilt(&chain, time).gas_limit, 100_000_000 - strip);
        }
    }
    assert_eq!(
        upgrades::gas_to_strip(&chain_at(Fork::Karst), 1_000),
        0,
        "active at genesis"
    );
}

#[test]
fn an_activation_block_below_its_upgrade_gas_is_an_error() {
    let chain = chain_with(|rollup| {
        rollup.forks = ForkTimes::all_until(Fork::Karst);
        rollup.forks.set(Fork::Karst, Some(2_000));
    });
    let extra = HeaderParams {
        eip1559: Eip1559Params {
            denominator: 1,
            elasticity: 1,
        },
        min_base_fee: 0,
    }
    .encode(&chain, 2_000);
    let rebuild = |gas| SystemConfig::from_l2_block(&chain, 2_000, gas, &extra, &INFO);
    assert_eq!(
        rebuild(55_370_656),
        Err(L2ConfigError::GasLimitBelowUpgrade {
            gas_limit: 55_370_656,
            upgrade: 55_370_657
        })
    );
    assert_eq!(rebuild(55_370_657).unwrap().gas_limit, 0);
}

#[test]
fn a_header_that_breaks_its_forks_rule_gives_no_configuration() {
    let chain = chain_at(Fork::Holocene);
    assert_eq!(
        SystemConfig::from_l2_block(&chain, 2_000, 1, &[0; 9], &INFO),
        Err(L2ConfigError::ExtraData(ExtraDataError::ZeroDenominator))
    );
    assert_eq!(RuleSet::default(), RuleSet::Upstream);
}

proptest! {
    #[test]
    fn json_round_trips(
        words in any::<[[u8; 32]; 3]>(), batcher in any::<[u8; 20]>(), params in any::<[u8; 8]>(),
        numbers in any::<[u64; 2]>(), footprint in any::<u16>(),
    ) {
        let config = SystemConfig {
            batcher: batcher.into(),
            overhead: words[0].into(),
            scalar: words[1].into(),
            gas_limit: numbers[0],
            eip1559_params: params.into(),
            operator_fee_params: words[2].into(),
            min_base_fee: numbers[1],
            da_footprint_gas_scalar: footprint,
        };
        let json = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(serde_json::from_str::<SystemConfig>(&json).unwrap(), config);
    }

    /// Whatever a log holds, it is applied whole or not at all.
    #[test]
    fn hostile_logs_change_nothing_or_one_thing(
        update_type in 0u64..10, data in proptest::collection::vec(any::<u8>(), 0..160),
        payload in any::<[u8; 32]>(), shift in 0usize..256, framed in any::<bool>(),
    ) {
        let payload = (U256::from_be_bytes(payload) >> shift).to_be_bytes::<32>();
        let data = if framed { abi_bytes(&payload) } else { data };
        let before = SystemConfig { gas_limit: 9, scalar: word(9), ..SystemConfig::default() };
        let mut config = before;
        if config.apply_log(&chain(), &update_with(word(update_type), data), 1).is_err() {
            prop_assert_eq!(config, before);
        }
    }
}

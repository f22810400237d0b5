//! rollup.json: which keys are read, which are printed, and what is checked.

use crate::common::{parse, rollup, rollup_json, vectors};
use alloy_primitives::{Address, B256};
use doppio_protocol::config::{
    AltDaConfig, ChainOpConfig, CheckError, CommitmentType, Fork, ForkTimes, ParseError,
    RollupConfig,
};
use serde_json::{Value, json};

/// Every key of op-node 1.19.6.
const OP_NODE_KEYS: [&str; 25] = [
    "genesis",
    "block_time",
    "max_sequencer_drift",
    "seq_window_size",
    "channel_timeout",
    "l1_chain_id",
    "l2_chain_id",
    "regolith_time",
    "canyon_time",
    "delta_time",
    "ecotone_time",
    "fjord_time",
    "granite_time",
    "holocene_time",
    "isthmus_time",
    "jovian_time",
    "karst_time",
    "lagoon_time",
    "keep_karst_upgrade_gas",
    "batch_inbox_address",
    "deposit_contract_address",
    "l1_system_config_address",
    "chain_op_config",
    "alt_da",
    "pectra_blob_schedule_time",
];

fn with(key: &str, value: Value) -> Value {
    let mut json = rollup_json();
    json[key] = value;
    json
}

/// Without the case of addresses, by which checksums are told.
fn lower(json: &Value) -> Value {
    serde_json::from_str(&json.to_string().to_lowercase()).unwrap()
}

fn unknown(json: &Value) -> Vec<String> {
    match RollupConfig::parse(&json.to_string(), false) {
        Err(ParseError::UnknownKeys(keys)) => keys,
        other => panic!("{other:?}"),
    }
}

fn warnings(json: &Value, ignore: bool) -> Vec<String> {
    RollupConfig::parse(&json.to_string(), ignore)
        .unwrap()
        .warnings
}

/// A configuration with everything that op-node's has.
fn full() -> RollupConfig {
    let mut config = rollup();
    config.forks = ForkTimes::all_until(Fork::Lagoon);
    config.keep_karst_upgrade_gas = true;
    config.pectra_blob_schedule_time = Some(5);
    config.chain_op_config = Some(ChainOpConfig {
        eip1559_elasticity: 6,
        eip1559_denominator: 50,
        eip1559_denominator_canyon: Some(250),
    });
    config.alt_da = Some(AltDaConfig {
        da_challenge_contract_address: Address::repeat_byte(9),
        da_commitment_type: CommitmentType::Keccak,
        da_max_input_size: Some(1_000_000),
        da_challenge_window: 3,
        da_resolve_window: 4,
    });
    config
}

// opstack 1.1: printing

#[test]
fn printed_are_op_nodes_keys_only_and_all_of_them() {
    let config = RollupConfig {
        cel2_time: Some(1),
        espresso_time: Some(2),
        espresso_enforcement_time: Some(3),
        batch_authenticator_address: Some(Address::repeat_byte(1)),
        batch_auth_lookback_window: Some(4),
        fjord_max_sequencer_drift: Some(1_800),
        ..full()
    };
    let printed = config.to_json();
    let mut keys: Vec<&str> = printed
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut expected = OP_NODE_KEYS.to_vec();
    keys.sort_unstable();
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(parse(&printed), full());
}

/// op-node's TestConfigJSON and TestConfigChainOpConfigJSONWireFormat, with its omissions.
#[test]
fn what_is_printed_is_read_back_and_what_is_absent_is_not_printed() {
    let minimal = rollup();
    let printed = minimal.to_json();
    assert_eq!(parse(&printed), minimal);
    let mut keys: Vec<&str> = printed
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "batch_inbox_address",
            "block_time",
            "channel_timeout",
            "deposit_contract_address",
            "genesis",
            "l1_chain_id",
            "l1_system_config_address",
            "l2_chain_id",
            "max_sequencer_drift",
            "seq_window_size",
        ]
    );
    let mut full = full();
    assert_eq!(
        full.to_json()["chain_op_config"].to_string(),
        r#"{"eip1559Denominator":50,"eip1559DenominatorCanyon":250,"eip1559Elasticity":6}"#
    );
    full.chain_op_config
        .as_mut()
        .unwrap()
        .eip1559_denominator_canyon = None;
    assert_eq!(
        full.to_json()["chain_op_config"].to_string(),
        r#"{"eip1559Denominator":50,"eip1559Elasticity":6}"#
    );
}

// opstack 1.1: reading

#[test]
fn every_known_key_is_read_without_warning() {
    let mut json = full().to_json();
    let more = json!({
        "protocol_versions_address": Address::ZERO, "cel2_time": 1, "espresso_time": 2,
        "espresso_enforcement_time": 3, "batch_authenticator_address": Address::ZERO,
        "batch_auth_lookback_window": 4, "caff_node_config": {"anything": [1]},
        "granite_channel_timeout": 50, "fjord_max_sequencer_drift": 1800,
        "superchain_config_address": Address::ZERO, "blobs_data": 5,
        "da_challenge_address": Address::ZERO, "interop_message_expiry_window": 3600,
    });
    json.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    assert_eq!(warnings(&json, false), Vec::<String>::new());
    let config = parse(&json);
    assert_eq!((config.cel2_time, config.espresso_time), (Some(1), Some(2)));
    assert_eq!(config.espresso_enforcement_time, Some(3));
    assert_eq!(config.batch_authenticator_address, Some(Address::ZERO));
    assert_eq!(config.batch_auth_lookback_window, Some(4));
}

#[test]
fn unknown_keys_are_refused_by_name_wherever_they_stand() {
    let mut json = with("multi_block_time", json!(1));
    json["genesis"]["l3"] = json!({});
    json["genesis"]["l1"]["timestamp"] = json!(1);
    json["genesis"]["l2"]["Hash"] = json!(1);
    json["genesis"]["system_config"]["gas_limit"] = json!(1);
    json["chain_op_config"] = json!({"eip1559Elasticity": 1, "eip1559Denominator": 1, "x": 1});
    json["alt_da"] = json!({"da_commitment_type": "GenericCommitment", "da_windows": 1});
    let expected = [
        "multi_block_time",
        "genesis.l3",
        "genesis.l1.timestamp",
        "genesis.l2.Hash",
        "genesis.system_config.gas_limit",
        "chain_op_config.x",
        "alt_da.da_windows",
    ];
    assert_eq!(unknown(&json), expected);
    let error = RollupConfig::parse(&json.to_string(), false)
        .unwrap_err()
        .to_string();
    assert!(expected.iter().all(|key| error.contains(key)), "{error}");
    assert!(error.contains("--rollup.ignore-unknown-keys"));
}

#[test]
fn unknown_keys_are_warned_of_when_they_are_ignored() {
    let json = with("multi_block_time", json!(1));
    let warnings = warnings(&json, true);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("multi_block_time"));
    let parsed = RollupConfig::parse(&json.to_string(), true).unwrap();
    assert_eq!(parsed.config, rollup());
}

#[test]
fn interop_time_is_ignored_loudly() {
    let json = with("interop_time", json!(5));
    let warnings = warnings(&json, false);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("lagoon_time"));
    assert_eq!(parse(&json).forks.lagoon, None);
    assert_eq!(
        self::warnings(&with("interop_time", Value::Null), false),
        Vec::<String>::new()
    );
    assert_eq!(parse(&with("lagoon_time", json!(5))).forks.lagoon, Some(5));
}

#[test]
fn data_behind_the_first_value_is_ignored_as_op_node_does() {
    let json = format!("{} {{\"block_time\": 9}} trailing", rollup_json());
    assert_eq!(RollupConfig::parse(&json, false).unwrap().config, rollup());
}

#[test]
fn what_is_no_rollup_json_is_refused() {
    for json in ["", "{", "[]", "null", "5", "{}"] {
        assert!(
            matches!(RollupConfig::parse(json, false), Err(ParseError::Json(_))),
            "{json}"
        );
    }
    for key in [
        "genesis",
        "block_time",
        "seq_window_size",
        "channel_timeout",
        "l1_chain_id",
    ] {
        let mut json = rollup_json();
        json.as_object_mut().unwrap().remove(key);
        let error = RollupConfig::parse(&json.to_string(), false).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
    }
    for (key, value) in [
        ("block_time", json!("2")),
        ("l2_chain_id", json!(-5)),
        ("alt_da", json!(1)),
    ] {
        assert!(RollupConfig::parse(&with(key, value).to_string(), false).is_err());
    }
}

#[test]
fn null_means_never_or_absent() {
    let mut json = rollup_json();
    for key in [
        "regolith_time",
        "lagoon_time",
        "pectra_blob_schedule_time",
        "alt_da",
    ] {
        json[key] = Value::Null;
    }
    json["chain_op_config"] = Value::Null;
    assert_eq!(parse(&json), rollup());
}

#[test]
fn konas_and_celos_forms_are_read() {
    let kona = json!({
        "da_challenge_address": null, "da_commitment_type": "GenericCommitment",
        "da_challenge_window": 1, "da_resolve_window": null,
    });
    let alt_da = parse(&with("alt_da", kona)).alt_da.unwrap();
    let expected = AltDaConfig {
        da_challenge_contract_address: Address::ZERO,
        da_commitment_type: CommitmentType::Generic,
        da_max_input_size: None,
        da_challenge_window: 1,
        da_resolve_window: 0,
    };
    assert_eq!(alt_da, expected);
    let named = json!({
        "eip1559_elasticity": 5, "eip1559_denominator": 400, "eip1559_denominator_canyon": 400,
    });
    let op = parse(&with("chain_op_config", named))
        .chain_op_config
        .unwrap();
    assert_eq!(
        (op.eip1559_elasticity, op.eip1559_denominator_canyon),
        (5, Some(400))
    );
}

#[test]
fn konas_granite_timeout_must_be_the_constant() {
    assert_eq!(parse(&with("granite_channel_timeout", json!(50))), rollup());
    let json = with("granite_channel_timeout", json!(51)).to_string();
    for ignore in [false, true] {
        let refused = RollupConfig::parse(&json, ignore);
        assert!(matches!(
            refused,
            Err(ParseError::GraniteChannelTimeout(51))
        ));
    }
}

#[test]
fn configurations_of_the_vectors_are_read_checked_and_printed_as_they_are() {
    let Some(vectors) = vectors() else { return };
    let mut seen = 0;
    for name in vectors
        .list("configs")
        .iter()
        .filter(|name| name.ends_with(".rollup.json"))
    {
        let mut file = vectors.json(format!("configs/{name}"));
        let config = parse(&file);
        assert_eq!(config.check(), Ok(()), "{name}");
        // no key of op-node's any more, and one that it always prints now
        file.as_object_mut()
            .unwrap()
            .remove("protocol_versions_address");
        let system = &mut file["genesis"]["system_config"];
        if system.get("daFootprintGasScalar").is_none() {
            system["daFootprintGasScalar"] = json!(0);
        }
        assert_eq!(lower(&config.to_json()), lower(&file), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn configurations_of_recorded_chains_are_what_op_node_prints() {
    let Some(vectors) = doppio_test_vectors::Vectors::find("recorded") else {
        return;
    };
    let mut seen = 0;
    for chain in vectors.list("") {
        if !vectors.path(format!("{chain}/rollup.json")).exists() {
            continue;
        }
        let mut file = vectors.json(format!("{chain}/rollup.json"));
        let config = parse(&file);
        assert_eq!(config.check(), Ok(()), "{chain}");
        // Espresso's op-node prints keys of its own, and omits a zero
        for key in OP_NODE_KEYS {
            assert_eq!(
                config.to_json().get(key).is_some(),
                file.get(key).is_some(),
                "{chain} {key}"
            );
        }
        if chain.starts_with("espresso") {
            continue;
        }
        file.as_object_mut()
            .unwrap()
            .remove("protocol_versions_address");
        assert_eq!(lower(&config.to_json()), lower(&file), "{chain}");
        seen += 1;
    }
    assert!(seen >= 6, "{seen}");
}

// opstack 11 K, TestConfig_Check: 23 negative cases by name

#[test]
fn check_of_a_legal_configuration_passes() {
    assert_eq!(rollup().check(), Ok(()));
    assert_eq!(full().check(), Ok(()));
}

#[test]
fn check_negative_cases() {
    type Case = (&'static str, fn(&mut RollupConfig), CheckError);
    let cases: [Case; 16] = [
        (
            "BlockTimeZero",
            |c| c.block_time = 0,
            CheckError::BlockTimeZero,
        ),
        (
            "ChannelTimeoutBedrockZero",
            |c| c.channel_timeout = 0,
            CheckError::ChannelTimeoutZero,
        ),
        (
            "SeqWindowSizeZero",
            |c| c.seq_window_size = 0,
            CheckError::SequencingWindowTooSmall(0),
        ),
        (
            "SeqWindowSizeOne",
            |c| c.seq_window_size = 1,
            CheckError::SequencingWindowTooSmall(1),
        ),
        (
            "NoL1Genesis",
            |c| c.genesis.l1.hash = B256::ZERO,
            CheckError::GenesisL1HashZero,
        ),
        (
            "NoL2Genesis",
            |c| c.genesis.l2.hash = B256::ZERO,
            CheckError::GenesisL2HashZero,
        ),
        (
            "GenesisHashesEqual",
            |c| c.genesis.l2.hash = c.genesis.l1.hash,
            CheckError::GenesisHashesEqual,
        ),
        (
            "GenesisL2TimeZero",
            |c| c.genesis.l2_time = 0,
            CheckError::GenesisTimeZero,
        ),
        (
            "NoBatcherAddr",
            |c| c.genesis.system_config.batcher = Address::ZERO,
            CheckError::BatcherZero,
        ),
        (
            "NoScalar",
            |c| c.genesis.system_config.scalar = B256::ZERO,
            CheckError::ScalarZero,
        ),
        (
            "NoGasLimit",
            |c| c.genesis.system_config.gas_limit = 0,
            CheckError::GasLimitZero,
        ),
        (
            "NoBatchInboxAddress",
            |c| c.batch_inbox_address = Address::ZERO,
            CheckError::InboxZero,
        ),
        (
            "NoDepositContractAddress",
            |c| c.deposit_contract_address = Address::ZERO,
            CheckError::DepositContractZero,
        ),
        (
            "ChainIDsEqual",
            |c| c.l2_chain_id = c.l1_chain_id,
            CheckError::ChainIdsEqual,
        ),
        (
            "L1ChainIdZero",
            |c| c.l1_chain_id = 0,
            CheckError::L1ChainIdZero,
        ),
        (
            "L2ChainIdZero",
            |c| c.l2_chain_id = 0,
            CheckError::L2ChainIdZero,
        ),
    ];
    for (name, change, error) in cases {
        let mut config = rollup();
        change(&mut config);
        assert_eq!(config.check(), Err(error), "{name}");
    }
}

/// NoL1ChainId, NoL2ChainId, L1ChainIdNegative, L2ChainIdNegative: such files are not read at all.
#[test]
fn check_negative_cases_that_no_value_of_ours_can_have() {
    for key in ["l1_chain_id", "l2_chain_id"] {
        let mut missing = rollup_json();
        missing.as_object_mut().unwrap().remove(key);
        let null = with(key, Value::Null);
        let negative = with(key, json!(-1));
        for json in [missing, null, negative] {
            assert!(RollupConfig::parse(&json.to_string(), true).is_err());
        }
    }
}

#[test]
fn check_max_sequencer_drift_is_needed_even_with_fjord() {
    let mut json = rollup_json();
    json.as_object_mut().unwrap().remove("max_sequencer_drift");
    let mut config = parse(&json);
    config.forks = ForkTimes::all_until(Fork::Fjord);
    assert_eq!(config.check(), Err(CheckError::SequencerDriftZero));
}

#[test]
fn check_block_time_is_not_absurd() {
    let mut config = rollup();
    config.block_time = 86_400;
    assert_eq!(config.check(), Ok(()));
    config.block_time = 86_401;
    assert_eq!(config.check(), Err(CheckError::BlockTimeTooLarge(86_401)));
}

/// PriorForkMissing, PriorForkHasHigherOffset and PriorForkOK, for every pair up to Isthmus.
#[test]
fn check_prior_fork_missing_higher_and_ok() {
    for pair in Fork::ALL.windows(2) {
        let (earlier, later) = (pair[0], pair[1]);
        let check = |earlier_time, later_time| {
            let mut config = rollup();
            for fork in Fork::ALL.into_iter().filter(|fork| *fork < earlier) {
                config.forks.set(fork, Some(0));
            }
            config.forks.set(earlier, earlier_time);
            config.forks.set(later, later_time);
            config.check()
        };
        assert_eq!(check(Some(1), Some(2)), Ok(()));
        assert_eq!(check(Some(1), Some(1)), Ok(()));
        assert_eq!(check(Some(1), None), Ok(()));
        if later <= Fork::Isthmus {
            assert_eq!(
                check(None, Some(1)),
                Err(CheckError::ForkMissing { earlier, later })
            );
            assert_eq!(
                check(Some(2), Some(1)),
                Err(CheckError::ForkOrder {
                    earlier,
                    earlier_time: 2,
                    later,
                    later_time: 1
                })
            );
        } else {
            // op-node does not compare the later ones
            assert_eq!(check(None, Some(1)), Ok(()));
            assert_eq!(check(Some(2), Some(1)), Ok(()));
        }
    }
}

// opstack 1.1: alt_da

#[test]
fn check_alt_da() {
    let check = |change: fn(&mut AltDaConfig)| {
        let mut config = full();
        change(config.alt_da.as_mut().unwrap());
        config.check()
    };
    fn generic(alt_da: &mut AltDaConfig) {
        alt_da.da_commitment_type = CommitmentType::Generic;
        alt_da.da_challenge_contract_address = Address::ZERO;
        alt_da.da_max_input_size = None;
    }
    assert_eq!(check(|_| {}), Ok(()));
    assert_eq!(check(generic), Ok(()));
    assert_eq!(check(|alt_da| alt_da.da_max_input_size = None), Ok(()));
    assert_eq!(
        check(|alt_da| alt_da.da_challenge_contract_address = Address::ZERO),
        Err(CheckError::KeccakWithoutChallengeContract)
    );
    assert_eq!(
        check(|alt_da| alt_da.da_commitment_type = CommitmentType::Generic),
        Err(CheckError::GenericWithChallengeContract)
    );
    assert_eq!(
        check(|alt_da| {
            generic(alt_da);
            alt_da.da_max_input_size = Some(1);
        }),
        Err(CheckError::GenericWithMaxInputSize)
    );
    assert_eq!(
        check(|alt_da| alt_da.da_max_input_size = Some(0)),
        Err(CheckError::MaxInputSizeZero)
    );
    assert_eq!(
        check(|alt_da| alt_da.da_challenge_window = 0),
        Err(CheckError::AltDaWindowZero)
    );
    assert_eq!(
        check(|alt_da| alt_da.da_resolve_window = 0),
        Err(CheckError::AltDaWindowZero)
    );
    let other = with("alt_da", json!({"da_commitment_type": "Other"}));
    assert!(RollupConfig::parse(&other.to_string(), false).is_err());
}

#[test]
fn sync_lookback_is_the_longer_of_the_two_windows() {
    let mut config = full();
    config.seq_window_size = 6;
    assert_eq!(config.sync_lookback(), 7);
    config.seq_window_size = 8;
    assert_eq!(config.sync_lookback(), 8);
    config.alt_da = None;
    assert_eq!(config.sync_lookback(), 8);
    assert_eq!(config.da_challenge_contract(), None);
}

// opstack 2.9: Espresso's keys

#[test]
fn check_espresso() {
    let check = |change: fn(&mut RollupConfig)| {
        let mut config = rollup();
        config.forks = ForkTimes::all_until(Fork::Holocene);
        config.batch_authenticator_address = Some(Address::repeat_byte(1));
        change(&mut config);
        config.check()
    };
    assert_eq!(check(|c| c.espresso_time = Some(5)), Ok(()));
    assert_eq!(check(|c| c.espresso_enforcement_time = Some(5)), Ok(()));
    assert_eq!(
        check(|c| {
            c.espresso_time = Some(5);
            c.espresso_enforcement_time = Some(5);
        }),
        Err(CheckError::EspressoGenerations)
    );
    for address in [None, Some(Address::ZERO)] {
        let mut config = rollup();
        config.forks = ForkTimes::all_until(Fork::Holocene);
        config.batch_authenticator_address = address;
        config.espresso_time = Some(5);
        assert_eq!(config.check(), Err(CheckError::AuthenticatorMissing));
    }
    assert_eq!(
        check(|c| {
            c.espresso_time = Some(5);
            c.forks.ecotone = Some(6);
            c.forks.fjord = None;
            c.forks.granite = None;
            c.forks.holocene = None;
        }),
        Err(CheckError::EspressoBeforeEcotone { espresso: 5 })
    );
}

// op-node's TestActivations and TestConfig_ActivationBlockAndForFork

#[test]
fn a_fork_is_active_from_its_time_on_and_activates_in_one_block() {
    for fork in Fork::ALL {
        let mut config = rollup();
        config.forks.set(fork, Some(1_001));
        assert!(!config.active(fork, 0) && !config.active(fork, 1_000));
        assert!(config.active(fork, 1_001) && config.active(fork, u64::MAX));
        let activation: Vec<u64> = (0..2_000)
            .filter(|time| config.is_activation_block(fork, *time))
            .collect();
        assert_eq!(
            activation,
            [1_001, 1_002],
            "with blocks every 2 s, one of the two exists"
        );
        config.forks.set(fork, Some(0));
        assert!(
            (0..10).all(|time| !config.is_activation_block(fork, time)),
            "at genesis"
        );
        config.forks.set(fork, None);
        assert!(!config.active(fork, u64::MAX));
    }
}

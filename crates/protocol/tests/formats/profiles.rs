//! Chain profiles: each difference between the lineages, on both sides, as far as formats decide
//! it. What follows for derivation has its tests in crate `doppio-derive`.

use crate::common::{chain_at, chain_under, chain_with, rollup};
use alloy_primitives::Address;
use doppio_protocol::config::{
    AltDaConfig, AuthProfile, AuthRule, BatchAuth, BatchAuthSchedule, BlobSchedule,
    BlobScheduleStep, CHANNEL_TIMEOUT_GRANITE, CeloTxTypes, ChainConfig, ChainConfigError,
    ChainProfile, CommitmentType, Fork, ForkTimes, IsthmusL1Block, L1Fork, Overrides, ProfileError,
    RollupConfig, RuleSet, Rules, SignatureForm,
};

const AUTHENTICATOR: Address = Address::repeat_byte(0xa0);

fn config(
    change: impl FnOnce(&mut RollupConfig),
    overrides: Overrides,
) -> Result<ChainConfig, ChainConfigError> {
    let mut rollup = rollup();
    rollup.forks = ForkTimes::all_until(Fork::Isthmus);
    change(&mut rollup);
    ChainConfig::new(rollup, overrides)
}

#[test]
fn the_lineages_differ_in_every_rule_and_constant_that_has_a_name() {
    let upstream = RuleSet::Upstream.rules();
    let celo = RuleSet::Celo.rules();
    // spelled out, so that a new rule cannot be forgotten here
    let Rules {
        span_overlap_compared,
        zero_elasticity_refused,
        post_exec_known,
        span_transactions_checked_alike,
    } = upstream;
    assert!(span_overlap_compared && zero_elasticity_refused);
    assert!(post_exec_known && span_transactions_checked_alike);
    let Rules {
        span_overlap_compared,
        zero_elasticity_refused,
        post_exec_known,
        span_transactions_checked_alike,
    } = celo;
    assert!(!span_overlap_compared && !zero_elasticity_refused);
    assert!(!post_exec_known && !span_transactions_checked_alike);

    let upstream = ChainProfile::upstream();
    assert_eq!(
        (upstream.max_frame_len, upstream.max_sequencer_drift),
        (1_000_000, 1_800)
    );
    assert!(!upstream.celo_dynamic_fee_v2() && !upstream.l1_osaka_fees_from_jovian);
    assert_eq!(upstream.isthmus_l1_block, IsthmusL1Block::Upstream);
    assert_eq!(upstream.rules, RuleSet::Upstream);
    let celo = ChainProfile::celo();
    assert_eq!(
        (celo.max_frame_len, celo.max_sequencer_drift),
        (16_000_000, 2_892)
    );
    assert!(celo.celo_dynamic_fee_v2() && celo.l1_osaka_fees_from_jovian);
    assert_eq!(celo.isthmus_l1_block, IsthmusL1Block::CustomGasToken);
    assert_eq!(celo.rules, RuleSet::Celo);
}

#[test]
fn a_chain_calls_for_its_profile_by_chain_id_or_cel2_time() {
    let name = |change: fn(&mut RollupConfig)| {
        let mut config = rollup();
        change(&mut config);
        ChainProfile::of_chain(&config).name
    };
    assert_eq!(name(|_| {}), "");
    for id in [42220, 11142220, 11162320] {
        let mut config = rollup();
        config.l2_chain_id = id;
        assert_eq!(ChainProfile::of_chain(&config), ChainProfile::celo());
    }
    assert_eq!(name(|config| config.cel2_time = Some(0)), "celo");
    assert_eq!(name(|config| config.l2_chain_id = 10), "");
}

#[test]
fn profiles_are_named_or_read_and_missing_fields_are_upstreams() {
    assert_eq!(
        ChainProfile::named("upstream").unwrap(),
        ChainProfile::upstream()
    );
    assert_eq!(ChainProfile::named("celo").unwrap(), ChainProfile::celo());
    assert!(
        matches!(ChainProfile::named("base"), Err(ProfileError::Unknown(name)) if name == "base")
    );
    assert_eq!(ChainProfile::parse("{}").unwrap(), ChainProfile::upstream());
    let celo = serde_json::to_string(&ChainProfile::celo()).unwrap();
    assert_eq!(ChainProfile::parse(&celo).unwrap(), ChainProfile::celo());
    let mine = ChainProfile::parse(
        r#"{"name":"mine","rules":"celo","max_frame_len":2000000,"span_tx_types":["0x7b"],
            "isthmus_l1_block":"custom-gas-token","batch_auth":{"rule":"inbox-contract-inline","from":7},
            "l1_blob_schedule":[{"fork":"cancun","time":0,"update_fraction":3338477}]}"#,
    )
    .unwrap();
    assert_eq!((mine.rules, mine.max_frame_len), (RuleSet::Celo, 2_000_000));
    assert_eq!(mine.max_sequencer_drift, 1_800);
    assert_eq!(mine.span_tx_types, [CeloTxTypes::DynamicFeeV2]);
    let auth = AuthProfile {
        rule: AuthRule::InboxContractInline,
        from: Some(7),
    };
    assert_eq!(mine.batch_auth, Some(auth));
    assert_eq!(
        mine.l1_blob_schedule.unwrap().steps()[0].fork,
        L1Fork::Cancun
    );
    for wrong in [
        "",
        "5",
        r#"{"rule":"celo"}"#,
        r#"{"rules":"base"}"#,
        r#"{"span_tx_types":["0x7c"]}"#,
    ] {
        assert!(
            matches!(ChainProfile::parse(wrong), Err(ProfileError::Json(_))),
            "{wrong}"
        );
    }
    for length in [0, 100_000_001] {
        let refused = ChainProfile::parse(&format!(r#"{{"max_frame_len":{length}}}"#));
        assert!(matches!(refused, Err(ProfileError::MaxFrameLen(found)) if found == length));
    }
}

#[test]
fn a_profile_names_an_authorisation_rule_in_either_way() {
    let parse = |rule: &str| ChainProfile::parse(&format!(r#"{{"batch_auth":{{{rule}}}}}"#));
    let rule = |text: &str| parse(text).unwrap().batch_auth.unwrap();
    for (text, expected) in [
        (r#""rule":"InboxContract""#, AuthRule::InboxContract),
        (
            r#""rule":"inbox-contract","signature":"separate""#,
            AuthRule::InboxContract,
        ),
        (
            r#""rule":"inbox_contract","signature":"inline""#,
            AuthRule::InboxContractInline,
        ),
        (
            r#""rule":"inbox-contract-inline","signature":"inline""#,
            AuthRule::InboxContractInline,
        ),
        (r#""rule":"AuthEventCaller""#, AuthRule::AuthEventCaller),
    ] {
        let expected = AuthProfile {
            rule: expected,
            from: None,
        };
        assert_eq!(rule(text), expected, "{text}");
        let json = serde_json::to_string(&expected).unwrap();
        assert_eq!(
            serde_json::from_str::<AuthProfile>(&json).unwrap(),
            expected
        );
    }
    for wrong in [
        r#""rule":"inbox-contract-inline","signature":"separate""#,
        r#""rule":"sender","signature":"inline""#,
        r#""rule":"auth-event","to":5"#,
        r#""rule":"anybody""#,
        r#""from":5"#,
    ] {
        assert!(
            matches!(parse(wrong), Err(ProfileError::Json(_))),
            "{wrong}"
        );
    }
}

// opstack 2.8: constants by fork

#[test]
fn limits_change_with_fjord_and_granite() {
    let chain = chain_with(|rollup| {
        rollup.forks = ForkTimes::all_until(Fork::Granite);
        rollup.forks.set(Fork::Fjord, Some(100));
        rollup.forks.set(Fork::Granite, Some(200));
    });
    assert_eq!(
        [99, 100].map(|t| chain.max_rlp_bytes_per_channel(t)),
        [10_000_000, 100_000_000]
    );
    assert_eq!(
        [99, 100].map(|t| chain.max_channel_bank_size(t)),
        [100_000_000, 1_000_000_000]
    );
    assert_eq!(
        [199, 200].map(|t| chain.channel_timeout(t)),
        [300, CHANNEL_TIMEOUT_GRANITE]
    );
    assert_eq!(
        [99, 100].map(|t| chain.max_sequencer_drift(t)),
        [600, 1_800]
    );
}

#[test]
fn the_sequencer_drift_is_the_profiles_from_fjord_and_cel2_on() {
    let celo = chain_under(ChainProfile::celo(), Fork::Fjord);
    assert_eq!(celo.max_sequencer_drift(0), 2_892);
    assert_eq!(
        chain_under(ChainProfile::celo(), Fork::Ecotone).max_sequencer_drift(0),
        600
    );
    let migrated = config(|rollup| rollup.cel2_time = Some(100), Overrides::default()).unwrap();
    assert_eq!(
        [99, 100].map(|t| migrated.max_sequencer_drift(t)),
        [1_800, 2_892]
    );
    assert_eq!(chain_at(Fork::Fjord).max_sequencer_drift(u64::MAX), 1_800);
}

#[test]
fn konas_sequencer_drift_must_be_the_profiles() {
    let drift = |seconds, cel2_time| {
        config(
            |rollup| {
                rollup.fjord_max_sequencer_drift = Some(seconds);
                rollup.cel2_time = cel2_time;
            },
            Overrides::default(),
        )
        .err()
    };
    assert_eq!(drift(1_800, None), None);
    assert_eq!(drift(2_892, Some(0)), None);
    let error = |expected, found| Some(ChainConfigError::FjordSequencerDrift { expected, found });
    assert_eq!(drift(2_892, None), error(1_800, 2_892));
    assert_eq!(drift(1_800, Some(0)), error(2_892, 1_800));
}

#[test]
fn the_keccak_input_limit_is_130_672_unless_configured() {
    let keccak = |da_max_input_size| {
        chain_with(|rollup| {
            rollup.alt_da = Some(AltDaConfig {
                da_challenge_contract_address: Address::repeat_byte(1),
                da_commitment_type: CommitmentType::Keccak,
                da_max_input_size,
                da_challenge_window: 1,
                da_resolve_window: 1,
            });
        })
        .keccak_max_input_size()
    };
    assert_eq!(keccak(None), 130_672);
    assert_eq!(keccak(Some(1_000_000)), 1_000_000);
    assert_eq!(chain_with(|_| {}).keccak_max_input_size(), 130_672);
}

// opstack 2.9: which authorisation rule holds

fn auth(change: impl FnOnce(&mut RollupConfig), overrides: Overrides) -> BatchAuthSchedule {
    config(change, overrides).unwrap().batch_auth
}

fn profile(rule: AuthRule, from: Option<u64>) -> Overrides {
    let batch_auth = Some(AuthProfile { rule, from });
    let profile = ChainProfile {
        batch_auth,
        ..ChainProfile::upstream()
    };
    Overrides {
        profile: Some(profile),
        ..Overrides::default()
    }
}

#[test]
fn without_keys_and_profile_the_sender_rule_holds() {
    assert_eq!(
        auth(|_| {}, Overrides::default()),
        BatchAuthSchedule::SENDER
    );
}

#[test]
fn espresso_keys_choose_generation_2_or_4() {
    let second = |window| {
        auth(
            |rollup| {
                rollup.espresso_enforcement_time = Some(50);
                rollup.batch_authenticator_address = Some(AUTHENTICATOR);
                rollup.batch_auth_lookback_window = window;
            },
            Overrides::default(),
        )
    };
    for (configured, window) in [(None, 100), (Some(0), 100), (Some(7), 7)] {
        let rule = BatchAuth::AuthEvent {
            authenticator: AUTHENTICATOR,
            window,
        };
        assert_eq!(second(configured), BatchAuthSchedule { rule, from: 50 });
    }
    let fourth = auth(
        |rollup| {
            rollup.espresso_time = Some(60);
            rollup.batch_authenticator_address = Some(AUTHENTICATOR);
        },
        Overrides::default(),
    );
    let rule = BatchAuth::AuthEventCallerDelayed {
        authenticator: AUTHENTICATOR,
    };
    assert_eq!(fourth, BatchAuthSchedule { rule, from: 60 });
}

#[test]
fn the_profile_chooses_generations_1_and_3() {
    for (rule, signature) in [
        (AuthRule::InboxContract, SignatureForm::Separate),
        (AuthRule::InboxContractInline, SignatureForm::Inline),
    ] {
        let expected = BatchAuthSchedule {
            rule: BatchAuth::InboxContract { signature },
            from: 70,
        };
        assert_eq!(auth(|_| {}, profile(rule, Some(70))), expected);
    }
    let third = auth(
        |rollup| rollup.batch_authenticator_address = Some(AUTHENTICATOR),
        profile(AuthRule::AuthEventCaller, Some(80)),
    );
    let rule = BatchAuth::AuthEventCaller {
        authenticator: AUTHENTICATOR,
    };
    assert_eq!(third, BatchAuthSchedule { rule, from: 80 });
}

#[test]
fn an_operator_overrides_rule_and_time() {
    let overrides = Overrides {
        batch_auth: Some(AuthRule::AuthEventCaller),
        auth_from: Some(99),
        ..Overrides::default()
    };
    let found = auth(
        |rollup| {
            rollup.espresso_time = Some(60);
            rollup.batch_authenticator_address = Some(AUTHENTICATOR);
        },
        overrides,
    );
    let rule = BatchAuth::AuthEventCaller {
        authenticator: AUTHENTICATOR,
    };
    assert_eq!(found, BatchAuthSchedule { rule, from: 99 });
    let sender = Overrides {
        batch_auth: Some(AuthRule::Sender),
        ..Overrides::default()
    };
    let found = auth(
        |rollup| {
            rollup.espresso_time = Some(60);
            rollup.batch_authenticator_address = Some(AUTHENTICATOR);
        },
        sender,
    );
    assert_eq!(found, BatchAuthSchedule::SENDER);
}

/// espresso_without_authenticator_errors
#[test]
fn a_rule_without_start_or_contract_is_an_error() {
    let missing = config(|_| {}, profile(AuthRule::AuthEventCaller, None));
    assert_eq!(
        missing.err(),
        Some(ChainConfigError::AuthFromMissing("auth-event-caller"))
    );
    let missing = config(|_| {}, profile(AuthRule::AuthEventCaller, Some(1)));
    assert_eq!(
        missing.err(),
        Some(ChainConfigError::AuthenticatorMissing("auth-event-caller"))
    );
    let missing = config(
        |rollup| rollup.espresso_time = Some(5),
        Overrides::default(),
    );
    assert!(matches!(missing, Err(ChainConfigError::Check(_))));
    let from_the_key = auth(
        |rollup| {
            rollup.espresso_time = Some(60);
            rollup.batch_authenticator_address = Some(AUTHENTICATOR);
        },
        Overrides {
            batch_auth: Some(AuthRule::AuthEventCaller),
            ..Overrides::default()
        },
    );
    assert_eq!(from_the_key.from, 60);
}

// the L1's blob schedule

#[test]
fn an_unknown_l1_needs_a_schedule_from_someone() {
    let private = |overrides| config(|rollup| rollup.l1_chain_id = 900, overrides);
    assert_eq!(
        private(Overrides::default()).err(),
        Some(ChainConfigError::UnknownL1(900))
    );
    let schedule = |update_fraction| {
        BlobSchedule::new(vec![BlobScheduleStep {
            fork: L1Fork::Cancun,
            time: 0,
            update_fraction,
        }])
    };
    let mut by_profile = Overrides {
        profile: Some(ChainProfile {
            l1_blob_schedule: Some(schedule(1)),
            ..ChainProfile::upstream()
        }),
        ..Overrides::default()
    };
    assert_eq!(
        private(by_profile.clone()).unwrap().l1_blob_schedule,
        schedule(1)
    );
    by_profile.l1_blob_schedule = Some(schedule(2));
    assert_eq!(private(by_profile).unwrap().l1_blob_schedule, schedule(2));
}

/// op-geth's constants, opstack-2026-09 3.11.
#[test]
fn public_l1s_have_the_schedules_of_op_geth() {
    let times = |chain_id| {
        let schedule = BlobSchedule::of_public_l1(chain_id).unwrap();
        let fractions: Vec<u64> = schedule
            .steps()
            .iter()
            .map(|step| step.update_fraction)
            .collect();
        assert_eq!(
            fractions,
            [3_338_477, 5_007_716, 5_007_716, 8_346_193, 11_684_671]
        );
        schedule
            .steps()
            .iter()
            .map(|step| step.time)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        times(1),
        [1710338135, 1746612311, 1764798551, 1765290071, 1767747671]
    );
    assert_eq!(
        times(11155111),
        [1706655072, 1741159776, 1760427360, 1761017184, 1761607008]
    );
    assert_eq!(
        times(17000),
        [1707305664, 1740434112, 1759308480, 1759800000, 1760389824]
    );
    assert_eq!(
        times(560048),
        [0, 1742999832, 1761677592, 1762365720, 1762955544]
    );
}

//! The configuration's id: changes with every value that derivation depends on, and with nothing
//! else.

use crate::common::rollup;
use alloy_primitives::{Address, B64, B256};
use doppio_protocol::config::{
    AltDaConfig, AuthProfile, AuthRule, BlobSchedule, BlobScheduleStep, CeloTxTypes, ChainConfig,
    ChainOpConfig, ChainProfile, CommitmentType, Fork, ForkTimes, IsthmusL1Block, L1Fork,
    Overrides, RollupConfig, RuleSet,
};
use std::collections::BTreeMap;

/// A configuration in which everything that can be set is set.
#[derive(Clone)]
struct Base {
    rollup: RollupConfig,
    overrides: Overrides,
}

impl Base {
    fn new() -> Self {
        let mut rollup = rollup();
        rollup.forks = ForkTimes::all_until(Fork::Lagoon);
        for (time, fork) in (100..).zip(Fork::ALL) {
            rollup.forks.set(fork, Some(time));
        }
        rollup.cel2_time = Some(1);
        rollup.pectra_blob_schedule_time = Some(2);
        rollup.espresso_enforcement_time = Some(1_000);
        rollup.batch_authenticator_address = Some(Address::repeat_byte(0xa0));
        rollup.batch_auth_lookback_window = Some(50);
        rollup.chain_op_config = Some(ChainOpConfig {
            eip1559_elasticity: 6,
            eip1559_denominator: 50,
            eip1559_denominator_canyon: Some(250),
        });
        rollup.alt_da = Some(AltDaConfig {
            da_challenge_contract_address: Address::repeat_byte(9),
            da_commitment_type: CommitmentType::Keccak,
            da_max_input_size: Some(1_000),
            da_challenge_window: 3,
            da_resolve_window: 4,
        });
        let profile = ChainProfile {
            l1_blob_schedule: Some(schedule(3)),
            ..ChainProfile::celo()
        };
        Self {
            rollup,
            overrides: Overrides {
                profile: Some(profile),
                ..Overrides::default()
            },
        }
    }

    fn profile(&mut self) -> &mut ChainProfile {
        self.overrides.profile.as_mut().unwrap()
    }

    fn id(&self) -> B256 {
        ChainConfig::new(self.rollup.clone(), self.overrides.clone())
            .unwrap()
            .config_id()
    }

    fn changed(change: impl FnOnce(&mut Self)) -> B256 {
        let mut base = Self::new();
        change(&mut base);
        base.id()
    }
}

fn schedule(update_fraction: u64) -> BlobSchedule {
    BlobSchedule::new(vec![
        BlobScheduleStep {
            fork: L1Fork::Cancun,
            time: 0,
            update_fraction,
        },
        BlobScheduleStep {
            fork: L1Fork::Prague,
            time: 10,
            update_fraction: 9,
        },
    ])
}

#[test]
fn the_id_is_the_same_for_the_same_configuration() {
    assert_eq!(Base::new().id(), Base::new().id());
}

#[test]
fn every_consensus_value_changes_the_id() {
    type Change = (&'static str, fn(&mut Base));
    let changes: &[Change] = &[
        ("genesis.l1.hash", |b| {
            b.rollup.genesis.l1.hash = B256::repeat_byte(0x11)
        }),
        ("genesis.l1.number", |b| b.rollup.genesis.l1.number += 1),
        ("genesis.l2.hash", |b| {
            b.rollup.genesis.l2.hash = B256::repeat_byte(0x11)
        }),
        ("genesis.l2.number", |b| b.rollup.genesis.l2.number += 1),
        ("genesis.l2_time", |b| b.rollup.genesis.l2_time += 1),
        ("batcherAddr", |b| {
            b.rollup.genesis.system_config.batcher = Address::repeat_byte(0x11)
        }),
        ("overhead", |b| {
            b.rollup.genesis.system_config.overhead = B256::repeat_byte(0x11)
        }),
        ("scalar", |b| {
            b.rollup.genesis.system_config.scalar = B256::repeat_byte(0x11)
        }),
        ("gasLimit", |b| {
            b.rollup.genesis.system_config.gas_limit += 1
        }),
        ("eip1559Params", |b| {
            b.rollup.genesis.system_config.eip1559_params = B64::repeat_byte(1);
        }),
        ("operatorFeeParams", |b| {
            b.rollup.genesis.system_config.operator_fee_params = B256::repeat_byte(1);
        }),
        ("minBaseFee", |b| {
            b.rollup.genesis.system_config.min_base_fee += 1
        }),
        ("daFootprintGasScalar", |b| {
            b.rollup.genesis.system_config.da_footprint_gas_scalar += 1;
        }),
        ("block_time", |b| b.rollup.block_time += 1),
        ("max_sequencer_drift", |b| b.rollup.max_sequencer_drift += 1),
        ("seq_window_size", |b| b.rollup.seq_window_size += 1),
        ("channel_timeout", |b| b.rollup.channel_timeout += 1),
        ("l1_chain_id", |b| b.rollup.l1_chain_id += 1),
        ("l2_chain_id", |b| b.rollup.l2_chain_id += 1),
        ("keep_karst_upgrade_gas", |b| {
            b.rollup.keep_karst_upgrade_gas = true
        }),
        ("batch_inbox_address", |b| {
            b.rollup.batch_inbox_address = Address::repeat_byte(0x11)
        }),
        ("deposit_contract_address", |b| {
            b.rollup.deposit_contract_address = Address::repeat_byte(0x11);
        }),
        ("l1_system_config_address", |b| {
            b.rollup.l1_system_config_address = Address::repeat_byte(0x11);
        }),
        ("pectra_blob_schedule_time", |b| {
            b.rollup.pectra_blob_schedule_time = Some(3)
        }),
        ("pectra_blob_schedule_time: never", |b| {
            b.rollup.pectra_blob_schedule_time = None
        }),
        ("cel2_time", |b| b.rollup.cel2_time = Some(7)),
        ("cel2_time: never", |b| b.rollup.cel2_time = None),
        ("chain_op_config", |b| b.rollup.chain_op_config = None),
        ("eip1559Elasticity", |b| {
            b.rollup
                .chain_op_config
                .as_mut()
                .unwrap()
                .eip1559_elasticity += 1;
        }),
        ("eip1559Denominator", |b| {
            b.rollup
                .chain_op_config
                .as_mut()
                .unwrap()
                .eip1559_denominator += 1;
        }),
        ("eip1559DenominatorCanyon", |b| {
            b.rollup
                .chain_op_config
                .as_mut()
                .unwrap()
                .eip1559_denominator_canyon = Some(1);
        }),
        ("eip1559DenominatorCanyon: absent", |b| {
            b.rollup
                .chain_op_config
                .as_mut()
                .unwrap()
                .eip1559_denominator_canyon = None;
        }),
        ("alt_da", |b| b.rollup.alt_da = None),
        ("da_challenge_contract_address", |b| {
            let alt_da = b.rollup.alt_da.as_mut().unwrap();
            alt_da.da_challenge_contract_address = Address::repeat_byte(1);
        }),
        ("da_commitment_type", |b| {
            let alt_da = b.rollup.alt_da.as_mut().unwrap();
            alt_da.da_commitment_type = CommitmentType::Generic;
            alt_da.da_challenge_contract_address = Address::ZERO;
            alt_da.da_max_input_size = None;
        }),
        ("da_max_input_size", |b| {
            b.rollup.alt_da.as_mut().unwrap().da_max_input_size = Some(1_001);
        }),
        ("da_max_input_size: default", |b| {
            b.rollup.alt_da.as_mut().unwrap().da_max_input_size = None;
        }),
        ("da_challenge_window", |b| {
            b.rollup.alt_da.as_mut().unwrap().da_challenge_window += 1
        }),
        ("da_resolve_window", |b| {
            b.rollup.alt_da.as_mut().unwrap().da_resolve_window += 1
        }),
        // who may post
        ("espresso_enforcement_time", |b| {
            b.rollup.espresso_enforcement_time = Some(1_001)
        }),
        ("espresso_time", |b| {
            b.rollup.espresso_time = b.rollup.espresso_enforcement_time.take();
        }),
        ("batch_authenticator_address", |b| {
            b.rollup.batch_authenticator_address = Some(Address::repeat_byte(0xa1));
        }),
        ("batch_auth_lookback_window", |b| {
            b.rollup.batch_auth_lookback_window = Some(51)
        }),
        ("no espresso", |b| b.rollup.espresso_enforcement_time = None),
        ("--batch-auth", |b| {
            b.overrides.batch_auth = Some(AuthRule::InboxContract)
        }),
        ("--batch-auth inline", |b| {
            b.overrides.batch_auth = Some(AuthRule::InboxContractInline);
        }),
        ("--auth-from", |b| b.overrides.auth_from = Some(5)),
        // the profile
        ("rules", |b| b.profile().rules = RuleSet::Upstream),
        ("max_frame_len", |b| b.profile().max_frame_len += 1),
        ("profile.max_sequencer_drift", |b| {
            b.profile().max_sequencer_drift += 1
        }),
        ("span_tx_types", |b| b.profile().span_tx_types.clear()),
        ("isthmus_l1_block", |b| {
            b.profile().isthmus_l1_block = IsthmusL1Block::Upstream
        }),
        ("l1_osaka_fees_from_jovian", |b| {
            b.profile().l1_osaka_fees_from_jovian = false
        }),
        ("da_refusals_drop", |b| {
            let drop = b.profile().da_refusals_drop;
            b.profile().da_refusals_drop = !drop;
        }),
        ("batch_auth of the profile", |b| {
            b.rollup.espresso_enforcement_time = None;
            b.profile().batch_auth = Some(AuthProfile {
                rule: AuthRule::InboxContract,
                from: Some(6),
            });
        }),
        // the L1's schedule
        ("l1_blob_schedule fraction", |b| {
            b.profile().l1_blob_schedule = Some(schedule(4))
        }),
        ("l1_blob_schedule time", |b| {
            let mut steps = schedule(3).steps().to_vec();
            steps[0].time += 1;
            b.profile().l1_blob_schedule = Some(BlobSchedule::new(steps));
        }),
        ("l1_blob_schedule fork", |b| {
            // Celo ignores Osaka until Jovian, so it matters what a step is called
            let mut steps = schedule(3).steps().to_vec();
            steps[1].fork = L1Fork::Osaka;
            b.profile().l1_blob_schedule = Some(BlobSchedule::new(steps));
        }),
        ("l1_blob_schedule step", |b| {
            let mut steps = schedule(3).steps().to_vec();
            steps.pop();
            b.profile().l1_blob_schedule = Some(BlobSchedule::new(steps));
        }),
        ("l1_blob_schedule of L1 itself", |b| {
            b.overrides.l1_blob_schedule = Some(schedule(5))
        }),
    ];
    let mut seen = BTreeMap::from([(Base::new().id(), "nothing".to_owned())]);
    let mut insert = |id: B256, name: String| {
        if let Some(other) = seen.insert(id, name.clone()) {
            panic!("{name} gives the same id as {other}");
        }
    };
    for (name, change) in changes {
        insert(Base::changed(change), (*name).to_owned());
    }
    for fork in Fork::ALL {
        let earlier = |base: &mut Base| {
            let time = base.rollup.forks.time(fork).unwrap();
            for fork in Fork::ALL.into_iter().filter(|other| *other <= fork) {
                let time = base.rollup.forks.time(fork).unwrap().min(time - 1);
                base.rollup.forks.set(fork, Some(time));
            }
        };
        insert(Base::changed(earlier), format!("{fork} earlier"));
    }
    for fork in Fork::ALL.into_iter().filter(|fork| *fork >= Fork::Isthmus) {
        insert(
            Base::changed(|base| base.rollup.forks.set(fork, None)),
            format!("{fork} never"),
        );
    }
}

/// One fork at a time, so that each time counts by itself.
#[test]
fn the_time_of_each_fork_changes_the_id() {
    let id = |forks: ForkTimes| {
        let mut base = Base::new();
        base.rollup.forks = forks;
        base.rollup.espresso_enforcement_time = None;
        base.id()
    };
    let mut all_at_5 = ForkTimes::default();
    Fork::ALL
        .into_iter()
        .for_each(|fork| all_at_5.set(fork, Some(5)));
    for last in Fork::ALL {
        let mut until = all_at_5;
        for fork in Fork::ALL.into_iter().filter(|fork| *fork > last) {
            until.set(fork, None);
        }
        let mut moved = until;
        moved.set(last, Some(6));
        let mut without = until;
        without.set(last, None);
        assert_ne!(id(until), id(moved), "{last}");
        assert_ne!(id(until), id(without), "{last}");
    }
}

/// Every field of the two structures is either in the list above or here. A new field breaks the
/// build of this test until someone has decided.
#[test]
fn no_field_is_forgotten() {
    let RollupConfig {
        genesis: _,
        block_time: _,
        max_sequencer_drift: _,
        seq_window_size: _,
        channel_timeout: _,
        l1_chain_id: _,
        l2_chain_id: _,
        forks: _,
        keep_karst_upgrade_gas: _,
        batch_inbox_address: _,
        deposit_contract_address: _,
        l1_system_config_address: _,
        chain_op_config: _,
        alt_da: _,
        pectra_blob_schedule_time: _,
        cel2_time: _,
        espresso_enforcement_time: _,
        espresso_time: _,
        batch_authenticator_address: _,
        batch_auth_lookback_window: _,
        // only compared with the profile's
        fjord_max_sequencer_drift: _,
    } = rollup();
    let ChainProfile {
        // what logs call it
        name: _,
        rules: _,
        max_frame_len: _,
        max_sequencer_drift: _,
        span_tx_types: _,
        isthmus_l1_block: _,
        l1_blob_schedule: _,
        l1_osaka_fees_from_jovian: _,
        da_refusals_drop: _,
        batch_auth: _,
    } = ChainProfile::upstream();
    assert_eq!(
        ChainProfile::celo().span_tx_types,
        [CeloTxTypes::DynamicFeeV2]
    );
}

#[test]
fn what_is_no_consensus_value_does_not_change_the_id() {
    let same = Base::new().id();
    type Change = (&'static str, fn(&mut Base));
    let changes: [Change; 6] = [
        ("the profile's name", |b| {
            b.profile().name = "another".to_owned()
        }),
        ("the drift that kona repeats", |b| {
            b.rollup.fjord_max_sequencer_drift = Some(2_892)
        }),
        ("the override that says what the key says", |b| {
            b.overrides.batch_auth = Some(AuthRule::AuthEvent);
        }),
        ("the schedule from another place", |b| {
            b.overrides.l1_blob_schedule = Some(schedule(3));
        }),
        ("the profile's rule behind the keys of rollup.json", |b| {
            b.profile().batch_auth = Some(AuthProfile {
                rule: AuthRule::Sender,
                from: None,
            });
        }),
        ("the order in which a schedule is written", |b| {
            let steps = schedule(3).steps().iter().rev().copied().collect();
            b.profile().l1_blob_schedule = Some(BlobSchedule::new(steps));
        }),
    ];
    for (name, change) in changes {
        assert_eq!(Base::changed(change), same, "{name}");
    }
}

#[test]
fn keys_that_change_nothing_in_derivation_do_not_change_the_id() {
    let mut json = Base::new().rollup.to_json();
    let id = |json: &serde_json::Value| {
        let mut base = Base::new();
        let read = RollupConfig::parse(&json.to_string(), true).unwrap().config;
        base.rollup = RollupConfig {
            cel2_time: base.rollup.cel2_time,
            espresso_enforcement_time: base.rollup.espresso_enforcement_time,
            batch_authenticator_address: base.rollup.batch_authenticator_address,
            batch_auth_lookback_window: base.rollup.batch_auth_lookback_window,
            ..read
        };
        base.id()
    };
    assert_eq!(id(&json), Base::new().id());
    for (key, value) in [
        (
            "protocol_versions_address",
            serde_json::json!(Address::repeat_byte(1)),
        ),
        (
            "superchain_config_address",
            serde_json::json!(Address::repeat_byte(1)),
        ),
        ("interop_message_expiry_window", serde_json::json!(77)),
        ("blobs_data", serde_json::json!(77)),
        ("granite_channel_timeout", serde_json::json!(50)),
        ("interop_time", serde_json::json!(77)),
        ("caff_node_config", serde_json::json!({"url": "x"})),
        ("unknown", serde_json::json!(1)),
    ] {
        json[key] = value;
    }
    assert_eq!(id(&json), Base::new().id());
}

//! What an operator sets instead of what rollup.json says.

use crate::common::{parse, rollup, rollup_json};
use doppio_protocol::config::{CheckError, Fork, Network, RollupConfig, RollupOverrides};
use serde_json::json;

#[test]
fn without_overrides_nothing_changes() {
    for network in Network::all() {
        let config = network.rollup_config().unwrap();
        assert_eq!(RollupOverrides::default().apply(config.clone()), config);
    }
}

/// Each override changes its own key of rollup.json and no other.
#[test]
fn an_override_changes_its_own_key_only() {
    let keys = Fork::ALL.map(|fork| (fork, format!("{}_time", fork.name().to_lowercase())));
    for (fork, key) in keys {
        for before in [json!(null), json!(3)] {
            let mut json = rollup_json();
            json[&key] = before;
            let config = parse(&json);
            let mut overrides = RollupOverrides::default();
            overrides.forks.set(fork, Some(0));
            json[&key] = json!(0);
            assert_eq!(overrides.apply(config), parse(&json), "{key}");
        }
    }
    let overrides = RollupOverrides {
        pectra_blob_schedule_time: Some(7),
        ..RollupOverrides::default()
    };
    let mut json = rollup_json();
    json["pectra_blob_schedule_time"] = json!(7);
    assert_eq!(overrides.apply(rollup()), parse(&json));
    for keep in [true, false] {
        let overrides = RollupOverrides {
            keep_karst_upgrade_gas: Some(keep),
            ..RollupOverrides::default()
        };
        json = rollup_json();
        json["keep_karst_upgrade_gas"] = json!(!keep);
        let config = parse(&json);
        json["keep_karst_upgrade_gas"] = json!(keep);
        assert_eq!(overrides.apply(config), parse(&json));
    }
}

#[test]
fn an_override_that_breaks_the_order_of_the_forks_is_found_by_the_check() {
    let mut overrides = RollupOverrides::default();
    overrides.forks.set(Fork::Isthmus, Some(1));
    let config = Network::find("op-mainnet").unwrap().rollup_config();
    let overridden = overrides.apply(config.unwrap());
    assert!(matches!(
        overridden.check(),
        Err(CheckError::ForkOrder {
            later: Fork::Isthmus,
            later_time: 1,
            ..
        })
    ));
}

/// op-node's ProbablyMissingPectraBlobSchedule, with its times of Prague.
#[test]
fn chains_older_than_prague_on_sepolia_and_holesky_need_the_pectra_blob_schedule() {
    let lacks = |l1_chain_id, l2_time, time| {
        let mut config: RollupConfig = rollup();
        config.l1_chain_id = l1_chain_id;
        config.genesis.l2_time = l2_time;
        config.pectra_blob_schedule_time = time;
        config.lacks_pectra_blob_schedule()
    };
    for (l1, prague) in [(11_155_111, 1_741_159_776), (17_000, 1_740_434_112)] {
        assert!(lacks(l1, prague, None));
        assert!(!lacks(l1, prague + 1, None));
        assert!(!lacks(l1, prague, Some(prague)));
    }
    assert!(!lacks(1, 1, None));
    assert!(!lacks(560_048, 1, None));
    assert!(!lacks(900, 1, None));
}

//! The superchain registry: each chain's entry, turned into a rollup.json, is read and legal.
//!
//! Registry files are TOML, and our parser reads JSON; the few lines of TOML that the registry
//! uses are read here.

use crate::common::{number_of, vectors};
use alloy_primitives::Address;
use doppio_protocol::config::{
    ChainConfig, ChainProfile, CommitmentType, Fork, Overrides, RollupConfig,
};
use doppio_test_vectors::Vectors;
use serde_json::{Map, Value, json};
use std::io::Read;

/// Sections and `key = value` lines, as the registry's files have them.
pub(crate) fn read_toml(text: &str) -> Value {
    let mut root = Value::Object(Map::new());
    let mut section: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = name
                .trim_matches(['[', ']'])
                .split('.')
                .map(|s| s.trim().to_owned())
                .collect();
            continue;
        }
        let Some((key, value)) = line.split_once(" = ") else {
            continue;
        };
        let value = value.split(" #").next().unwrap_or_default().trim();
        let value = match value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) {
            Some(text) => json!(text),
            None => serde_json::from_str(value).unwrap_or(Value::Null),
        };
        let mut place = &mut root;
        for name in &section {
            place = &mut place[name.as_str()];
        }
        place[key.trim()] = value;
    }
    root
}

/// The rollup.json that op-node makes of a registry entry, as far as the entry says it.
pub(crate) fn rollup_json(chain: &Value, superchain: &Value) -> Value {
    let mut json = json!({
        "genesis": chain["genesis"],
        "block_time": chain["block_time"],
        "max_sequencer_drift": chain["max_sequencer_drift"],
        "seq_window_size": chain["seq_window_size"],
        "channel_timeout": 300,
        "l1_chain_id": superchain["l1"]["chain_id"],
        "l2_chain_id": chain["chain_id"],
        "regolith_time": 0,
        "batch_inbox_address": chain["batch_inbox_addr"],
        "deposit_contract_address": chain["addresses"]["OptimismPortalProxy"],
        "l1_system_config_address": chain["addresses"]["SystemConfigProxy"],
        "chain_op_config": chain["optimism"],
    });
    for (key, value) in chain["hardforks"].as_object().into_iter().flatten() {
        json[key] = value.clone();
    }
    if chain["alt_da"].is_object() {
        json["alt_da"] = chain["alt_da"].clone();
    }
    json
}

/// The names and texts of an archive's files. The archive is a plain one: no encryption, one disk.
pub(crate) fn unzip(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let number = |at: usize, width: usize| {
        bytes[at..at + width]
            .iter()
            .rev()
            .fold(0, |n, byte| n << 8 | usize::from(*byte))
    };
    let end = bytes
        .windows(4)
        .rposition(|window| window == b"PK\x05\x06")
        .unwrap();
    let mut entry = number(end + 16, 4);
    let mut files = Vec::new();
    for _ in 0..number(end + 10, 2) {
        let (method, size) = (number(entry + 10, 2), number(entry + 20, 4));
        let lengths = [28, 30, 32].map(|at| number(entry + at, 2));
        let name = String::from_utf8(bytes[entry + 46..entry + 46 + lengths[0]].to_vec()).unwrap();
        let local = number(entry + 42, 4);
        let start = local + 30 + number(local + 26, 2) + number(local + 28, 2);
        let packed = &bytes[start..start + size];
        let mut content = Vec::new();
        if name.ends_with(".toml") {
            match method {
                0 => content.extend_from_slice(packed),
                _ => {
                    flate2::read::DeflateDecoder::new(packed)
                        .read_to_end(&mut content)
                        .unwrap();
                }
            }
        }
        files.push((name, content));
        entry += 46 + lengths.iter().sum::<usize>();
    }
    files
}

fn check(name: &str, chain: &Value, superchain: &Value) -> RollupConfig {
    let json = rollup_json(chain, superchain);
    let parsed = RollupConfig::parse(&json.to_string(), false)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(parsed.warnings, Vec::<String>::new(), "{name}");
    let config = parsed.config;
    assert_eq!(config.check(), Ok(()), "{name}");
    assert_eq!(config.l2_chain_id, number_of(&chain["chain_id"]));
    let printed = config.to_json().to_string();
    assert_eq!(
        RollupConfig::parse(&printed, false).unwrap().config,
        config,
        "{name}"
    );
    config
}

fn entry(vectors: &Vectors, network: &str, name: &str) -> RollupConfig {
    let read = |file: &str| read_toml(&vectors.text(format!("configs/{file}.toml")));
    let chain = read(&format!("{network}-{name}"));
    check(name, &chain, &read(&format!("{network}-superchain")))
}

#[test]
fn registry_entries_have_the_known_fork_times() {
    let Some(vectors) = vectors() else { return };
    let op = entry(&vectors, "mainnet", "op");
    assert_eq!((op.l1_chain_id, op.l2_chain_id), (1, 10));
    assert_eq!(op.forks.time(Fork::Isthmus), Some(1746806401));
    assert_eq!(op.forks.time(Fork::Karst), Some(1783526401));
    assert!(op.keep_karst_upgrade_gas);
    assert_eq!(op.genesis.l2.number, 105_235_063);
    let sepolia = entry(&vectors, "sepolia", "op");
    assert_eq!(sepolia.pectra_blob_schedule_time, Some(1742486400));
    assert_eq!(sepolia.forks.time(Fork::Jovian), Some(1763568001));
    for (name, keeps) in [("ink", true), ("unichain", true), ("mode", false)] {
        assert_eq!(
            entry(&vectors, "mainnet", name).keep_karst_upgrade_gas,
            keeps,
            "{name}"
        );
    }
    let celo = entry(&vectors, "mainnet", "celo");
    assert_eq!(celo.max_sequencer_drift, 2_892);
    assert_eq!(ChainProfile::of_chain(&celo), ChainProfile::celo());
    let celo_sepolia = entry(&vectors, "sepolia", "celo-sep");
    let alt_da = celo_sepolia.alt_da.unwrap();
    assert_eq!(alt_da.da_commitment_type, CommitmentType::Generic);
    assert_eq!(
        (alt_da.da_challenge_window, alt_da.da_resolve_window),
        (1, 1)
    );
    assert_eq!(alt_da.da_challenge_contract_address, Address::ZERO);
}

#[test]
fn every_chain_of_op_geths_registry_is_read_and_legal() {
    let Some(vectors) = vectors() else { return };
    let files = unzip(&vectors.bytes("configs/superchain-configs.zip"));
    let tomls: Vec<(&str, Value)> = files
        .iter()
        .filter(|(name, _)| name.starts_with("configs/") && name.ends_with(".toml"))
        .map(|(name, text)| (name.as_str(), read_toml(std::str::from_utf8(text).unwrap())))
        .collect();
    let superchain = |network: &str| {
        let name = format!("configs/{network}/superchain.toml");
        &tomls.iter().find(|(other, _)| *other == name).unwrap().1
    };
    let mut seen = 0;
    for (name, chain) in &tomls {
        let network = name.split('/').nth(1).unwrap();
        if name.ends_with("superchain.toml") {
            continue;
        }
        let config = check(name, chain, superchain(network));
        if config.l1_chain_id == 1 || config.l1_chain_id == 11_155_111 {
            let chain = ChainConfig::new(config, Overrides::default()).unwrap();
            assert!(!chain.config_id().is_zero());
        }
        seen += 1;
    }
    assert!(seen > 40, "{seen} chains");
}

#[test]
fn celos_own_registry_is_read() {
    let Some(vectors) = vectors() else { return };
    let registry = vectors.json("configs/celo-kona-registry.json");
    let mut seen = 0;
    for superchain in registry["superchains"].as_array().unwrap() {
        for chain in superchain["chains"].as_array().unwrap() {
            let entry = json!({
                "genesis": chain["genesis"],
                "block_time": chain["block_time"],
                "max_sequencer_drift": chain["max_sequencer_drift"],
                "seq_window_size": chain["seq_window_size"],
                "chain_id": chain["l2_chain_id"],
                "batch_inbox_addr": chain["batch_inbox_address"],
                "hardforks": chain["hardfork_configuration"],
                "optimism": chain["optimism"],
                "alt_da": chain["alt_da"],
                "addresses": {
                    "OptimismPortalProxy": Address::repeat_byte(1),
                    "SystemConfigProxy": Address::repeat_byte(2),
                },
            });
            let l1 = json!({"l1": {"chain_id": superchain["config"]["l1"]["chain_id"]}});
            let config = check(chain["Name"].as_str().unwrap(), &entry, &l1);
            assert_eq!(ChainProfile::of_chain(&config), ChainProfile::celo());
            assert!(config.forks.time(Fork::Jovian).is_some());
            seen += 1;
        }
    }
    assert!(seen >= 2, "{seen}");
}

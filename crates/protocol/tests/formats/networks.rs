//! The known chains are those of op-node's release, with the values of the registries.
//!
//! `networks.txt` is written anew from its sources with
//! `DOPPIO_WRITE_NETWORKS=1 cargo test -p doppio-protocol --test formats networks`; they are the Go
//! module `ethereum-optimism/optimism` (`go mod download github.com/ethereum-optimism/optimism@v1.19.6`)
//! and, for Celo's chains, the vectors.

use crate::{
    common::{number_of, parse, vectors},
    registry::{read_toml, rollup_json, unzip},
};
use doppio_protocol::{
    config::{
        BlobSchedule, ChainConfig, ChainProfile, Fork, Network, NetworkError, Overrides,
        RollupConfig,
    },
    l1_info::L1InfoLayout,
    upgrades::upgrades_at,
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::{Path, PathBuf},
};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/networks.txt");

/// The registry as op-node's release has it, prepared for the release's kona.
const MODULE: &str = "go/pkg/mod/github.com/ethereum-optimism/optimism@v1.19.6";
const REGISTRY: &str = "rust/kona/crates/protocol/registry/etc";

const HEAD: &str = "\
# Rollup configurations of known chains, one a line: chain id, names, rollup.json.
#
# Facts of the Superchain Registry (MIT, github.com/ethereum-optimism/superchain-registry) as
# ethereum-optimism/optimism v1.19.6 has them (commit b60a1a6398209ccc47267e77deb6e4bf4c1ede8a,
# rust/kona/crates/protocol/registry/etc): the chains that its op-node knows, by its names. Of
# Celo's chains, whose entries there are out of date, Celo's own registry (MIT,
# celo-org/celo-kona, commit 34985c44, crates/kona/registry/etc/configs.json).
#
# Written by crates/protocol/tests/formats/networks.rs, which says how. Keys that change nothing
# are left out.
";

/// Chains that op-node's release leaves out of its copy of the registry, because their first block
/// is not made from a genesis file. Of these, Celo's mainnet is added again.
const LEFT_OUT: [u64; 3] = [288, 28_882, 42_220];

/// Celo's chains: the name in the registry, which op-node takes, and what else they are called.
const CELO: [(u64, &str); 2] = [
    (42_220, "celo-mainnet"),
    (11_142_220, "celo-sep-sepolia celo-sepolia"),
];

/// The names op-node had before it took the registry's.
const LEGACY: [(u64, &str); 2] = [(10, "mainnet"), (11_155_420, "sepolia")];

fn module() -> Option<PathBuf> {
    let folder = std::env::var_os("DOPPIO_OPTIMISM").map_or_else(
        || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(MODULE),
        PathBuf::from,
    );
    let registry = folder.join(REGISTRY);
    if registry.is_dir() {
        return Some(registry);
    }
    let _ = writeln!(
        std::io::stderr(),
        "\n*** NOT TESTED: the known chains against {}; set DOPPIO_OPTIMISM to the folder of the \
         Go module ethereum-optimism/optimism v1.19.6 ***",
        registry.display()
    );
    None
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The chains of a registry in kona's form, by chain id.
fn kona_chains(registry: &Value) -> BTreeMap<u64, RollupConfig> {
    let mut chains = BTreeMap::new();
    for superchain in registry["superchains"].as_array().unwrap() {
        for chain in superchain["chains"].as_array().unwrap() {
            let address = |name: &str| {
                let addresses = chain["Addresses"].as_object().unwrap();
                let mut found = addresses
                    .iter()
                    .filter(|(key, _)| key.eq_ignore_ascii_case(name));
                found.next().unwrap().1.clone()
            };
            let mut json = json!({
                "genesis": chain["genesis"],
                "block_time": chain["block_time"],
                "max_sequencer_drift": chain["max_sequencer_drift"],
                "seq_window_size": chain["seq_window_size"],
                "channel_timeout": 300,
                "l1_chain_id": superchain["config"]["l1"]["chain_id"],
                "l2_chain_id": chain["l2_chain_id"],
                "regolith_time": 0,
                "batch_inbox_address": chain["batch_inbox_address"],
                "deposit_contract_address": address("OptimismPortalProxy"),
                "l1_system_config_address": address("SystemConfigProxy"),
                "chain_op_config": chain["optimism"],
            });
            for (key, value) in chain["hardfork_configuration"].as_object().unwrap() {
                json[key] = value.clone();
            }
            if chain["alt_da"].is_object() {
                json["alt_da"] = chain["alt_da"].clone();
            }
            chains.insert(number_of(&chain["l2_chain_id"]), parse(&json));
        }
    }
    chains
}

/// What the sources say: name, other names, configuration, by chain id.
fn expected(registry: &Path, celo: &Value) -> BTreeMap<u64, (String, RollupConfig)> {
    let mut names = BTreeMap::new();
    for chain in read_json(&registry.join("chainList.json"))
        .as_array()
        .unwrap()
    {
        let (network, name) = chain["identifier"]
            .as_str()
            .unwrap()
            .split_once('/')
            .unwrap();
        names.insert(number_of(&chain["chainId"]), format!("{name}-{network}"));
    }
    let mut known: BTreeMap<_, _> = kona_chains(&read_json(&registry.join("configs.json")))
        .into_iter()
        .filter(|(id, _)| !LEFT_OUT.contains(id))
        .map(|(id, config)| (id, (names[&id].clone(), config)))
        .collect();
    for (id, name) in LEGACY {
        let names = &mut known.get_mut(&id).unwrap().0;
        *names = format!("{names} {name}");
    }
    let mut celo = kona_chains(celo);
    for (id, name) in CELO {
        known.insert(id, (name.to_owned(), celo.remove(&id).unwrap()));
    }
    known
}

/// The shortest rollup.json that is read as the same configuration.
fn shortest(config: &RollupConfig) -> Value {
    let mut json = config.to_json();
    let paths = [
        "",
        "/genesis/system_config",
        "/genesis",
        "/chain_op_config",
        "/alt_da",
    ];
    for path in paths {
        let Some(Value::Object(object)) = json.pointer(path).cloned() else {
            continue;
        };
        for key in object.keys() {
            let mut shorter = json.clone();
            let place: &mut Map<_, _> = shorter
                .pointer_mut(path)
                .and_then(Value::as_object_mut)
                .unwrap();
            place.remove(key);
            let read = RollupConfig::parse(&shorter.to_string(), false);
            if read.is_ok_and(|read| read.config == *config) {
                json = shorter;
            }
        }
    }
    json
}

#[test]
fn the_known_chains_are_those_of_op_nodes_release_and_celos() {
    let (Some(vectors), Some(registry)) = (vectors(), module()) else {
        return;
    };
    let expected = expected(&registry, &vectors.json("configs/celo-kona-registry.json"));
    if std::env::var_os("DOPPIO_WRITE_NETWORKS").is_some() {
        let mut lines: Vec<_> = expected
            .iter()
            .map(|(id, (names, config))| (names, format!("{id} {names} {}\n", shortest(config))))
            .collect();
        lines.sort();
        let text: String = lines.into_iter().map(|(_, line)| line).collect();
        std::fs::write(DATA, format!("{HEAD}\n{text}")).unwrap();
        return;
    }
    let ours: BTreeMap<_, _> = Network::all()
        .map(|network| {
            let names: Vec<&str> = network.names().collect();
            let config = network.rollup_config().unwrap();
            (network.chain_id, (names.join(" "), config))
        })
        .collect();
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (id, (names, config)) in &expected {
        assert_eq!(&ours[id].0, names);
        assert_eq!(&ours[id].1, config, "{names}");
    }
}

/// op-geth's copy of the registry, some weeks older than op-node's release: what has changed since
/// is spelled out, all else is equal field by field.
#[test]
fn the_known_chains_have_the_values_of_op_geths_registry() {
    let Some(vectors) = vectors() else { return };
    // set by the registry after the chains had activated Karst
    let keep = [
        10,
        130,
        1868,
        57_073,
        919,
        1301,
        1740,
        1946,
        4202,
        763_373,
        11_155_420,
        999_999_999,
    ];
    let scheduled_since = [(480, 1_789_992_000), (4801, 1_788_868_800)];
    let files = unzip(&vectors.bytes("configs/superchain-configs.zip"));
    let toml = |name: &str| {
        let (_, text) = files.iter().find(|(other, _)| other == name).unwrap();
        read_toml(std::str::from_utf8(text).unwrap())
    };
    let mut left: Vec<&str> = Vec::new();
    let mut equal = BTreeSet::new();
    for (path, _) in &files {
        let Some((network, name)) = path
            .strip_prefix("configs/")
            .and_then(|path| path.strip_suffix(".toml")?.split_once('/'))
            .filter(|(_, name)| *name != "superchain")
        else {
            continue;
        };
        let chain = toml(path);
        let superchain = toml(&format!("configs/{network}/superchain.toml"));
        let mut theirs = parse(&rollup_json(&chain, &superchain));
        let Ok(ours) = Network::find(&format!("{name}-{network}")) else {
            left.push(name);
            continue;
        };
        assert_eq!(ours.chain_id, theirs.l2_chain_id);
        if ours.name() == "celo-sep-sepolia" {
            continue;
        }
        theirs.keep_karst_upgrade_gas = keep.contains(&theirs.l2_chain_id);
        if let Some((_, karst)) = scheduled_since
            .iter()
            .find(|(id, _)| *id == theirs.l2_chain_id)
        {
            theirs.forks.karst = Some(*karst);
        }
        assert_eq!(ours.rollup_config().unwrap(), theirs, "{path}");
        equal.insert(ours.name());
    }
    left.sort_unstable();
    assert_eq!(
        left,
        [
            "creator-chain-testnet",
            "ethernity",
            "oplabs-devnet-0",
            "rehearsal-0-bn-0",
            "rehearsal-0-bn-1"
        ]
    );
    let others: Vec<_> = Network::all()
        .map(|network| network.name())
        .filter(|name| !equal.contains(name))
        .collect();
    assert_eq!(
        others,
        [
            "celo-mainnet",
            "celo-sep-sepolia",
            "sepolia-devnet-2-sepolia-devnet-2"
        ]
    );
}

/// The real blocks of Celo's chains were made under the configuration that we have for them.
#[test]
fn celos_chains_are_those_of_real_blocks() {
    let Some(vectors) = vectors() else { return };
    let celo = Network::find("celo-sepolia")
        .unwrap()
        .rollup_config()
        .unwrap();
    let fixture = vectors.json("celo-executor/block-celo-sepolia-20465049.json.gz");
    let real = &fixture["fixture"]["rollup_config"];
    let ours = celo.to_json();
    assert_eq!(ours["genesis"]["l2"], real["genesis"]["l2"]);
    assert_eq!(ours["isthmus_time"], real["isthmus_time"]);
    assert_eq!(ours["jovian_time"], real["jovian_time"]);
    let celo = Network::find("celo-mainnet")
        .unwrap()
        .rollup_config()
        .unwrap();
    let fixture = vectors.json("celo-executor/block-celo-75046581.json.gz");
    let real = &fixture["fixture"]["rollup_config"];
    let ours = celo.to_json();
    assert_eq!(ours["genesis"]["l2"], real["genesis"]["l2"]);
    assert_eq!(ours["isthmus_time"], real["isthmus_time"]);
    assert_eq!(ours["jovian_time"], real["jovian_time"]);
    assert_eq!(ChainProfile::of_chain(&celo), ChainProfile::celo());
}

#[test]
fn every_line_of_the_data_is_a_chain_that_can_be_configured() {
    let text = std::fs::read_to_string(DATA).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(lines.count(), Network::all().count());
    assert!(Network::all().count() >= 51);
    let mut names = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for network in Network::all() {
        assert!(ids.insert(network.chain_id));
        for name in network.names() {
            assert!(names.insert(name), "{name}");
            assert_eq!(Network::find(name).unwrap(), network);
        }
        assert_eq!(Network::of_chain(network.chain_id).unwrap(), network);
        let config = network.rollup_config().unwrap();
        assert_eq!(config.l2_chain_id, network.chain_id);
        assert_eq!(config.check(), Ok(()), "{}", network.name());
        assert!(BlobSchedule::of_public_l1(config.l1_chain_id).is_some());
        assert!(ChainConfig::new(config, Overrides::default()).is_ok());
    }
    let sorted: Vec<_> = Network::all().map(|network| network.name()).collect();
    assert!(sorted.is_sorted());
}

#[test]
fn names_are_found_as_op_node_finds_them_and_by_chain_id() {
    let id = |name: &str| Network::find(name).unwrap().chain_id;
    assert_eq!(id("op-mainnet"), 10);
    assert_eq!(id("OP-Mainnet"), 10);
    assert_eq!(id("mainnet"), 10);
    assert_eq!(id("sepolia"), 11_155_420);
    assert_eq!(id("10"), 10);
    assert_eq!(id("celo-sepolia"), 11_142_220);
}

#[test]
fn a_chain_that_is_not_known_is_refused_with_the_names_of_those_that_are() {
    for name in ["", "op", "base-mainnet", "8453", "-", "op-mainnet mainnet"] {
        let error = Network::find(name).unwrap_err();
        assert!(matches!(&error, NetworkError::Unknown(other) if other == name));
        let text = error.to_string();
        assert!(text.contains("--rollup.config"), "{text}");
        assert!(text.contains("op-mainnet, op-sepolia"), "{text}");
    }
}

/// What a fork changes at its activation, at three blocks: the one before, the activation block, the one
/// after.
fn activation(
    chain: &ChainConfig,
    fork: Fork,
    first: u64,
) -> [(bool, bool, L1InfoLayout, usize); 3] {
    let block_time = chain.rollup.block_time;
    [first - block_time, first, first + block_time].map(|time| {
        let upgrades = upgrades_at(chain, time).map(|upgrade| upgrade.transactions.len());
        (
            chain.active(fork, time),
            chain.is_activation_block(fork, time),
            L1InfoLayout::at(chain, time),
            upgrades.sum(),
        )
    })
}

/// `each_hardfork_activates_at_its_mainnet_timestamp`, for all known chains: not a second before its
/// recorded time; with the first block that is not before it; its upgrade transactions in that block
/// alone; and its L1 information with the block after.
#[test]
fn each_hardfork_of_each_known_chain_activates_at_its_recorded_time() {
    let mut seen = BTreeMap::new();
    for network in Network::all() {
        let rollup = network.rollup_config().unwrap();
        let (genesis, block_time) = (rollup.genesis.l2_time, rollup.block_time);
        let forks = rollup.forks;
        let chain = ChainConfig::new(rollup, Overrides::default()).unwrap();
        for fork in Fork::ALL {
            let Some(time) = forks.time(fork) else {
                continue;
            };
            assert!(chain.active(fork, time) && chain.active(fork, u64::MAX));
            assert!(time == 0 || !chain.active(fork, time - 1), "{fork}");
            if time <= genesis {
                assert!(!chain.is_activation_block(fork, genesis), "{fork}");
                continue;
            }
            let first = genesis + (time - genesis).div_ceil(block_time) * block_time;
            let [before, at, after] = activation(&chain, fork, first);
            let name = format!("{} {fork}", network.name());
            assert_eq!((before.0, at.0, after.0), (false, true, true), "{name}");
            assert_eq!((before.1, at.1, after.1), (false, true, false), "{name}");
            let layout = match fork {
                Fork::Ecotone => Some(L1InfoLayout::Ecotone),
                Fork::Isthmus => Some(L1InfoLayout::Isthmus),
                Fork::Jovian => Some(L1InfoLayout::Jovian),
                _ => None,
            };
            if let Some(layout) = layout {
                assert_ne!(at.2, layout, "{name}: nobody can read it yet");
                assert_eq!(after.2, layout, "{name}");
            } else {
                assert_eq!(at.2, before.2, "{name}");
            }
            let least = match fork {
                Fork::Ecotone => 6,
                Fork::Fjord => 3,
                Fork::Isthmus => 8,
                Fork::Jovian => 5,
                Fork::Karst => 31,
                _ => 0,
            };
            assert!(at.3 >= least, "{name}: {} upgrade transactions", at.3);
            assert_eq!((before.3, after.3), (0, 0), "{name}");
            *seen.entry(fork.name()).or_insert(0) += 1;
        }
    }
    // each has activated in the middle of a known chain's life
    assert_eq!(seen.len(), 9, "{seen:?}");
}

/// OP Mainnet's activation blocks, by the heights that explorers show.
#[test]
fn op_mainnets_forks_activated_in_the_blocks_that_everybody_knows() {
    let rollup = Network::find("op-mainnet").unwrap().rollup_config();
    let chain = ChainConfig::new(rollup.unwrap(), Overrides::default()).unwrap();
    let genesis = chain.rollup.genesis;
    for (fork, time, height) in [
        (Fork::Canyon, 1_704_992_401, 114_696_812),
        (Fork::Ecotone, 1_710_374_401, 117_387_812),
        (Fork::Fjord, 1_720_627_201, 122_514_212),
        (Fork::Granite, 1_726_070_401, 125_235_812),
        (Fork::Holocene, 1_736_445_601, 130_423_412),
        (Fork::Isthmus, 1_746_806_401, 135_603_812),
    ] {
        assert_eq!(chain.rollup.forks.time(fork), Some(time), "{fork}");
        let block = genesis.l2_time + (height - genesis.l2.number) * chain.rollup.block_time;
        let [before, at, after] = activation(&chain, fork, block);
        assert!(!before.0 && at.1 && after.0, "{fork}");
    }
}

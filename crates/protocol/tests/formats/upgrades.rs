//! Upgrade transactions, and the bundles they come in from Karst on.

use crate::common::{
    BLOCK_TIME, address_of, bytes_of, chain_at, chain_under, chain_with, hash_of, hex_file,
    number_of, vectors,
};
use alloy_primitives::{Address, B256, Bytes, U256, address, b256, hex, keccak256};
use doppio_protocol::{
    config::{ChainProfile, Fork, ForkTimes, IsthmusL1Block},
    deposit::{DepositSource, DepositTx, L1_ATTRIBUTES_DEPOSITOR},
    upgrades::{BundleError, Upgrade, upgrade, upgrades_at},
};
use sha2::{Digest, Sha256};

const GPO: Address = address!("420000000000000000000000000000000000000F");
const L1_BLOCK: Address = address!("4200000000000000000000000000000000000015");
const OPERATOR_FEE_VAULT: Address = address!("420000000000000000000000000000000000001b");
const ZERO: Address = Address::ZERO;

fn transactions(fork: Fork) -> Vec<DepositTx> {
    upgrade(fork, IsthmusL1Block::Upstream)
        .transactions
        .iter()
        .map(|tx| DepositTx::decode(tx).unwrap())
        .collect()
}

fn source(intent: &str) -> B256 {
    DepositSource::Upgrade { intent }.hash()
}

/// `upgradeTo(address)`
fn upgrade_to(implementation: Address) -> Bytes {
    [&hex!("3659cfe6"), implementation.into_word().as_slice()]
        .concat()
        .into()
}

// opstack 11 H, upgrades: *SourcesMatchSpec, *NetworkTransactions (bytes equal the vectors)

#[test]
fn network_transactions_equal_the_vectors_byte_for_byte() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.json("upgrade/upgrade_txs.json");
    for (fork, name, count) in [
        (Fork::Ecotone, "ecotone", 6),
        (Fork::Fjord, "fjord", 3),
        (Fork::Isthmus, "isthmus", 8),
        (Fork::Jovian, "jovian", 5),
    ] {
        let ours = &upgrade(fork, IsthmusL1Block::Upstream).transactions;
        let theirs = json[name].as_array().unwrap();
        assert_eq!((ours.len(), theirs.len()), (count, count));
        for (tx, expected) in ours.iter().zip(theirs) {
            let deposit = DepositTx::decode(tx).unwrap();
            let raw = match expected.get("file") {
                Some(file) => hex_file(&vectors, &format!("upgrade/{}", file.as_str().unwrap())),
                None => bytes_of(&expected["raw"]),
            };
            assert_eq!(*tx, raw);
            assert_eq!(deposit.hash(), hash_of(&expected["tx_hash"]));
            assert_eq!(deposit.source_hash, hash_of(&expected["source_hash"]));
            assert_eq!(
                deposit.source_hash,
                source(expected["intent"].as_str().unwrap())
            );
            assert_eq!(keccak256(&deposit.data), hash_of(&expected["data_keccak"]));
            assert_eq!(deposit.gas, number_of(&expected["gas"]));
            assert_eq!(deposit.from, address_of(&expected["from"]));
            let to = expected["to"].as_str().map(|to| to.parse().unwrap());
            assert_eq!(deposit.to, to);
            assert_eq!((deposit.mint, deposit.value), (U256::ZERO, U256::ZERO));
            assert!(!deposit.is_system);
        }
    }
}

#[test]
fn ecotone_sources_match_spec() {
    let l1_block = address!("07dbe8500fc591d1852B76feE44d5a05e13097Ff");
    let gpo = address!("b528D11cC114E026F138fE568744c6D45ce6Da7A");
    let expected = [
        ("Ecotone: L1 Block Deployment", None, 375_000, None),
        (
            "Ecotone: Gas Price Oracle Deployment",
            None,
            1_000_000,
            None,
        ),
        (
            "Ecotone: L1 Block Proxy Update",
            Some(L1_BLOCK),
            50_000,
            Some(upgrade_to(l1_block)),
        ),
        (
            "Ecotone: Gas Price Oracle Proxy Update",
            Some(GPO),
            50_000,
            Some(upgrade_to(gpo)),
        ),
        (
            "Ecotone: Gas Price Oracle Set Ecotone",
            Some(GPO),
            80_000,
            Some(hex!("22b90ab3").into()),
        ),
        (
            "Ecotone: beacon block roots contract deployment",
            None,
            250_000,
            None,
        ),
    ];
    check(Fork::Ecotone, &expected);
    let froms: Vec<_> = transactions(Fork::Ecotone)
        .iter()
        .map(|tx| tx.from)
        .collect();
    let deployers = [0, 1].map(deployer);
    let beacon_roots = address!("0B799C86a49DEeb90402691F1041aa3AF2d3C875");
    assert_eq!(
        froms,
        [
            deployers[0],
            deployers[1],
            ZERO,
            ZERO,
            L1_ATTRIBUTES_DEPOSITOR,
            beacon_roots
        ]
    );
}

#[test]
fn fjord_sources_match_spec() {
    let gpo = address!("a919894851548179A0750865e7974DA599C0Fac7");
    let expected = [
        ("Fjord: Gas Price Oracle Deployment", None, 1_450_000, None),
        (
            "Fjord: Gas Price Oracle Proxy Update",
            Some(GPO),
            50_000,
            Some(upgrade_to(gpo)),
        ),
        (
            "Fjord: Gas Price Oracle Set Fjord",
            Some(GPO),
            90_000,
            Some(hex!("8e98b106").into()),
        ),
    ];
    check(Fork::Fjord, &expected);
    let froms: Vec<_> = transactions(Fork::Fjord).iter().map(|tx| tx.from).collect();
    assert_eq!(froms, [deployer(2), ZERO, L1_ATTRIBUTES_DEPOSITOR]);
}

#[test]
fn isthmus_sources_match_spec() {
    let l1_block = address!("Ff256497D61dcd71a9e9Ff43967C13fdE1F72D12");
    let gpo = address!("93e57A196454CB919193fa9946f14943cf733845");
    let vault = address!("4fa2Be8cd41504037F1838BcE3bCC93bC68Ff537");
    let expected = [
        ("Isthmus: L1 Block Deployment", None, 425_000, None),
        (
            "Isthmus: Gas Price Oracle Deployment",
            None,
            1_625_000,
            None,
        ),
        (
            "Isthmus: Operator Fee Vault Deployment",
            None,
            500_000,
            None,
        ),
        (
            "Isthmus: L1 Block Proxy Update",
            Some(L1_BLOCK),
            50_000,
            Some(upgrade_to(l1_block)),
        ),
        (
            "Isthmus: Gas Price Oracle Proxy Update",
            Some(GPO),
            50_000,
            Some(upgrade_to(gpo)),
        ),
        (
            "Isthmus: Operator Fee Vault Proxy Update",
            Some(OPERATOR_FEE_VAULT),
            50_000,
            Some(upgrade_to(vault)),
        ),
        (
            "Isthmus: Gas Price Oracle Set Isthmus",
            Some(GPO),
            90_000,
            Some(hex!("291b0383").into()),
        ),
        ("Isthmus: EIP-2935 Contract Deployment", None, 250_000, None),
    ];
    check(Fork::Isthmus, &expected);
    let history = address!("3462413Af4609098e1E27A490f554f260213D685");
    let froms: Vec<_> = transactions(Fork::Isthmus)
        .iter()
        .map(|tx| tx.from)
        .collect();
    let [a, b, c] = [3, 4, 5].map(deployer);
    assert_eq!(
        froms,
        [a, b, c, ZERO, ZERO, ZERO, L1_ATTRIBUTES_DEPOSITOR, history]
    );
}

/// The specification prints other intents; these are what is on chain.
#[test]
fn jovian_sources_match_the_chain() {
    let l1_block = address!("3Ba4007f5C922FBb33C454B41ea7a1f11E83df2C");
    let gpo = address!("4f1db3c6AbD250ba86E0928471A8F7DB3AFd88F1");
    let expected = [
        ("Jovian: L1 Block Deployment", None, 447_315, None),
        (
            "Jovian: L1 Block Proxy Update",
            Some(L1_BLOCK),
            50_000,
            Some(upgrade_to(l1_block)),
        ),
        ("Jovian: Gas Price Oracle Deployment", None, 1_750_714, None),
        (
            "Jovian: Gas Price Oracle Proxy Update",
            Some(GPO),
            50_000,
            Some(upgrade_to(gpo)),
        ),
        (
            "Jovian: Gas Price Oracle Set Jovian",
            Some(GPO),
            90_000,
            Some(hex!("b3d72079").into()),
        ),
    ];
    check(Fork::Jovian, &expected);
    assert_eq!(
        transactions(Fork::Jovian)[0].source_hash,
        b256!("bb1a656f65401240fac3db12e7a79ebb954b11e62f7626eb11691539b798d3bf")
    );
    let froms: Vec<_> = transactions(Fork::Jovian)
        .iter()
        .map(|tx| tx.from)
        .collect();
    assert_eq!(
        froms,
        [
            deployer(6),
            ZERO,
            deployer(7),
            ZERO,
            L1_ATTRIBUTES_DEPOSITOR
        ]
    );
}

/// 0x4210…00 and its successors deploy the implementations.
fn deployer(n: u8) -> Address {
    let mut address = address!("4210000000000000000000000000000000000000");
    address[19] = n;
    address
}

fn check(fork: Fork, expected: &[(&str, Option<Address>, u64, Option<Bytes>)]) {
    let found = transactions(fork);
    assert_eq!(found.len(), expected.len());
    for (tx, (intent, to, gas, data)) in found.iter().zip(expected) {
        assert_eq!(tx.source_hash, source(intent), "{intent}");
        assert_eq!((tx.to, tx.gas), (*to, *gas), "{intent}");
        if let Some(data) = data {
            assert_eq!(tx.data, *data, "{intent}");
        }
    }
}

#[test]
fn deployments_hold_the_bytecode_of_the_vectors() {
    let Some(vectors) = vectors() else { return };
    let file = |name: &str| hex_file(&vectors, &format!("upgrade/{name}.hex"));
    for (fork, index, name) in [
        (Fork::Ecotone, 0, "l1_block_ecotone"),
        (Fork::Ecotone, 1, "gpo_ecotone"),
        (Fork::Fjord, 0, "gpo_fjord"),
        (Fork::Isthmus, 0, "l1_block_isthmus"),
        (Fork::Isthmus, 1, "gpo_isthmus"),
        (Fork::Isthmus, 2, "ofv_isthmus"),
        (Fork::Jovian, 0, "jovian-l1-block-deployment"),
        (Fork::Jovian, 2, "jovian-gas-price-oracle-deployment"),
    ] {
        assert_eq!(transactions(fork)[index].data, file(name), "{name}");
    }
}

// opstack 11 H, upgrades: Eip4788Params, and the history contract likewise

#[test]
fn eip4788_and_eip2935_params_are_those_of_the_eips() {
    let Some(vectors) = vectors() else { return };
    for (fork, index, name) in [
        (Fork::Ecotone, 5, "eip4788_ecotone"),
        (Fork::Isthmus, 7, "eip2935_isthmus"),
    ] {
        let tx = &transactions(fork)[index];
        assert_eq!(tx.data, hex_file(&vectors, &format!("upgrade/{name}.hex")));
        assert_eq!((tx.to, tx.gas), (None, 250_000));
        // both EIPs derive the deployer from a signature by Nick's method, so nonce 0 gives the
        // contract that clients know
        let contract = tx.from.create(0);
        let known = match fork {
            Fork::Ecotone => address!("000F3df6D732807Ef1319fB7B8bB8522d0Beac02"),
            _ => address!("0000F90827F1C53a10cb7A02335B175320002935"),
        };
        assert_eq!(contract, known);
    }
}

#[test]
fn proxies_are_pointed_at_what_the_deployers_deploy() {
    for fork in [Fork::Ecotone, Fork::Fjord, Fork::Isthmus, Fork::Jovian] {
        let transactions = transactions(fork);
        let deployed: Vec<Address> = transactions
            .iter()
            .filter(|tx| tx.to.is_none())
            .map(|tx| tx.from.create(0))
            .collect();
        for tx in transactions
            .iter()
            .filter(|tx| tx.data.starts_with(&hex!("3659cfe6")))
        {
            assert!(
                deployed.contains(&Address::from_slice(&tx.data[16..])),
                "{fork}"
            );
        }
    }
}

// opstack 11 H, NUT: ReadNUTBundle, TotalGas, ToDepositTransactions, and the two real bundles

#[test]
fn read_nut_bundle_and_to_deposit_transactions() {
    let Some(vectors) = vectors() else { return };
    let bundle = Upgrade::from_bundle("Test", &vectors.text("upgrade/test-nut.json")).unwrap();
    assert_eq!(bundle.gas, 6_000_000);
    let found: Vec<_> = bundle
        .transactions
        .iter()
        .map(|tx| DepositTx::decode(tx).unwrap())
        .collect();
    let to = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    let deposit = |intent: &str, from, gas| DepositTx {
        source_hash: source(intent),
        from,
        to: Some(to),
        gas,
        data: hex!("abcdef").into(),
        ..DepositTx::default()
    };
    let second = address!("000000000000000000000000000000000000abba");
    assert_eq!(
        found,
        [
            deposit("Test 0: First Transaction", ZERO, 1_000_000),
            deposit("Test 1: Second Transaction", second, 5_000_000),
        ]
    );
}

#[test]
fn the_karst_bundle_is_the_one_whose_hash_the_lock_file_has() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.text("upgrade/karst_nut_bundle.json.gz");
    assert_eq!(json.len(), 326_789);
    assert_eq!(
        Sha256::digest(&json)[..],
        hex!("08f5df36f7ff29a9421ab84beebe96684a7455df9a5d234a2468613a4008ad91")
    );
    let bundle = Upgrade::from_bundle("Karst", &json).unwrap();
    assert_eq!(bundle, *upgrade(Fork::Karst, IsthmusL1Block::Upstream));
    assert_eq!((bundle.transactions.len(), bundle.gas), (31, 55_370_657));
    let concatenated = bundle.transactions.concat();
    assert_eq!(concatenated.len(), 162_477);
    assert_eq!(
        keccak256(concatenated),
        b256!("2f47d1bd06afb3ebf55140cc3e21eb064ede47f4c1c0f4be80469a4ed5c325cb")
    );
    let found = transactions(Fork::Karst);
    assert_eq!(
        found[0].source_hash,
        b256!("7e71ceb6816466ed1bbe59fce31bab86fbb815adbca6d2587fa492f6eb6eba74")
    );
    assert_eq!(
        found[0].source_hash,
        source("Karst 0: ConditionalDeployer Deployment")
    );
    assert_eq!(
        found[0].hash(),
        b256!("7582a14ccf99987782cdf0a40ecb81fc7230cf18e4603354e225fc14fe4859d9")
    );
    assert_eq!(
        found[30].source_hash,
        b256!("343d18613a55342c09a7be60664cb2e9bce77a17302c41322753e31427f9c543")
    );
    let conditional_deployer = address!("420000000000000000000000000000000000002C");
    let proxy_admin = address!("4200000000000000000000000000000000000018");
    let d = L1_ATTRIBUTES_DEPOSITOR;
    let places: Vec<_> = found.iter().map(|tx| (tx.from, tx.to.unwrap())).collect();
    assert_eq!(
        places[0],
        (d, address!("4e59b44847b379578588920cA78FbF26c0B4956C"))
    );
    assert_eq!(places[1], (ZERO, conditional_deployer));
    assert!(
        places[2..28]
            .iter()
            .all(|place| *place == (d, conditional_deployer))
    );
    assert_eq!(places[28], (ZERO, proxy_admin));
    assert_eq!(places[29], (d, conditional_deployer));
    assert_eq!(places[30], (d, proxy_admin));
    let gas: Vec<_> = [0, 1, 28, 29, 30].map(|index| found[index].gas).into();
    assert_eq!(gas, [580_000, 77_000, 49_711, 4_942_996, 2_115_000]);
    assert_eq!(found[2..28].iter().map(|tx| tx.gas).max(), Some(6_251_000));
    assert_eq!(found[30].data[..4], hex!("7c36f37e"));
}

/// Lagoon is parsed and never derived; its bundle reads all the same, under its old name.
#[test]
fn the_lagoon_bundle_has_the_published_digests() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.text("upgrade/lagoon_nut_bundle.json.gz");
    assert_eq!(
        Sha256::digest(&json)[..],
        hex!("2124ce31c0947cac15f00114214dd4354848f7b4642ff2d12ebb3f94b28cc989")
    );
    let bundle = Upgrade::from_bundle("Interop", &json).unwrap();
    assert_eq!((bundle.transactions.len(), bundle.gas), (28, 60_503_172));
    let concatenated = bundle.transactions.concat();
    assert_eq!(concatenated.len(), 174_889);
    assert_eq!(
        keccak256(concatenated),
        b256!("240058c9227f439e778bedcc17ff999ddbf2517327af0f8c11cab1d980277d44")
    );
}

// opstack 11 H, NUT: InvalidJSON, MissingIntent, NullTo, UnknownFork, unsupported version

fn bundle(version: &str, transactions: &str) -> Result<Upgrade, BundleError> {
    let json =
        format!(r#"{{"metadata":{{"version":"{version}"}},"transactions":[{transactions}]}}"#);
    Upgrade::from_bundle("Test", &json)
}

const FROM: &str =
    r#""from":"0x0000000000000000000000000000000000000001","data":"0x","gasLimit":1"#;

#[test]
fn nut_bundle_invalid_json() {
    for json in ["", "{", "[]", r#"{"transactions":[]}"#] {
        assert!(
            matches!(
                Upgrade::from_bundle("Test", json),
                Err(BundleError::Json(_))
            ),
            "{json}"
        );
    }
}

#[test]
fn nut_bundle_unsupported_version() {
    for version in ["", "1.0", "1.0.1", "2.0.0"] {
        let refused = bundle(version, "");
        assert!(matches!(refused, Err(BundleError::Version(found)) if found == version));
    }
    assert_eq!(bundle("1.0.0", "").unwrap(), Upgrade::default());
}

#[test]
fn nut_bundle_missing_intent() {
    let good = format!(r#"{{"intent":"A",{FROM}}}"#);
    for bad in [format!("{{{FROM}}}"), format!(r#"{{"intent":"",{FROM}}}"#)] {
        let refused = bundle("1.0.0", &format!("{good},{bad}"));
        assert!(matches!(refused, Err(BundleError::MissingIntent(1))));
    }
}

#[test]
fn nut_bundle_null_to_creates() {
    for to in [r#""to":null,"#, ""] {
        let bundle = bundle("1.0.0", &format!(r#"{{"intent":"A",{to}{FROM}}}"#)).unwrap();
        assert_eq!(DepositTx::decode(&bundle.transactions[0]).unwrap().to, None);
    }
}

#[test]
fn nut_bundle_total_gas_saturates() {
    let tx = |gas: u64| {
        let from = FROM.replace("\"gasLimit\":1", &format!("\"gasLimit\":{gas}"));
        format!(r#"{{"intent":"A",{from}}}"#)
    };
    assert_eq!(bundle("1.0.0", &[tx(3), tx(4)].join(",")).unwrap().gas, 7);
    assert_eq!(
        bundle("1.0.0", &[tx(u64::MAX), tx(4)].join(","))
            .unwrap()
            .gas,
        u64::MAX
    );
}

#[test]
fn an_unknown_fork_and_forks_without_upgrade_give_no_transactions() {
    for fork in [
        Fork::Regolith,
        Fork::Canyon,
        Fork::Delta,
        Fork::Granite,
        Fork::Holocene,
        // the four transactions of the former Interop fork are not derived either
        Fork::Lagoon,
    ] {
        assert_eq!(*upgrade(fork, IsthmusL1Block::Upstream), Upgrade::default());
    }
}

// opstack 3.8 #4: when they are due

#[test]
fn upgrades_are_due_in_the_activation_block_only_and_never_at_genesis() {
    for (fork, count) in [
        (Fork::Ecotone, 6),
        (Fork::Fjord, 3),
        (Fork::Isthmus, 8),
        (Fork::Jovian, 5),
        (Fork::Karst, 31),
    ] {
        for offset in 0..BLOCK_TIME {
            let chain = chain_with(|rollup| {
                rollup.forks = ForkTimes::all_until(fork);
                rollup.forks.set(fork, Some(2_000 - offset));
            });
            let due = |time| {
                upgrades_at(&chain, time)
                    .map(|u| u.transactions.len())
                    .sum::<usize>()
            };
            assert_eq!([1_998, 2_000, 2_002].map(due), [0, count, 0], "{fork}");
        }
        assert_eq!(upgrades_at(&chain_at(fork), 1_000).count(), 0);
        assert_eq!(upgrades_at(&chain_at(fork), 0).count(), 0);
    }
}

#[test]
fn forks_that_activate_together_upgrade_oldest_first() {
    let chain = chain_with(|rollup| {
        for fork in Fork::ALL.into_iter().filter(|fork| *fork <= Fork::Karst) {
            rollup.forks.set(fork, Some(2_000));
        }
    });
    let due: Vec<_> = upgrades_at(&chain, 2_000)
        .map(|u| u.transactions.len())
        .collect();
    assert_eq!(
        due.into_iter().filter(|n| *n > 0).collect::<Vec<_>>(),
        [6, 3, 8, 5, 31]
    );
}

#[test]
fn a_celo_chain_deploys_its_own_l1_block_at_isthmus() {
    let first = |profile| {
        let mut chain = chain_under(profile, Fork::Isthmus);
        chain.rollup.forks.set(Fork::Isthmus, Some(2_000));
        let upgrade = upgrades_at(&chain, 2_000).next().unwrap();
        DepositTx::decode(&upgrade.transactions[0]).unwrap()
    };
    let (upstream, celo) = (first(ChainProfile::upstream()), first(ChainProfile::celo()));
    assert_eq!((upstream.gas, upstream.data.len()), (425_000, 1_742));
    assert_eq!((celo.gas, celo.data.len()), (675_000, 2_915));
    assert_eq!(upstream.source_hash, celo.source_hash);
}

//! Upgrade transactions: deposits that a fork's activation block holds without any user asking.
//!
//! The transactions are facts, kept as data (`data/`, each file with its origin). Up to Jovian a
//! fork's transactions fit the block's gas limit; from Karst on they come as a *bundle* (a
//! "network upgrade transactions" file, version 1.0.0), and the activation block's gas limit is
//! raised by what the bundle needs.

use crate::{
    config::{ChainConfig, Fork, IsthmusL1Block},
    deposit::{DepositSource, DepositTx},
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde::Deserialize;
use std::sync::LazyLock;
use thiserror::Error;

/// Encoded upgrade transactions of one fork.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// The deposits in order, each EIP-2718 encoded.
    pub transactions: Vec<Bytes>,
    /// Gas that is added to the limit of the activation block; 0 before Karst.
    pub gas: u64,
}

/// Why a bundle is refused.
// spec: opstack-2026-09 0 *5
#[derive(Debug, Error)]
pub enum BundleError {
    /// Not the JSON of a bundle.
    #[error("the upgrade bundle cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Another format version.
    #[error("the upgrade bundle has version {0:?} instead of \"1.0.0\"")]
    Version(String),
    /// A transaction without the sentence that its source hash is made of.
    #[error("transaction {0} of the upgrade bundle has no intent")]
    MissingIntent(usize),
}

#[derive(Deserialize)]
struct Transactions {
    transactions: Vec<Transaction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    #[serde(default)]
    intent: String,
    from: Address,
    to: Option<Address>,
    gas_limit: u64,
    data: Bytes,
}

impl Transaction {
    // spec: opstack 3.12
    fn encode(self, intent: &str) -> Bytes {
        DepositTx {
            source_hash: DepositSource::Upgrade { intent }.hash(),
            from: self.from,
            to: self.to,
            mint: U256::ZERO,
            value: U256::ZERO,
            gas: self.gas_limit,
            is_system: false,
            data: self.data,
        }
        .encode()
    }
}

impl Upgrade {
    /// Reads a bundle. `label` is the name that qualifies the intents: the fork's, capitalised.
    // spec: opstack 0.3 *4
    pub fn from_bundle(label: &str, json: &str) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Bundle {
            metadata: Metadata,
            #[serde(flatten)]
            content: Transactions,
        }
        #[derive(Deserialize)]
        struct Metadata {
            version: String,
        }
        let bundle: Bundle = serde_json::from_str(json)?;
        if bundle.metadata.version != "1.0.0" {
            return Err(BundleError::Version(bundle.metadata.version));
        }
        let mut upgrade = Self::default();
        for (index, transaction) in bundle.content.transactions.into_iter().enumerate() {
            if transaction.intent.is_empty() {
                return Err(BundleError::MissingIntent(index));
            }
            let intent = format!("{label} {index}: {}", transaction.intent);
            upgrade.gas = upgrade.gas.saturating_add(transaction.gas_limit);
            upgrade.transactions.push(transaction.encode(&intent));
        }
        Ok(upgrade)
    }

    /// Reads one of our own files. Failing to is a bug: better no chain than another chain.
    fn from_file(json: &str) -> Self {
        let content: Transactions = serde_json::from_str(json).expect("data/"); // every test reads it
        let encode = |mut transaction: Transaction| {
            let intent = std::mem::take(&mut transaction.intent);
            transaction.encode(&intent)
        };
        Self {
            transactions: content.transactions.into_iter().map(encode).collect(),
            gas: 0,
        }
    }
}

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("data/", $name, ".json"))
    };
}

static NONE: Upgrade = Upgrade {
    transactions: Vec::new(),
    gas: 0,
};
// spec: opstack 3.12 |1 |2 |3 |4 |5
static ECOTONE: LazyLock<Upgrade> = LazyLock::new(|| Upgrade::from_file(data!("ecotone")));
// spec: opstack 3.12 |6 |7 |8
static FJORD: LazyLock<Upgrade> = LazyLock::new(|| Upgrade::from_file(data!("fjord")));
// spec: opstack 3.12 |9 |10 |11 |12 |13 |14
static ISTHMUS: LazyLock<Upgrade> = LazyLock::new(|| Upgrade::from_file(data!("isthmus")));
// spec: opstack 3.12 |9, opstack 0.2
static ISTHMUS_CUSTOM_GAS_TOKEN: LazyLock<Upgrade> = LazyLock::new(|| {
    let mut upgrade = ISTHMUS.clone();
    let replacement = Upgrade::from_file(data!("isthmus_custom_gas_token"));
    for (ours, theirs) in upgrade
        .transactions
        .iter_mut()
        .zip(replacement.transactions)
    {
        *ours = theirs;
    }
    upgrade
});
// spec: opstack 3.12 |15 |16 |17 |18 |19
static JOVIAN: LazyLock<Upgrade> = LazyLock::new(|| Upgrade::from_file(data!("jovian")));
// spec: opstack 0.3 *4, opstack-2026-09 3.12 *1 *2
static KARST: LazyLock<Upgrade> = LazyLock::new(|| {
    Upgrade::from_bundle("Karst", data!("karst_nut_bundle")).expect("data/") // every test reads it
});

/// The upgrade transactions of a fork.
// spec: opstack 3.12
pub fn upgrade(fork: Fork, isthmus_l1_block: IsthmusL1Block) -> &'static Upgrade {
    match fork {
        Fork::Ecotone => &ECOTONE,
        Fork::Fjord => &FJORD,
        Fork::Isthmus if isthmus_l1_block == IsthmusL1Block::CustomGasToken => {
            &ISTHMUS_CUSTOM_GAS_TOKEN
        }
        Fork::Isthmus => &ISTHMUS,
        Fork::Jovian => &JOVIAN,
        Fork::Karst => &KARST,
        // Canyon's create2 deployer is put in place by the engine. Lagoon is never derived.
        // spec: opstack 3.12 |20 |21, opstack-2026-09 3.12 *3
        Fork::Regolith
        | Fork::Canyon
        | Fork::Delta
        | Fork::Granite
        | Fork::Holocene
        | Fork::Lagoon => &NONE,
    }
}

/// The upgrades whose activation block is at `l2_time`, oldest fork first.
// spec: opstack 3.8 #4, opstack-2026-09 3.8 *1
pub fn upgrades_at(chain: &ChainConfig, l2_time: u64) -> impl Iterator<Item = &'static Upgrade> {
    Fork::ALL
        .into_iter()
        .filter(move |fork| chain.is_activation_block(*fork, l2_time))
        .map(|fork| upgrade(fork, chain.profile.isthmus_l1_block))
}

/// Gas to subtract from the limit of an L2 block at `time` when its SystemConfig is rebuilt.
///
/// Without it, the gas that an activation block was given would stay in every later block. Some
/// chains activated Karst before this was noticed, and keep it (`keep_karst_upgrade_gas`).
// spec: opstack 0.3 *6, opstack-2026-09 0 *6
pub fn gas_to_strip(chain: &ChainConfig, time: u64) -> u64 {
    if !chain.is_activation_block(Fork::Karst, time) || chain.rollup.keep_karst_upgrade_gas {
        return 0;
    }
    upgrade(Fork::Karst, chain.profile.isthmus_l1_block).gas
}

/// One hash over all upgrade transactions, for the configuration's id.
pub fn digest(isthmus_l1_block: IsthmusL1Block) -> B256 {
    static DIGESTS: LazyLock<[B256; 2]> = LazyLock::new(|| {
        [IsthmusL1Block::Upstream, IsthmusL1Block::CustomGasToken].map(|l1_block| {
            let transactions = Fork::ALL
                .into_iter()
                .flat_map(|fork| &upgrade(fork, l1_block).transactions);
            keccak256(transactions.flat_map(keccak256).collect::<Vec<u8>>())
        })
    });
    DIGESTS[usize::from(isthmus_l1_block == IsthmusL1Block::CustomGasToken)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::b256;

    fn concatenated(upgrade: &Upgrade) -> B256 {
        keccak256(upgrade.transactions.concat())
    }

    #[test]
    fn every_fork_with_upgrade_transactions_has_its_number_of_them() {
        let counts: Vec<_> = Fork::ALL
            .into_iter()
            .map(|fork| upgrade(fork, IsthmusL1Block::Upstream).transactions.len())
            .collect();
        assert_eq!(counts, [0, 0, 0, 6, 3, 0, 0, 8, 5, 31, 0]);
    }

    /// The digests are of opstack-2026-09 3.12.
    #[test]
    fn the_karst_bundle_has_the_published_digests() {
        let karst = upgrade(Fork::Karst, IsthmusL1Block::Upstream);
        assert_eq!(karst.gas, 55_370_657);
        assert_eq!(
            keccak256(&karst.transactions[0]),
            b256!("7582a14ccf99987782cdf0a40ecb81fc7230cf18e4603354e225fc14fe4859d9")
        );
        assert_eq!(
            DepositTx::decode(&karst.transactions[30])
                .unwrap()
                .source_hash,
            b256!("343d18613a55342c09a7be60664cb2e9bce77a17302c41322753e31427f9c543")
        );
        assert_eq!(
            concatenated(karst),
            b256!("2f47d1bd06afb3ebf55140cc3e21eb064ede47f4c1c0f4be80469a4ed5c325cb")
        );
    }

    #[test]
    fn celos_isthmus_differs_in_its_first_transaction_only() {
        let ours = upgrade(Fork::Isthmus, IsthmusL1Block::Upstream);
        let celo = upgrade(Fork::Isthmus, IsthmusL1Block::CustomGasToken);
        assert_eq!(ours.transactions[1..], celo.transactions[1..]);
        let [ours, celo] =
            [ours, celo].map(|upgrade| DepositTx::decode(&upgrade.transactions[0]).unwrap());
        assert_eq!((ours.gas, ours.data.len()), (425_000, 1742));
        assert_eq!((celo.gas, celo.data.len()), (675_000, 2915));
        assert_eq!(ours.source_hash, celo.source_hash);
        assert_ne!(
            digest(IsthmusL1Block::Upstream),
            digest(IsthmusL1Block::CustomGasToken)
        );
    }

    #[test]
    fn a_bundle_without_intent_or_of_another_version_is_refused() {
        let bundle = |version: &str, intent: &str| {
            format!(
                r#"{{"metadata":{{"version":"{version}"}},"transactions":[
                    {{"intent":"{intent}","from":"0x{0}","to":null,"gasLimit":7,"data":"0x01"}}]}}"#,
                "11".repeat(20)
            )
        };
        let upgrade = Upgrade::from_bundle("Test", &bundle("1.0.0", "First")).unwrap();
        assert_eq!(upgrade.gas, 7);
        let tx = DepositTx::decode(&upgrade.transactions[0]).unwrap();
        assert_eq!(tx.to, None);
        assert_eq!(
            tx.source_hash,
            DepositSource::Upgrade {
                intent: "Test 0: First"
            }
            .hash()
        );
        assert!(matches!(
            Upgrade::from_bundle("Test", &bundle("1.0.1", "First")),
            Err(BundleError::Version(_))
        ));
        assert!(matches!(
            Upgrade::from_bundle("Test", &bundle("1.0.0", "")),
            Err(BundleError::MissingIntent(0))
        ));
        assert!(matches!(
            Upgrade::from_bundle("Test", "{"),
            Err(BundleError::Json(_))
        ));
    }
}

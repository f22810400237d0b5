//! The first blocks of all public chains: the Superchain Registry as op-geth carries it.
//!
//! A zip file with a TOML file for each chain, which says what its first block's hash is, and with
//! their genesis files, compressed against a common dictionary.

use alloy_primitives::{Address, B256, b256};
use core::fmt::Write as _;
use doppio_engine::{
    Attributes, ChainSpec, ChainSpecError, Genesis, GenesisError, MemoryStore, build_block,
};
use doppio_protocol::config::{ChainOpConfig, ForkTimes};
use doppio_test_vectors::Vectors;
use flate2::read::DeflateDecoder;
use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
};

/// A zip file's content by name.
struct Zip(BTreeMap<String, Vec<u8>>);

impl Zip {
    /// Reads the central directory, of which a well-made file has one.
    fn read(bytes: &[u8]) -> Self {
        let u16_at = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let u32_at = |at: usize| u16_at(at) | u16_at(at + 2) << 16;
        let end = bytes.len() - 22;
        assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
        let mut at = u32_at(end + 16);
        let mut files = BTreeMap::new();
        for _ in 0..u16_at(end + 10) {
            assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
            let (method, size, name_len) = (u16_at(at + 10), u32_at(at + 20), u16_at(at + 28));
            let name = String::from_utf8(bytes[at + 46..at + 46 + name_len].to_vec()).unwrap();
            let local = u32_at(at + 42);
            let start = local + 30 + u16_at(local + 26) + u16_at(local + 28);
            let stored = &bytes[start..start + size];
            let content = match method {
                0 => stored.to_vec(),
                8 => {
                    let mut content = Vec::new();
                    let mut decoder = DeflateDecoder::new(stored);
                    decoder.read_to_end(&mut content).unwrap();
                    content
                }
                other => panic!("{name}: method {other}"),
            };
            files.insert(name, content);
            at += 46 + name_len + u16_at(at + 30) + u16_at(at + 32);
        }
        Self(files)
    }

    fn text(&self, name: &str) -> &str {
        core::str::from_utf8(&self.0[name]).unwrap()
    }

    /// The names of the chains, with their network.
    fn chains(&self) -> Vec<&str> {
        self.0
            .keys()
            .filter_map(|name| name.strip_prefix("genesis/")?.strip_suffix(".json.zst"))
            .collect()
    }

    fn genesis(&self, chain: &str) -> String {
        let compressed = &self.0[&format!("genesis/{chain}.json.zst")];
        let dictionary = &self.0["dictionary"];
        let source = Cursor::new(compressed);
        let mut decoder = zstd::Decoder::with_dictionary(source, dictionary).unwrap();
        let mut json = String::new();
        decoder.read_to_string(&mut json).unwrap();
        json
    }
}

/// The few lines of a registry entry that matter here. `section.key = value`.
struct Entry(BTreeMap<String, String>);

impl Entry {
    fn parse(toml: &str) -> Self {
        let mut section = String::new();
        let mut values = BTreeMap::new();
        for line in toml.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[') {
                section.clear();
                write!(section, "{}.", name.trim_end_matches(']')).unwrap();
            } else if let Some((key, value)) = line.split_once(" = ") {
                let value = value.split(" #").next().unwrap_or_default();
                let value = value.trim().trim_matches('"').to_owned();
                values.insert(format!("{section}{key}"), value);
            }
        }
        Self(values)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.0.get(key).map(|value| value.parse().unwrap())
    }

    fn hash(&self) -> B256 {
        self.0["genesis.l2.hash"].parse().unwrap()
    }

    fn spec(&self) -> ChainSpec {
        let fork = |name: &str| self.number(&format!("hardforks.{name}_time"));
        let forks = ForkTimes {
            regolith: Some(0),
            canyon: fork("canyon"),
            delta: fork("delta"),
            ecotone: fork("ecotone"),
            fjord: fork("fjord"),
            granite: fork("granite"),
            holocene: fork("holocene"),
            isthmus: fork("isthmus"),
            jovian: fork("jovian"),
            karst: fork("karst"),
            lagoon: fork("lagoon"),
        };
        let params = ChainOpConfig {
            eip1559_elasticity: self.number("optimism.eip1559_elasticity").unwrap(),
            eip1559_denominator: self.number("optimism.eip1559_denominator").unwrap(),
            eip1559_denominator_canyon: self.number("optimism.eip1559_denominator_canyon"),
        };
        let spec = ChainSpec::new(self.number("chain_id").unwrap(), forks, &params).unwrap();
        spec.with_bedrock_block(self.number("genesis.l2.number").unwrap())
    }
}

fn registry() -> Option<Zip> {
    let vectors = Vectors::find("opstack")?;
    Some(Zip::read(&vectors.bytes("configs/superchain-configs.zip")))
}

/// The first block of OP Mainnet, which the registry does not name: op-geth knows it by heart.
const OP_MAINNET: B256 = b256!("7ca38a1916c42007829c55e69d3e9a73265554b586a499015373241b8a3fa48b");

#[test]
fn every_public_chain_has_its_first_block() {
    let Some(registry) = registry() else { return };
    let mut tested = 0;
    for chain in registry.chains() {
        let entry = Entry::parse(registry.text(&format!("configs/{chain}.toml")));
        let json = registry.genesis(chain);
        let genesis = Genesis::parse_with(&json, None, entry.spec()).unwrap();
        let expected = if chain == "mainnet/op" {
            OP_MAINNET
        } else {
            entry.hash()
        };
        assert_eq!(genesis.hash, expected, "{chain}");
        tested += 1;
    }
    assert_eq!(tested, 54);
}

/// A chain that cannot be executed has a first block all the same.
#[test]
fn chains_that_cannot_be_executed_say_why() {
    let Some(registry) = registry() else { return };
    let execute = |chain: &str| {
        let entry = Entry::parse(registry.text(&format!("configs/{chain}.toml")));
        let json = registry.genesis(chain);
        let genesis = Genesis::parse_with(&json, None, entry.spec()).unwrap();
        let attributes = Attributes {
            timestamp: genesis.header.timestamp + 2,
            fee_recipient: Address::ZERO,
            prev_randao: B256::ZERO,
            gas_limit: 30_000_000,
            parent_beacon_block_root: Some(B256::ZERO),
            eip1559_params: None,
            min_base_fee: None,
        };
        let store = MemoryStore::with_genesis(&genesis).unwrap();
        let parent = (&genesis.header, genesis.hash);
        let error = build_block(&genesis.spec, &store, parent, &attributes, &[]).unwrap_err();
        assert!(!error.is_invalid_block(), "{error}");
        error.to_string()
    };
    let error = execute("mainnet/op");
    assert!(
        error.contains("becomes Bedrock at block 105235063"),
        "{error}"
    );
    let error = execute("rehearsal-0-bn/rehearsal-0-bn-0");
    assert!(error.contains("Lagoon"), "{error}");
    // a Celo chain is known by its id, for its configuration does not show it
    let celo = Genesis::parse(&registry.genesis("sepolia/celo-sep"), None).unwrap_err();
    let GenesisError::Chain(error) = celo else {
        panic!("{celo}")
    };
    assert_eq!(error, ChainSpecError::Celo(11_142_220));
}

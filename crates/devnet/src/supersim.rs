//! The OP Stack's contracts, as supersim carries them: genesis.json files inside its executable.
//!
//! They were made by op-deployer: an L1 with five chains deployed, and the five L2 states.

use alloy_primitives::Address;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};
use thiserror::Error;

/// Chain id of supersim's L1.
pub const L1_CHAIN_ID: u64 = 900;
/// Chain ids of the L2 chains on it, in the order in which supersim carries them.
pub const L2_CHAIN_IDS: [u64; 5] = [901, 902, 903, 904, 905];

/// Longest executable that is read.
const MAX_EXECUTABLE: u64 = 512 << 20;
/// Longest genesis.json or address book that is read.
const MAX_JSON: usize = 32 << 20;
/// How every genesis.json in it begins.
const GENESIS_BEGINS: &[u8] = b"{\n  \"config\": {";
/// How every address book in it begins.
const ADDRESSES_BEGIN: &[u8] = b"{\n  \"OpChainProxyAdmin\": \"0x";

/// Why the contracts cannot be read.
#[derive(Debug, Error)]
pub enum SupersimError {
    /// The executable cannot be read.
    #[error("supersim's executable cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Not what is looked for: there is nothing as long.
    #[error("supersim's executable has more than {MAX_EXECUTABLE} bytes")]
    TooLong,
    /// No genesis.json of the chain.
    #[error("supersim carries no genesis.json of chain {0}")]
    NoGenesis(u64),
    /// No address book of the chain.
    #[error("supersim carries no addresses of the contracts of chain {0}")]
    NoContracts(u64),
    /// Something that begins like what is looked for, and cannot be read.
    #[error("supersim's {what} at byte {at} cannot be read: {error}")]
    Json {
        /// What it should be.
        what: &'static str,
        /// Where it begins.
        at: usize,
        /// What is wrong.
        error: serde_json::Error,
    },
}

/// Addresses of a chain's contracts on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names are the contracts' own")]
pub struct Contracts {
    #[serde(rename = "OpChainProxyAdmin")]
    pub proxy_admin: Address,
    #[serde(rename = "AddressManager")]
    pub address_manager: Address,
    #[serde(rename = "L1ERC721BridgeProxy")]
    pub l1_erc721_bridge: Address,
    #[serde(rename = "SystemConfigProxy")]
    pub system_config: Address,
    #[serde(rename = "OptimismMintableERC20FactoryProxy")]
    pub optimism_mintable_erc20_factory: Address,
    #[serde(rename = "L1StandardBridgeProxy")]
    pub l1_standard_bridge: Address,
    #[serde(rename = "L1CrossDomainMessengerProxy")]
    pub l1_cross_domain_messenger: Address,
    #[serde(rename = "OptimismPortalProxy")]
    pub optimism_portal: Address,
    #[serde(rename = "ETHLockboxProxy")]
    pub eth_lockbox: Address,
    #[serde(rename = "DisputeGameFactoryProxy")]
    pub dispute_game_factory: Address,
    #[serde(rename = "AnchorStateRegistryProxy")]
    pub anchor_state_registry: Address,
    #[serde(rename = "PermissionedDisputeGame")]
    pub permissioned_dispute_game: Address,
    #[serde(rename = "DelayedWETHPermissionedGameProxy")]
    pub delayed_weth_permissioned_game: Address,
}

/// supersim's executable, in memory.
pub struct Supersim {
    executable: Vec<u8>,
}

impl std::fmt::Debug for Supersim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supersim")
            .field("bytes", &self.executable.len())
            .finish()
    }
}

/// What tells the genesis files apart. The rest is passed over.
#[derive(Deserialize)]
struct Head {
    config: HeadConfig,
    #[serde(rename = "alloc")]
    _alloc: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadConfig {
    chain_id: u64,
}

impl Supersim {
    /// Reads the executable.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or has more than 512 MiB.
    pub fn open(path: &Path) -> Result<Self, SupersimError> {
        let file = File::open(path)?;
        let mut executable = Vec::new();
        file.take(MAX_EXECUTABLE + 1).read_to_end(&mut executable)?;
        if executable.len() as u64 > MAX_EXECUTABLE {
            return Err(SupersimError::TooLong);
        }
        Ok(Self { executable })
    }

    /// An executable that was read already.
    pub const fn from_bytes(executable: Vec<u8>) -> Self {
        Self { executable }
    }

    /// The genesis.json of a chain, L1 or L2, as it is there.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    pub fn genesis(&self, chain_id: u64) -> Result<Value, SupersimError> {
        const WHAT: &str = "genesis.json";
        let mut from = 0;
        while let Some(at) = self.find(GENESIS_BEGINS, from) {
            let (head, length): (Head, usize) = self.json(WHAT, at)?;
            if head.config.chain_id == chain_id {
                return self.json(WHAT, at).map(|(genesis, _)| genesis);
            }
            from = at + length;
        }
        Err(SupersimError::NoGenesis(chain_id))
    }

    /// The contracts of an L2 chain on L1.
    ///
    /// # Errors
    ///
    /// If there are none, or they cannot be read.
    pub fn contracts(&self, l2_chain_id: u64) -> Result<Contracts, SupersimError> {
        let place = L2_CHAIN_IDS.iter().position(|id| *id == l2_chain_id);
        let mut from = 0;
        for _ in 0..place.ok_or(SupersimError::NoContracts(l2_chain_id))? {
            from = self
                .find(ADDRESSES_BEGIN, from)
                .ok_or(SupersimError::NoContracts(l2_chain_id))?
                + ADDRESSES_BEGIN.len();
        }
        let at = self
            .find(ADDRESSES_BEGIN, from)
            .ok_or(SupersimError::NoContracts(l2_chain_id))?;
        self.json("address book", at)
            .map(|(contracts, _)| contracts)
    }

    /// Where a text stands, from a place on.
    fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let first = text.first()?;
        let mut at = from;
        loop {
            let rest = self.executable.get(at..)?;
            at += rest.iter().position(|byte| byte == first)?;
            if self.executable.get(at..)?.starts_with(text) {
                return Some(at);
            }
            at += 1;
        }
    }

    /// The JSON value that begins at a place, and its length.
    fn json<'a, T: Deserialize<'a>>(
        &'a self,
        what: &'static str,
        at: usize,
    ) -> Result<(T, usize), SupersimError> {
        let text = self.executable.get(at..).unwrap_or_default();
        let text = text.get(..MAX_JSON).unwrap_or(text);
        let mut values = serde_json::Deserializer::from_slice(text).into_iter();
        match values.next() {
            Some(Ok(value)) => Ok((value, values.byte_offset())),
            Some(Err(error)) => Err(SupersimError::Json { what, at, error }),
            // There is a value: it begins with a brace.
            None => Err(SupersimError::Json {
                what,
                at,
                error: serde::de::Error::custom("there is nothing"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: &str = "{\n  \"config\": {\"chainId\": 7},\n \"alloc\": {\"0x00\": {}}}";

    fn supersim(parts: &[&[u8]]) -> Supersim {
        Supersim::from_bytes(parts.concat())
    }

    #[test]
    fn a_genesis_is_found_between_other_bytes_and_by_its_chain() {
        let other = GENESIS.replace('7', "5");
        let noise = b"\x00\xff{\n  {\n  \"conf";
        let it = supersim(&[noise, other.as_bytes(), noise, GENESIS.as_bytes(), b"\x00}"]);
        assert_eq!(
            it.genesis(7).unwrap(),
            serde_json::from_str::<Value>(GENESIS).unwrap()
        );
        assert_eq!(it.genesis(5).unwrap()["config"]["chainId"], 5);
        assert!(matches!(it.genesis(6), Err(SupersimError::NoGenesis(6))));
    }

    #[test]
    fn a_genesis_that_is_cut_off_is_an_error_that_says_where() {
        let it = supersim(&[b"abc", &GENESIS.as_bytes()[..40]]);
        let error = it.genesis(7).unwrap_err();
        assert!(
            matches!(error, SupersimError::Json { at: 3, .. }),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let it = supersim(&[b"{\n  \"OpChainProxyAdmin\": \"0x12\"}"]);
        assert!(matches!(
            it.contracts(901),
            Err(SupersimError::Json { at: 0, .. })
        ));
        assert!(matches!(
            it.contracts(902),
            Err(SupersimError::NoContracts(902))
        ));
        assert!(matches!(
            it.contracts(900),
            Err(SupersimError::NoContracts(900))
        ));
    }

    #[test]
    fn a_file_that_is_none_is_refused() {
        let error = Supersim::open(Path::new("/nowhere")).unwrap_err();
        assert!(matches!(error, SupersimError::Io(_)));
    }
}

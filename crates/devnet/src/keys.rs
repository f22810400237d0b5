//! Accounts whose keys everybody knows.
//!
//! All come from the phrase "test … junk" (BIP-39), by the paths of op-deployer's test keys.

use crate::DevnetError;
use alloy_primitives::{Address, B256};
use alloy_signer_local::{MnemonicBuilder, coins_bip39::English};

/// The phrase.
pub const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// An account and its key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Its address.
    pub address: Address,
    /// Its private key, known to everybody.
    pub key: B256,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({})", self.address)
    }
}

impl Account {
    /// The account at a path, such as `m/44'/60'/0'/0/0`.
    ///
    /// # Errors
    ///
    /// If it is no path.
    pub fn at(path: &str) -> Result<Self, DevnetError> {
        let signer = MnemonicBuilder::<English>::default()
            .phrase(MNEMONIC)
            .derivation_path(path)
            .and_then(|builder| builder.build())
            .map_err(|error| DevnetError::Key(format!("the key at {path}: {error}")))?;
        Ok(Self {
            address: signer.address(),
            key: signer.to_bytes(),
        })
    }

    /// A user: `m/44'/60'/0'/0/index`. The first ten have 10,000 ETH on L1, and on each L2.
    ///
    /// # Errors
    ///
    /// None for an index below 2^31.
    pub fn user(index: u32) -> Result<Self, DevnetError> {
        Self::at(&format!("m/44'/60'/0'/0/{index}"))
    }

    /// The guardian of the superchain of this L1, who may pause it.
    ///
    /// # Errors
    ///
    /// None for a chain id below 2^31.
    pub fn guardian(l1_chain_id: u64) -> Result<Self, DevnetError> {
        Self::at(&format!("m/44'/60'/1'/{l1_chain_id}/2"))
    }

    /// The private key in hexadecimal, as flags such as `--private-key` take it.
    pub fn key_hex(&self) -> String {
        format!("{}", self.key)
    }
}

/// The accounts that run an L2 chain. Each has 10 million ETH on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the roles'")]
pub struct ChainKeys {
    pub deployer: Account,
    pub proposer: Account,
    pub batcher: Account,
    /// Signs unsafe blocks for gossip.
    pub sequencer: Account,
    pub challenger: Account,
    pub l2_proxy_admin_owner: Account,
    pub l1_proxy_admin_owner: Account,
    pub system_config_owner: Account,
}

impl ChainKeys {
    /// The accounts of a chain: `m/44'/60'/2'/chain/role`.
    ///
    /// # Errors
    ///
    /// None for a chain id below 2^31.
    pub fn of(l2_chain_id: u64) -> Result<Self, DevnetError> {
        let role = |role: u32| Account::at(&format!("m/44'/60'/2'/{l2_chain_id}/{role}"));
        Ok(Self {
            deployer: role(0)?,
            proposer: role(1)?,
            batcher: role(2)?,
            sequencer: role(3)?,
            challenger: role(4)?,
            l2_proxy_admin_owner: role(5)?,
            l1_proxy_admin_owner: role(6)?,
            system_config_owner: role(10)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{address, b256};

    /// The addresses are those that the contracts on L1 name, the user's key is in every tool's
    /// documentation.
    #[test]
    fn keys_are_those_of_the_contracts() {
        let user = Account::user(0).unwrap();
        let known = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        let key = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
        assert_eq!((user.address, user.key), (known, key));
        assert_eq!(
            user.key_hex(),
            "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
        );
        let keys = ChainKeys::of(901).unwrap();
        assert_eq!(
            keys.batcher.address,
            address!("e6FB5f4Cc65D6BF7Fd10C394caeE2891bd4E964f")
        );
        assert_eq!(
            keys.sequencer.address,
            address!("47b9861aBe271606C965d81ac2E21D68807a2d22")
        );
        let owner = address!("Ad0eaC6C586E30652553c985E9B1837D05f6Ae37");
        assert_eq!(keys.system_config_owner.address, owner);
        let guardian = Account::guardian(900).unwrap().address.to_string();
        assert!(
            guardian.starts_with("0x9E6a") && guardian.ends_with("793A"),
            "{guardian}"
        );
        assert!(Account::at("44'/sixty").is_err());
        // a key is not printed by accident
        assert!(!format!("{user:?}").contains("ac0974"));
    }
}

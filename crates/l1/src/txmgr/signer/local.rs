//! A key in memory.

use super::{Signer, SignerError, Signing, Unsigned};
use alloy_consensus::crypto::secp256k1::sign_message;
use alloy_primitives::{Address, B256};
use alloy_signer_local::{MnemonicBuilder, PrivateKeySigner, coins_bip39::English};
use doppio_txmgr::{SignFailure, UnsignedTx};
use std::{fmt, path::Path};

/// Signs with a private key.
pub struct LocalSigner {
    address: Address,
    key: B256,
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSigner")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl From<PrivateKeySigner> for LocalSigner {
    fn from(signer: PrivateKeySigner) -> Self {
        Self {
            address: signer.address(),
            key: signer.to_bytes(),
        }
    }
}

impl LocalSigner {
    /// A private key in hexadecimal (`--private-key`).
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn from_hex(key: &str) -> Result<Self, SignerError> {
        let key: B256 = key.trim().parse().map_err(|_| SignerError::Key)?;
        let signer = PrivateKeySigner::from_bytes(&key).map_err(|_| SignerError::Key)?;
        Ok(signer.into())
    }

    /// A key of a mnemonic, by its path such as `m/44'/60'/0'/0/0` (`--mnemonic`, `--hd-path`).
    ///
    /// # Errors
    ///
    /// If the mnemonic or the path is none.
    pub fn from_mnemonic(words: &str, path: &str) -> Result<Self, SignerError> {
        let builder = MnemonicBuilder::<English>::default()
            .phrase(words.trim())
            .derivation_path(path)
            // Its words may quote the mnemonic.
            .map_err(|_| SignerError::Mnemonic(format!("{path:?} is no derivation path")))?;
        let signer = builder
            .build()
            .map_err(|_| SignerError::Mnemonic("it is no BIP-39 mnemonic".to_owned()))?;
        Ok(signer.into())
    }

    /// A key file, encrypted with scrypt or PBKDF2 as geth and others write them.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or the password is another one.
    pub fn from_keystore(file: &Path, password: &str) -> Result<Self, SignerError> {
        let signer = PrivateKeySigner::decrypt_keystore(file, password).map_err(|error| {
            SignerError::Keystore {
                file: file.display().to_string(),
                reason: error.to_string(),
            }
        })?;
        Ok(signer.into())
    }
}

impl Signer for LocalSigner {
    fn address(&self) -> Address {
        self.address
    }

    fn sign(&self, tx: UnsignedTx) -> Signing<'_> {
        Box::pin(async move {
            let refused = |reason: &str| SignFailure::Refused(reason.to_owned());
            let tx = Unsigned::new(&tx)
                .ok_or_else(|| refused("a transaction with blobs has a recipient"))?;
            let signature = sign_message(self.key, tx.signature_hash())
                .map_err(|_| refused("the key cannot sign"))?;
            Ok(tx.into_signed(signature))
        })
    }
}

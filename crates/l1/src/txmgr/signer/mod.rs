//! Who signs: a key in memory, or a server that holds it. Keys are never shown.

mod local;
mod remote;

pub use local::LocalSigner;
pub use remote::{RemoteOptions, RemoteSigner, TlsFiles};

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, TxEip1559, TxEip4844};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Signature, TxKind};
use doppio_txmgr::{SignFailure, Signed, UnsignedTx};
use std::{fmt, future::Future, pin::Pin};
use thiserror::Error;

/// What a signer is doing.
pub type Signing<'a> = Pin<Box<dyn Future<Output = Result<Signed, SignFailure>> + Send + 'a>>;

/// Signs the transactions of one account.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The account.
    fn address(&self) -> Address;

    /// Signs a transaction. What is given back is that very transaction, signed by the account.
    fn sign(&self, tx: UnsignedTx) -> Signing<'_>;
}

/// Why there is no signer.
#[derive(Debug, Error)]
pub enum SignerError {
    /// Not a private key.
    #[error("the private key is none: it has 32 bytes in hexadecimal")]
    Key,
    /// Not a mnemonic, or not a path.
    #[error("the mnemonic or the derivation path cannot be used: {0}")]
    Mnemonic(String),
    /// Not a key file, or another password.
    #[error("the key file {file} cannot be used: {reason}")]
    Keystore {
        /// Its path.
        file: String,
        /// Why.
        reason: String,
    },
    /// A file of certificates or keys cannot be read.
    #[error("{file}: {reason}")]
    File {
        /// Its path.
        file: String,
        /// Why.
        reason: String,
    },
    /// The signer's URL cannot be used.
    #[error(transparent)]
    Url(#[from] doppio_rpc::UrlError),
    /// Certificates and keys cannot be used.
    #[error("TLS to the signer: {0}")]
    Tls(String),
    /// The signer does not answer, or has not the account.
    #[error("the signer: {0}")]
    Unreachable(String),
}

fn eip1559(tx: &UnsignedTx) -> TxEip1559 {
    TxEip1559 {
        chain_id: tx.chain_id,
        nonce: tx.nonce,
        gas_limit: tx.gas_limit,
        max_fee_per_gas: tx.fees.fee_cap,
        max_priority_fee_per_gas: tx.fees.tip_cap,
        to: tx.to.map_or(TxKind::Create, TxKind::Call),
        value: tx.value,
        access_list: Default::default(),
        input: tx.data.clone(),
    }
}

fn eip4844(tx: &UnsignedTx, to: Address) -> TxEip4844 {
    TxEip4844 {
        chain_id: tx.chain_id,
        nonce: tx.nonce,
        gas_limit: tx.gas_limit,
        max_fee_per_gas: tx.fees.fee_cap,
        max_priority_fee_per_gas: tx.fees.tip_cap,
        to,
        value: tx.value,
        access_list: Default::default(),
        blob_versioned_hashes: tx.blob_hashes.clone(),
        max_fee_per_blob_gas: tx.fees.blob_fee_cap,
        input: tx.data.clone(),
    }
}

/// The transaction as Ethereum has it.
pub(crate) enum Unsigned {
    Plain(TxEip1559),
    Blob(TxEip4844),
}

impl Unsigned {
    /// None if it cannot be: blobs without a recipient.
    pub(crate) fn new(tx: &UnsignedTx) -> Option<Self> {
        if tx.blob_hashes.is_empty() {
            Some(Self::Plain(eip1559(tx)))
        } else {
            Some(Self::Blob(eip4844(tx, tx.to?)))
        }
    }

    pub(crate) fn signature_hash(&self) -> alloy_primitives::B256 {
        match self {
            Self::Plain(tx) => tx.signature_hash(),
            Self::Blob(tx) => tx.signature_hash(),
        }
    }

    pub(crate) fn into_signed(self, signature: Signature) -> Signed {
        let envelope: EthereumTxEnvelope<TxEip4844> = match self {
            Self::Plain(tx) => EthereumTxEnvelope::Eip1559(tx.into_signed(signature)),
            Self::Blob(tx) => EthereumTxEnvelope::Eip4844(tx.into_signed(signature)),
        };
        Signed {
            hash: *envelope.tx_hash(),
            raw: envelope.encoded_2718().into(),
        }
    }
}

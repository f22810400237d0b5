//! Signing and sending transactions, on L1 and on L2.

use crate::{Account, DevnetError, Rpc, blobs};
use alloy_consensus::{
    SignableTransaction, TxEip1559, TxEip4844, TxEip4844WithSidecar,
    crypto::secp256k1::sign_message,
};
use alloy_eips::{eip2718::Encodable2718, eip7594::BlobTransactionSidecarVariant};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use doppio_protocol::blob::Blob;

const GWEI: u128 = 1_000_000_000;
/// Most that is paid for a unit of gas. L1 begins with 1 gwei.
const MAX_FEE: u128 = 100 * GWEI;
/// What of it goes to the block's maker.
const TIP: u128 = GWEI;
/// Most that is paid for a unit of blob gas.
const MAX_BLOB_FEE: u128 = 100 * GWEI;
/// Gas that a transaction costs at least.
const BASE_GAS: u64 = 21_000;
/// Most gas for a byte of calldata (EIP-7623).
const GAS_OF_A_BYTE: u64 = 40;
/// Gas for whatever a contract does, unless a call says otherwise.
const GAS_OF_A_CALL: u64 = 2_000_000;

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Recipient; none to create a contract.
    pub to: Option<Address>,
    /// Wei that are sent along.
    pub value: U256,
    /// Calldata, or init code.
    pub data: Bytes,
    /// Gas limit.
    pub gas: u64,
}

impl Call {
    /// Sends wei.
    pub const fn transfer(to: Address, value: U256) -> Self {
        Self {
            to: Some(to),
            value,
            data: Bytes::new(),
            gas: BASE_GAS,
        }
    }

    /// Calls a contract, with 2 million gas.
    pub const fn contract(to: Address, data: Bytes) -> Self {
        Self {
            to: Some(to),
            value: U256::ZERO,
            data,
            gas: GAS_OF_A_CALL,
        }
    }

    /// Creates a contract, with 2 million gas.
    pub const fn creation(init_code: Bytes) -> Self {
        Self {
            to: None,
            value: U256::ZERO,
            data: init_code,
            gas: GAS_OF_A_CALL,
        }
    }

    /// Leaves data at an address that has no code, such as the batch inbox, with just enough gas.
    pub fn data(to: Address, data: Bytes) -> Self {
        let gas = BASE_GAS + GAS_OF_A_BYTE * data.len() as u64;
        Self {
            to: Some(to),
            value: U256::ZERO,
            data,
            gas,
        }
    }

    /// The same with another value.
    #[must_use]
    pub const fn with_value(mut self, value: U256) -> Self {
        self.value = value;
        self
    }

    /// The same with another gas limit.
    #[must_use]
    pub const fn with_gas(mut self, gas: u64) -> Self {
        self.gas = gas;
        self
    }
}

/// How the blobs of a transaction are proven while it is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SidecarForm {
    /// One proof for each blob (EIP-4844): quick to make. anvil takes it after Osaka too.
    #[default]
    Blob,
    /// 128 proofs for each blob (EIP-7594): what Ethereum asks for since Osaka.
    Cells,
}

/// A transaction with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    /// Its hash.
    pub hash: B256,
    /// Its bytes, as `eth_sendRawTransaction` takes them: blobs included.
    pub raw: Bytes,
}

/// An account on a chain. Whoever sends from it otherwise at the same time may take its nonces.
#[derive(Clone, Debug)]
pub struct Wallet {
    rpc: Rpc,
    chain_id: u64,
    account: Account,
}

impl Wallet {
    /// An account on the chain with this id, which the server has.
    pub const fn new(rpc: Rpc, chain_id: u64, account: Account) -> Self {
        Self {
            rpc,
            chain_id,
            account,
        }
    }

    /// The account.
    pub const fn account(&self) -> Account {
        self.account
    }

    /// The server.
    pub const fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// The nonce of the account's next transaction, after those that wait.
    ///
    /// # Errors
    ///
    /// If the server does not say.
    pub async fn next_nonce(&self) -> Result<u64, DevnetError> {
        self.rpc.next_nonce(self.account.address).await
    }

    /// Signs an EIP-1559 transaction.
    ///
    /// # Errors
    ///
    /// If the account's key is none.
    pub fn sign(&self, call: &Call, nonce: u64) -> Result<SignedTransaction, DevnetError> {
        self.signed(TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: call.gas,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: TIP,
            to: call.to.map_or(TxKind::Create, TxKind::Call),
            value: call.value,
            input: call.data.clone(),
            ..TxEip1559::default()
        })
    }

    /// Signs a transaction with blobs (EIP-4844), and makes their proofs.
    ///
    /// # Errors
    ///
    /// If a blob has a field element that is none.
    pub async fn sign_blobs(
        &self,
        to: Address,
        blobs: Vec<Box<Blob>>,
        form: SidecarForm,
        nonce: u64,
    ) -> Result<SignedTransaction, DevnetError> {
        let sidecar = blobs::sidecar(blobs, form).await?;
        let tx = TxEip4844 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: BASE_GAS,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: TIP,
            to,
            blob_versioned_hashes: sidecar.versioned_hashes().collect(),
            max_fee_per_blob_gas: MAX_BLOB_FEE,
            ..TxEip4844::default()
        };
        self.signed(
            TxEip4844WithSidecar::<BlobTransactionSidecarVariant>::from_tx_and_sidecar(tx, sidecar),
        )
    }

    fn signed<T>(&self, transaction: T) -> Result<SignedTransaction, DevnetError>
    where
        T: SignableTransaction<Signature>,
        alloy_consensus::Signed<T>: Encodable2718,
    {
        let signature = sign_message(self.account.key, transaction.signature_hash())
            .map_err(|error| DevnetError::Key(format!("{:?}: {error}", self.account)))?;
        let signed = transaction.into_signed(signature);
        Ok(SignedTransaction {
            hash: signed.trie_hash(),
            raw: signed.encoded_2718().into(),
        })
    }

    /// Signs and hands in a transaction; its hash.
    ///
    /// # Errors
    ///
    /// If the server refuses it.
    pub async fn send(&self, call: &Call) -> Result<B256, DevnetError> {
        let signed = self.sign(call, self.next_nonce().await?)?;
        self.rpc.send_raw(&signed.raw).await
    }

    /// Signs and hands in a transaction with blobs; its hash.
    ///
    /// # Errors
    ///
    /// If a blob is none, or the server refuses the transaction.
    pub async fn send_blobs(
        &self,
        to: Address,
        blobs: Vec<Box<Blob>>,
        form: SidecarForm,
    ) -> Result<B256, DevnetError> {
        let nonce = self.next_nonce().await?;
        let signed = self.sign_blobs(to, blobs, form, nonce).await?;
        self.rpc.send_raw(&signed.raw).await
    }
}

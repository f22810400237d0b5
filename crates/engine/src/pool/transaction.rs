//! A transaction of the pool, and what can be said of it without the state.

use super::{PoolError, PoolHead};
use crate::transaction::{BlockTransaction, TransactionError, decode_transaction};
use alloy_consensus::Transaction;
use alloy_eips::Typed2718;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use op_alloy_consensus::{OpTxEnvelope, OpTxType};
use op_revm::estimate_tx_compressed_size;
use revm::{
    context_interface::cfg::gas::calculate_initial_tx_gas,
    primitives::{eip3860::MAX_INITCODE_SIZE, eip7825::TX_GAS_LIMIT_CAP, hardfork::SpecId},
};

/// Largest transaction that the pool takes, in bytes; geth's limit.
pub const MAX_TRANSACTION_BYTES: usize = 128 * 1024;
/// A transaction takes one slot for each of these many bytes, as in geth.
pub const SLOT_BYTES: usize = 32 * 1024;

/// A transaction of the pool.
#[derive(Clone, Debug)]
pub struct PooledTransaction {
    transaction: BlockTransaction,
    hash: B256,
    /// Estimate of its compressed size in bytes, by Fjord's model.
    da_size: u64,
    /// Accounts that sign authorizations in it.
    authorities: Vec<Address>,
    /// Its place in the order in which transactions came.
    pub(super) arrival: u64,
}

impl PooledTransaction {
    /// Decodes a transaction.
    pub fn decode(bytes: Bytes) -> Result<Self, PoolError> {
        if bytes.len() > MAX_TRANSACTION_BYTES {
            return Err(PoolError::Oversized(bytes.len()));
        }
        let transaction = decode_transaction(0, &bytes).map_err(|error| match error {
            TransactionError::Decode { error, .. } => PoolError::Malformed(error.to_string()),
            TransactionError::NotCanonical(_) => {
                PoolError::Malformed("it is not in its canonical encoding".to_owned())
            }
            TransactionError::Signature(_) => PoolError::Sender("invalid signature".to_owned()),
            TransactionError::PostExec(_) => PoolError::Type,
        })?;
        let envelope = transaction.value().inner();
        if envelope.tx_type() == OpTxType::Deposit {
            return Err(PoolError::Type);
        }
        let authorities = envelope
            .authorization_list()
            .unwrap_or_default()
            .iter()
            .filter_map(|authorization| authorization.recover_authority().ok())
            .collect();
        Ok(Self {
            hash: keccak256(&bytes),
            da_size: estimate_tx_compressed_size(&bytes) / 1_000_000,
            authorities,
            arrival: 0,
            transaction,
        })
    }

    /// The transaction.
    pub const fn transaction(&self) -> &BlockTransaction {
        &self.transaction
    }

    fn envelope(&self) -> &OpTxEnvelope {
        self.transaction.value().inner()
    }

    /// Its hash.
    pub const fn hash(&self) -> B256 {
        self.hash
    }

    /// Who sent it.
    pub fn sender(&self) -> Address {
        self.transaction.value().signer()
    }

    /// Its nonce.
    pub fn nonce(&self) -> u64 {
        self.envelope().nonce()
    }

    /// Most gas that it may use.
    pub fn gas_limit(&self) -> u64 {
        self.envelope().gas_limit()
    }

    /// Estimate of its compressed size in bytes, by Fjord's model.
    pub const fn da_size(&self) -> u64 {
        self.da_size
    }

    /// Its EIP-2718 encoding.
    pub fn bytes(&self) -> &Bytes {
        self.transaction.encoded_bytes()
    }

    /// Accounts that sign authorizations in it.
    pub fn authorities(&self) -> &[Address] {
        &self.authorities
    }

    /// Slots that it takes of its account's.
    pub(super) fn slots(&self) -> usize {
        self.bytes().len().div_ceil(SLOT_BYTES)
    }

    /// Most that it pays for a unit of gas, in wei.
    pub fn fee_cap(&self) -> u128 {
        self.envelope().max_fee_per_gas()
    }

    /// Most that it pays the sequencer for a unit of gas, in wei.
    pub fn tip_cap(&self) -> u128 {
        self.envelope()
            .max_priority_fee_per_gas()
            .unwrap_or_else(|| self.fee_cap())
    }

    /// What the sequencer gets for a unit of gas, in wei; none if the base fee is above what is
    /// offered.
    pub fn tip(&self, base_fee: u64) -> Option<u128> {
        let left = self.fee_cap().checked_sub(u128::from(base_fee))?;
        Some(left.min(self.tip_cap()))
    }

    /// Most that the sender pays in all, in wei: value, gas, L1 and the operator.
    pub fn cost(&self, head: &PoolHead) -> U256 {
        let gas = U256::from(self.gas_limit()).saturating_mul(U256::from(self.fee_cap()));
        gas.saturating_add(self.envelope().value())
            .saturating_add(head.rollup_cost(self.bytes(), self.gas_limit()))
    }

    /// Whether this may take the place of `old`: it must offer more of both fees, by `bump` percent.
    pub(super) fn replaces(&self, old: &Self, bump: u32) -> bool {
        let enough = |new: u128, old: u128| {
            let least = U256::from(old) * U256::from(100 + u64::from(bump)) / U256::from(100);
            new > old && U256::from(new) >= least
        };
        enough(self.fee_cap(), old.fee_cap()) && enough(self.tip_cap(), old.tip_cap())
    }

    /// Checks what needs no state.
    pub(super) fn check(&self, head: &PoolHead, min_tip: u128) -> Result<(), PoolError> {
        let transaction = self.envelope();
        let fork = head.fork.into_eth_spec();
        if transaction.is_eip7702() && !fork.is_enabled_in(SpecId::PRAGUE) {
            return Err(PoolError::Type);
        }
        match transaction.chain_id() {
            None => return Err(PoolError::Unprotected),
            Some(have) if have != head.chain_id => {
                return Err(PoolError::Sender(format!(
                    "invalid chain id for signer: have {have} want {}",
                    head.chain_id
                )));
            }
            Some(_) => {}
        }
        let data = transaction.input();
        if transaction.is_create()
            && fork.is_enabled_in(SpecId::SHANGHAI)
            && data.len() > MAX_INITCODE_SIZE
        {
            return Err(PoolError::InitCode(data.len()));
        }
        let gas = self.gas_limit();
        if fork.is_enabled_in(SpecId::OSAKA) && gas > TX_GAS_LIMIT_CAP {
            return Err(PoolError::GasAboveCap(gas));
        }
        if gas > head.gas_limit {
            return Err(PoolError::GasAboveBlock);
        }
        if self.tip_cap() > self.fee_cap() {
            return Err(PoolError::TipAboveFee);
        }
        if self.nonce() == u64::MAX {
            return Err(PoolError::NonceMax);
        }
        let list = transaction.access_list();
        let needed = calculate_initial_tx_gas(
            fork,
            data,
            transaction.is_create(),
            list.map_or(0, |list| list.len() as u64),
            list.map_or(0, |list| list.storage_keys_count() as u64),
            transaction.authorization_count().unwrap_or_default(),
        );
        if gas < needed.initial_total_gas {
            return Err(PoolError::IntrinsicGas(gas, needed.initial_total_gas));
        }
        if gas < needed.floor_gas {
            return Err(PoolError::FloorGas(gas, needed.floor_gas));
        }
        if self.tip_cap() < min_tip {
            return Err(PoolError::Underpriced(self.tip_cap(), min_tip));
        }
        if transaction
            .authorization_list()
            .is_some_and(<[_]>::is_empty)
        {
            return Err(PoolError::NoAuthorization);
        }
        Ok(())
    }
}

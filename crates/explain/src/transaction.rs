//! Transactions.
//!
//! Derivation passes transactions on as opaque bytes, but for a few that it refuses by their
//! type. Whether the rest can be decoded matters to the execution layer, which refuses the whole
//! block otherwise.

use crate::{
    rules::EXECUTION_RULE,
    tree::{Transaction, TxFields},
    walk::{At, Depth, TRANSACTION, Walker},
};
use alloy_consensus::{
    Transaction as _, TxEnvelope, TxType, crypto::secp256k1::recover_signer,
    transaction::SignerRecoverable,
};
use alloy_eips::eip2718::{Decodable2718, Eip2718Error};
use alloy_primitives::{Address, Bytes, FixedBytes, Signature, U256, keccak256};
use doppio_derive::{BatchDrop, DropReason};
use doppio_protocol::{
    batch::{POST_EXEC_TX_TYPE, SET_CODE_TX_TYPE},
    config::Fork,
    deposit::{DEPOSIT_TX_TYPE, DepositTx, DepositTxError},
    rlp::{self, Item, RlpError},
};
use thiserror::Error;

/// Type byte of Celo's CIP-64 transactions.
const CELO_DYNAMIC_FEE_V2: u8 = 0x7b;

/// Where a transaction's bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// They are as they were signed.
    Given,
    /// They were put together out of a span batch, without knowing the chain id: fields are right,
    /// chain id, hash and sender are not.
    Rebuilt,
}

/// Why a transaction's fields cannot be told.
#[derive(Debug, Error)]
enum Undecoded {
    #[error("transaction is empty")]
    Empty,
    #[error("transaction type {0:#04x} is not known")]
    Unknown(u8),
    #[error("transaction cannot be decoded: {0}")]
    Ethereum(#[from] Eip2718Error),
    #[error(transparent)]
    Deposit(#[from] DepositTxError),
    #[error("transaction cannot be decoded: {0}")]
    Rlp(#[from] RlpError),
}

impl Walker<'_> {
    /// A transaction of a batch.
    // spec: opstack 3.7 #15 #16 #17
    pub(crate) fn block_transaction(
        &mut self,
        index: u64,
        bytes: &Bytes,
        source: Source,
        block_time: Option<u64>,
    ) -> Transaction {
        let chain = self.options.chain;
        let refusal = match bytes.first() {
            None => Some(BatchDrop::EmptyTransaction),
            Some(&DEPOSIT_TX_TYPE) => Some(BatchDrop::DepositTransaction),
            Some(&SET_CODE_TX_TYPE) if !chain.active(Fork::Isthmus, block_time) => {
                Some(BatchDrop::SetCodeTransaction)
            }
            Some(&POST_EXEC_TX_TYPE) if !chain.active(Fork::Lagoon, block_time) => {
                Some(BatchDrop::PostExecTransaction)
            }
            Some(_) => None,
        };
        let broken = refusal.and_then(|drop| {
            self.break_for(&DropReason::Batch(drop), "", Some(At(0, TRANSACTION)))
        });
        let told = self.is_told() || refusal.is_some();
        let (mut transaction, undecoded) = decode(index, bytes, source, told);
        transaction.broken = match (refusal, undecoded) {
            (Some(_), _) => broken,
            (None, Some(undecoded)) => self.break_in_execution(EXECUTION_RULE, undecoded),
            (None, None) => {
                self.reach(Depth::Transaction);
                self.other_chain(&transaction)
            }
        };
        transaction
    }

    /// A transaction by itself, of L1 or L2. Where its data is inbox data, it is read too.
    pub(crate) fn bare_transaction(&mut self, bytes: &Bytes) -> Transaction {
        let (mut transaction, undecoded) = decode(0, bytes, Source::Given, true);
        match undecoded {
            Some(undecoded) => {
                transaction.broken = self.break_in_execution("EIP-2718", undecoded);
            }
            None => {
                self.reach(Depth::Transaction);
                if let Some(data) = transaction_data(bytes) {
                    let data = core::slice::from_ref(&data);
                    let reading = self.read_inside("data", crate::Form::Inbox, data);
                    // data that begins with 0 may look like frames for a while
                    let is_likely = reading.depth >= Depth::Batch
                        || (reading.depth >= Depth::Commitment && reading.is_sound());
                    if is_likely {
                        transaction.data = self.take_over(reading);
                    }
                }
            }
        }
        transaction
    }

    /// A signature for another chain makes the execution layer refuse the block.
    fn other_chain(&mut self, transaction: &Transaction) -> Option<usize> {
        let signed_for = transaction.fields.as_ref()?.chain_id?;
        let chain_id = self.options.chain.chain_id?;
        if signed_for == chain_id {
            return None;
        }
        let message = format!("transaction is for chain {signed_for}, not for {chain_id}");
        self.break_in_execution(EXECUTION_RULE, message)
    }
}

/// Decodes a transaction. Hash and sender, which cost most, are left out unless it is told.
fn decode(
    index: u64,
    bytes: &Bytes,
    source: Source,
    told: bool,
) -> (Transaction, Option<Undecoded>) {
    let mut transaction = Transaction {
        index,
        length: bytes.len() as u64,
        tx_type: match bytes.first() {
            Some(0xc0..) => Some(0),
            Some(tx_type @ 0..=0x7f) => Some(*tx_type),
            _ => None,
        },
        hash: None,
        fields: None,
        data: None,
        broken: None,
    };
    let recover = told && source == Source::Given;
    let fields = match bytes.first() {
        None => Err(Undecoded::Empty),
        Some(&DEPOSIT_TX_TYPE) => deposit_fields(bytes).map(Some),
        Some(&CELO_DYNAMIC_FEE_V2) => celo_fields(bytes, recover).map(Some),
        Some(&POST_EXEC_TX_TYPE) => post_exec(bytes).map(|()| None),
        Some(_) => ethereum_fields(bytes, recover).map(Some),
    };
    let mut fields = match fields {
        Ok(fields) => fields,
        Err(undecoded) => return (transaction, Some(undecoded)),
    };
    let names_chain = fields
        .as_ref()
        .is_some_and(|fields| fields.chain_id.is_some());
    let is_whole = source == Source::Given || !names_chain;
    if told && is_whole {
        transaction.hash = Some(keccak256(bytes));
    }
    if let Some(fields) = &mut fields
        && source == Source::Rebuilt
    {
        // a transaction that names no chain is whole all the same
        fields.chain_id = None;
        if told && is_whole {
            fields.from = ethereum_fields(bytes, true)
                .ok()
                .and_then(|whole| whole.from);
        }
    }
    transaction.fields = fields;
    (transaction, None)
}

/// The data of a transaction that Ethereum knows. A blob transaction's is not looked at.
// spec: opstack 2.2
fn transaction_data(bytes: &Bytes) -> Option<Bytes> {
    let transaction = TxEnvelope::decode_2718_exact(bytes).ok()?;
    (!transaction.is_eip4844()).then(|| transaction.input().clone())
}

fn selector(is_creation: bool, data: &[u8]) -> Option<FixedBytes<4>> {
    match data.first_chunk() {
        Some(selector) if !is_creation => Some(selector.into()),
        _ => None,
    }
}

fn ethereum_fields(bytes: &Bytes, recover: bool) -> Result<TxFields, Undecoded> {
    if let Some(tx_type @ 0..=0x7f) = bytes.first().copied()
        && (tx_type == 0 || TxType::try_from(tx_type).is_err())
    {
        return Err(Undecoded::Unknown(tx_type));
    }
    let transaction = TxEnvelope::decode_2718_exact(bytes)?;
    let is_dynamic = transaction.is_dynamic_fee();
    let data = transaction.input();
    Ok(TxFields {
        chain_id: transaction.chain_id(),
        from: if recover {
            transaction.recover_signer().ok()
        } else {
            None
        },
        to: transaction.to(),
        nonce: transaction.nonce(),
        value: transaction.value(),
        gas: transaction.gas_limit(),
        gas_price: transaction.gas_price().map(U256::from),
        max_fee: is_dynamic.then(|| U256::from(transaction.max_fee_per_gas())),
        max_priority_fee: transaction.max_priority_fee_per_gas().map(U256::from),
        fee_currency: None,
        data_length: data.len() as u64,
        selector: selector(transaction.to().is_none(), data),
    })
}

fn deposit_fields(bytes: &Bytes) -> Result<TxFields, Undecoded> {
    let deposit = DepositTx::decode(bytes)?;
    Ok(TxFields {
        from: Some(deposit.from),
        to: deposit.to,
        value: deposit.value,
        gas: deposit.gas,
        data_length: deposit.data.len() as u64,
        selector: selector(deposit.to.is_none(), &deposit.data),
        ..TxFields::default()
    })
}

/// A PostExec transaction is opaque.
// spec: opstack-2026-09 2 *10
fn post_exec(bytes: &[u8]) -> Result<(), Undecoded> {
    let mut payload = bytes.get(1..).unwrap_or_default();
    rlp::next_item(&mut payload)?;
    if payload.is_empty() {
        Ok(())
    } else {
        Err(RlpError::WrongElementCount.into())
    }
}

/// Celo's transaction whose fee may be paid in another currency:
/// `7b ‖ rlp[chain id, nonce, priority fee, fee, gas, to, value, data, access list, fee currency,
/// y parity, r, s]`.
fn celo_fields(bytes: &[u8], recover: bool) -> Result<TxFields, Undecoded> {
    let mut content = bytes.get(1..).unwrap_or_default();
    let list = rlp::next_item(&mut content)?.list()?;
    let mut rest = list;
    let uint = |item: Item<'_>| item.uint(32).map(U256::from_be_slice);
    let chain_id = next(&mut rest)?.u64()?;
    let nonce = next(&mut rest)?.u64()?;
    let max_priority_fee = uint(next(&mut rest)?)?;
    let max_fee = uint(next(&mut rest)?)?;
    let gas = next(&mut rest)?.u64()?;
    let to = optional_address(next(&mut rest)?)?;
    let value = uint(next(&mut rest)?)?;
    let data = next(&mut rest)?.string()?;
    next(&mut rest)?.list()?;
    let fee_currency = optional_address(next(&mut rest)?)?;
    let signed = &list[..list.len() - rest.len()];
    let y_parity = next(&mut rest)?.u64()?;
    let (r, s) = (uint(next(&mut rest)?)?, uint(next(&mut rest)?)?);
    if !rest.is_empty() || !content.is_empty() {
        return Err(RlpError::WrongElementCount.into());
    }
    let from = if recover && y_parity <= 1 {
        let mut preimage = vec![CELO_DYNAMIC_FEE_V2];
        rlp::put_list_header(signed.len(), &mut preimage);
        preimage.extend_from_slice(signed);
        let signature = Signature::new(r, s, y_parity == 1);
        recover_signer(&signature, keccak256(preimage)).ok()
    } else {
        None
    };
    Ok(TxFields {
        chain_id: Some(chain_id),
        from,
        to,
        nonce,
        value,
        gas,
        gas_price: None,
        max_fee: Some(max_fee),
        max_priority_fee: Some(max_priority_fee),
        fee_currency,
        data_length: data.len() as u64,
        selector: selector(to.is_none(), data),
    })
}

/// The next element of a list that has one more.
fn next<'a>(rest: &mut &'a [u8]) -> Result<Item<'a>, RlpError> {
    rlp::next_element(rest)?.ok_or(RlpError::WrongElementCount)
}

fn optional_address(item: Item<'_>) -> Result<Option<Address>, RlpError> {
    match item.string()? {
        [] => Ok(None),
        address => <&[u8; 20]>::try_from(address)
            .map(|address| Some(address.into()))
            .map_err(|_| RlpError::WrongLength(address.len())),
    }
}

//! Whole blocks: made from attributes, or checked.

use crate::{
    builder::Building,
    chain_spec::ChainSpec,
    execute::{BlockExecution, BlockInput, ExecuteError, Executed},
    header::{self, HeaderError},
    state::{StateAt, StateError, StateSource},
    transaction::{TransactionError, decode_transactions},
};
use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, Header, Transaction, TxReceipt,
    proofs::{calculate_receipt_root, ordered_trie_root_with_encoder},
};
use alloy_eips::{Decodable2718, Encodable2718, eip7685::EMPTY_REQUESTS_HASH};
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, U256};
use alloy_trie::EMPTY_ROOT_HASH;
use doppio_protocol::config::Fork;
use op_alloy_consensus::{OpReceiptEnvelope, OpTxEnvelope};
use thiserror::Error;

/// Why a block is not made, or not accepted.
#[derive(Debug, Error)]
pub enum BlockError {
    /// A transaction that is none.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// The header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Execution.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The state. Not the block's fault.
    #[error(transparent)]
    State(#[from] StateError),
    /// The header says something else than execution gives.
    #[error("{field} is {found}, but execution gives {expected}")]
    Result {
        /// The header's field.
        field: &'static str,
        /// What the header says.
        found: String,
        /// What execution gives.
        expected: String,
    },
}

impl BlockError {
    /// Whether the block is to blame, on every node alike.
    pub const fn is_invalid_block(&self) -> bool {
        match self {
            Self::Transaction(_) | Self::Header(_) | Self::Result { .. } => true,
            Self::Execute(error) => error.is_invalid_block(),
            Self::State(_) => false,
        }
    }
}

/// What a block is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Time in seconds since the Unix epoch.
    pub timestamp: u64,
    /// Who gets the priority fees.
    pub fee_recipient: Address,
    /// L1's randomness.
    pub prev_randao: B256,
    /// Gas limit.
    pub gas_limit: u64,
    /// From Ecotone on.
    pub parent_beacon_block_root: Option<B256>,
    /// From Holocene on; zero means the chain's own.
    pub eip1559_params: Option<B64>,
    /// From Jovian on, in wei.
    pub min_base_fee: Option<u64>,
}

impl Attributes {
    /// What execution takes, for the block after `parent`.
    pub fn input(&self, spec: &ChainSpec, parent: &Header) -> Result<BlockInput, HeaderError> {
        Ok(BlockInput {
            timestamp: self.timestamp,
            fee_recipient: self.fee_recipient,
            prev_randao: self.prev_randao,
            gas_limit: self.gas_limit,
            base_fee: header::next_base_fee(spec, parent, self.timestamp)?,
            parent_beacon_block_root: self.parent_beacon_block_root,
            extra_data: header::extra_data(
                spec,
                self.timestamp,
                self.eip1559_params,
                self.min_base_fee,
            ),
        })
    }
}

/// A block and what its execution gave.
#[derive(Clone, Debug)]
pub struct ExecutedBlock {
    /// Hash of the header.
    pub hash: B256,
    /// The header.
    pub header: Header,
    /// EIP-2718 encoded transactions.
    pub transactions: Vec<Bytes>,
    /// What execution gave.
    pub executed: Executed,
}

impl ExecutedBlock {
    /// Priority fees of all transactions, in wei.
    pub fn fees(&self) -> U256 {
        let base_fee = self.header.base_fee_per_gas;
        let mut before = 0;
        let mut fees = U256::ZERO;
        for (bytes, receipt) in self.transactions.iter().zip(&self.executed.receipts) {
            let used = receipt.cumulative_gas_used() - before;
            before = receipt.cumulative_gas_used();
            // it was decoded for execution; and deposits pay nothing
            if let Ok(transaction) = OpTxEnvelope::decode_2718_exact(bytes)
                && !transaction.is_deposit()
            {
                let tip = transaction.effective_tip_per_gas(base_fee.unwrap_or_default());
                fees += U256::from(tip.unwrap_or_default()) * U256::from(used);
            }
        }
        fees
    }
}

/// Makes the block of exactly these transactions after `parent`.
pub fn build_block<S: StateSource>(
    spec: &ChainSpec,
    source: S,
    parent: (&Header, B256),
    attributes: &Attributes,
    transactions: &[Bytes],
) -> Result<ExecutedBlock, BlockError> {
    Building::begin(spec, source, parent, attributes, transactions, false)?.seal(spec)
}

/// Ends a block that holds these transactions.
pub(crate) fn seal<S: StateSource>(
    spec: &ChainSpec,
    execution: BlockExecution<'_, S>,
    parent: (&Header, B256),
    input: &BlockInput,
    transactions: Vec<Bytes>,
) -> Result<ExecutedBlock, BlockError> {
    let executed = execution.finish()?;
    let header = assemble(spec, parent, input, &transactions, &executed);
    Ok(ExecutedBlock {
        hash: header.hash_slow(),
        header,
        transactions,
        executed,
    })
}

/// Executes a block that somebody else made, and checks all that its header says.
pub fn import_block<S: StateSource>(
    spec: &ChainSpec,
    source: S,
    parent: (&Header, B256),
    header: &Header,
    transactions: &[Bytes],
) -> Result<ExecutedBlock, BlockError> {
    header::check(spec, parent.0, header)?;
    let input = input_of(header);
    let state = StateAt::new(source, parent.0.state_root);
    let mut execution = BlockExecution::begin(spec, state, parent, input.clone())?;
    for transaction in decode_transactions(transactions)? {
        execution.execute(&transaction)?;
    }
    let ours = seal(spec, execution, parent, &input, transactions.to_vec())?;
    compare(header, &ours.header)?;
    Ok(ours)
}

/// What the block of a header was executed with.
pub(crate) fn input_of(header: &Header) -> BlockInput {
    BlockInput {
        timestamp: header.timestamp,
        fee_recipient: header.beneficiary,
        prev_randao: header.mix_hash,
        gas_limit: header.gas_limit,
        base_fee: header.base_fee_per_gas.unwrap_or_default(),
        parent_beacon_block_root: header.parent_beacon_block_root,
        extra_data: header.extra_data.clone(),
    }
}

/// Names the first field in which a header differs from the one that execution gives.
fn compare(found: &Header, expected: &Header) -> Result<(), BlockError> {
    let field = |field, found: String, expected: String| {
        if found == expected {
            Ok(())
        } else {
            Err(BlockError::Result {
                field,
                found,
                expected,
            })
        }
    };
    macro_rules! fields {
        ($($name:literal: $field:ident),* $(,)?) => {
            $(field($name, format!("{:?}", found.$field), format!("{:?}", expected.$field))?;)*
        };
    }
    fields! {
        "parentHash": parent_hash,
        "gasUsed": gas_used,
        "transactionsRoot": transactions_root,
        "receiptsRoot": receipts_root,
        "logsBloom": logs_bloom,
        "blobGasUsed": blob_gas_used,
        "withdrawalsRoot": withdrawals_root,
        "stateRoot": state_root,
    }
    field(
        "hash",
        found.hash_slow().to_string(),
        expected.hash_slow().to_string(),
    )
}

/// The header of an executed block.
fn assemble(
    spec: &ChainSpec,
    (parent, parent_hash): (&Header, B256),
    input: &BlockInput,
    transactions: &[Bytes],
    executed: &Executed,
) -> Header {
    let time = input.timestamp;
    let canyon = spec.active(Fork::Canyon, time);
    let ecotone = spec.active(Fork::Ecotone, time);
    let isthmus = spec.active(Fork::Isthmus, time);
    Header {
        parent_hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: input.fee_recipient,
        state_root: executed.state.root,
        transactions_root: ordered_trie_root_with_encoder(transactions, |bytes, out| {
            out.extend_from_slice(bytes);
        }),
        receipts_root: receipts_root(spec, time, &executed.receipts),
        logs_bloom: bloom(&executed.receipts),
        number: parent.number + 1,
        gas_limit: input.gas_limit,
        gas_used: executed.gas_used,
        timestamp: time,
        extra_data: input.extra_data.clone(),
        mix_hash: input.prev_randao,
        base_fee_per_gas: Some(input.base_fee),
        withdrawals_root: if isthmus {
            Some(executed.state.passer_root.unwrap_or(EMPTY_ROOT_HASH))
        } else {
            canyon.then_some(EMPTY_ROOT_HASH)
        },
        blob_gas_used: ecotone.then_some(executed.da_footprint),
        excess_blob_gas: ecotone.then_some(0),
        parent_beacon_block_root: input.parent_beacon_block_root,
        requests_hash: isthmus.then_some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}

fn bloom(receipts: &[OpReceiptEnvelope]) -> Bloom {
    receipts
        .iter()
        .fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.bloom())
}

/// The root of a block's receipts. Between Regolith and Canyon it leaves out the deposits' nonces,
/// which were added to receipts without having been meant to enter the root.
fn receipts_root(spec: &ChainSpec, time: u64, receipts: &[OpReceiptEnvelope]) -> B256 {
    if spec.active(Fork::Canyon, time) || !spec.active(Fork::Regolith, time) {
        return calculate_receipt_root(receipts);
    }
    let without_nonces: Vec<_> = receipts
        .iter()
        .map(|receipt| match receipt {
            OpReceiptEnvelope::Deposit(deposit) => {
                let mut deposit = deposit.clone();
                deposit.receipt.deposit_nonce = None;
                OpReceiptEnvelope::Deposit(deposit)
            }
            other => other.clone(),
        })
        .collect();
    calculate_receipt_root(&without_nonces)
}

/// Encodes a receipt as `debug_getRawReceipts` does.
pub fn encode_receipt(receipt: &OpReceiptEnvelope) -> Bytes {
    receipt.encoded_2718().into()
}

//! Payload attributes: everything an execution engine needs to build an L2 block.

use crate::{batch::TransactionList, extra_data::Eip1559Params};
use alloy_primitives::{Address, B256, Bytes, address, hex};
use serde::{Serialize, Serializer, ser::SerializeSeq};

/// Who collects the sequencer's fees.
// spec: opstack 3.8 |3
pub const SEQUENCER_FEE_VAULT: Address = address!("4200000000000000000000000000000000000011");

/// Payload attributes of an L2 block.
///
/// The JSON form is the one of `engine_forkchoiceUpdated`.
// spec: opstack 3.8 #5 |1 |2 |3 |4 |5 |6 |7 |8 |9
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadAttributes {
    /// Time of the block.
    pub timestamp: u64,
    /// Randomness of the L1 origin.
    pub prev_randao: B256,
    /// Who collects priority fees.
    pub suggested_fee_recipient: Address,
    /// Whether the block has a withdrawals list, which then is empty (from Canyon).
    pub has_withdrawals: bool,
    /// Parent beacon root of the L1 origin (from Ecotone).
    pub parent_beacon_block_root: Option<B256>,
    /// Transactions that L1 and the protocol force: L1 info, users' deposits, upgrades.
    pub deposits: Vec<Bytes>,
    /// Transactions of the batch.
    pub transactions: TransactionList,
    /// Whether the engine may add no transactions of its own.
    pub no_tx_pool: bool,
    /// Gas limit of the block.
    pub gas_limit: u64,
    /// EIP-1559 parameters (from Holocene); zero means the engine's constants.
    pub eip1559: Option<Eip1559Params>,
    /// Floor of the base fee, in wei (from Jovian).
    pub min_base_fee: Option<u64>,
}

impl PayloadAttributes {
    /// All transactions, deposits first.
    pub fn all_transactions(&self) -> impl Iterator<Item = &[u8]> + '_ {
        self.deposits
            .iter()
            .map(AsRef::as_ref)
            .chain(self.transactions.iter_slices())
    }

    /// Number of all transactions.
    pub const fn transaction_count(&self) -> usize {
        self.deposits.len() + self.transactions.len()
    }

    /// The same attributes without the batch's transactions: what replaces a block whose
    /// transactions are invalid, from Holocene on.
    // spec: opstack 3.8
    pub fn deposits_only(&self) -> Self {
        Self {
            deposits: self.deposits.clone(),
            transactions: TransactionList::default(),
            ..*self
        }
    }

    /// Whether the batch brought no transactions.
    pub const fn is_deposits_only(&self) -> bool {
        self.transactions.is_empty()
    }
}

impl Serialize for PayloadAttributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Json<'a> {
            timestamp: String,
            prev_randao: &'a B256,
            suggested_fee_recipient: &'a Address,
            #[serde(skip_serializing_if = "Option::is_none")]
            withdrawals: Option<[(); 0]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            parent_beacon_block_root: Option<&'a B256>,
            transactions: Transactions<'a>,
            no_tx_pool: bool,
            gas_limit: String,
            #[serde(rename = "eip1559Params", skip_serializing_if = "Option::is_none")]
            eip1559_params: Option<alloy_primitives::B64>,
            // a plain number, as op-node sends it
            #[serde(skip_serializing_if = "Option::is_none")]
            min_base_fee: Option<u64>,
        }
        struct Transactions<'a>(&'a PayloadAttributes);
        impl Serialize for Transactions<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut list = serializer.serialize_seq(Some(self.0.transaction_count()))?;
                for transaction in self.0.all_transactions() {
                    list.serialize_element(&hex::encode_prefixed(transaction))?;
                }
                list.end()
            }
        }
        Json {
            timestamp: format!("{:#x}", self.timestamp),
            prev_randao: &self.prev_randao,
            suggested_fee_recipient: &self.suggested_fee_recipient,
            withdrawals: self.has_withdrawals.then_some([]),
            parent_beacon_block_root: self.parent_beacon_block_root.as_ref(),
            transactions: Transactions(self),
            no_tx_pool: self.no_tx_pool,
            gas_limit: format!("{:#x}", self.gas_limit),
            eip1559_params: self.eip1559.map(Eip1559Params::packed),
            min_base_fee: self.min_base_fee,
        }
        .serialize(serializer)
    }
}

//! What derivation gives, in words that both programs can say: nothing here is of an alloy crate
//! whose version they do not share.

use alloy_primitives::{Address, B64, B256, Bytes};
use doppio_protocol::{block::BlockId, l2::L2Block};

/// An L2 block as it was derived, and accepted by the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Height.
    pub number: u64,
    /// What it is built on.
    pub parent: BlockId,
    /// The L1 block that completed its data.
    pub derived_from: BlockId,
    /// Whether the engine refused the batch's transactions, and the deposits alone took their
    /// place.
    pub replaced: bool,
    /// What to build.
    pub payload: Payload,
}

/// Payload attributes, as far as Isthmus knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Time of the block.
    pub timestamp: u64,
    /// Randomness of the L1 origin.
    pub prev_randao: B256,
    /// Who collects priority fees.
    pub fee_recipient: Address,
    /// Number of withdrawals, where the block has a list of them.
    pub withdrawals: Option<usize>,
    /// Parent beacon root of the L1 origin.
    pub parent_beacon_root: Option<B256>,
    /// All transactions, deposits first.
    pub transactions: Vec<Bytes>,
    /// Whether the engine may add no transactions.
    pub no_tx_pool: bool,
    /// Gas limit of the block.
    pub gas_limit: Option<u64>,
    /// EIP-1559 parameters.
    pub eip1559: Option<B64>,
}

/// The safe head once an L1 block was exhausted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Safe {
    /// Height of the L1 block.
    pub l1: u64,
    /// The safe head.
    pub head: BlockId,
}

impl Payload {
    /// First byte of a deposit.
    const DEPOSIT: u8 = 0x7e;

    /// Names of the parts in which a recorded block differs from one built of these attributes on
    /// `parent`. The EIP-1559 parameters are left out: the engine puts its own for zero.
    pub fn differences(&self, parent: B256, recorded: &L2Block) -> Vec<&'static str> {
        let header = &recorded.header;
        let same = [
            ("parent", parent == header.parent_hash),
            ("timestamp", self.timestamp == header.timestamp),
            ("prev_randao", self.prev_randao == header.mix_hash),
            ("fee_recipient", self.fee_recipient == header.beneficiary),
            (
                "withdrawals",
                self.withdrawals.is_some() == header.withdrawals_root.is_some(),
            ),
            (
                "parent_beacon_root",
                self.parent_beacon_root == header.parent_beacon_block_root,
            ),
            ("gas_limit", self.gas_limit == Some(header.gas_limit)),
            ("transactions", self.transactions == recorded.transactions),
        ];
        same.iter()
            .filter(|(_, same)| !same)
            .map(|(name, _)| *name)
            .collect()
    }

    /// The same attributes without the batch's transactions.
    pub fn deposits_only(&self) -> Self {
        let mut payload = self.clone();
        payload
            .transactions
            .retain(|transaction| transaction.first() == Some(&Self::DEPOSIT));
        payload
    }
}

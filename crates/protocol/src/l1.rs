//! What derivation reads of L1: headers, transactions to the inbox, receipts.
//!
//! Everything here is taken to be *verified*: header against its hash, transactions and receipts
//! against the header's roots. That is the business of whoever fetches them.

use crate::{
    block::{BlockId, L1BlockRef},
    config::RollupConfig,
};
use alloy_consensus::{Transaction, TxEnvelope, transaction::SignerRecoverable};
use alloy_primitives::{Address, B256, Bytes, Log, U256};

/// The fields of an L1 header that derivation uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1Header {
    /// Hash of the header.
    pub hash: B256,
    /// Height.
    pub number: u64,
    /// Hash of the block before it.
    pub parent_hash: B256,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    /// `mixHash`: the beacon chain's randomness.
    pub mix_hash: B256,
    /// Base fee, in wei.
    pub base_fee: U256,
    /// Excess blob gas; absent before Cancun.
    pub excess_blob_gas: Option<u64>,
    /// Root of the parent beacon block; absent before Cancun.
    pub parent_beacon_block_root: Option<B256>,
}

impl L1Header {
    /// The block's place in its chain.
    pub const fn block_ref(&self) -> L1BlockRef {
        L1BlockRef {
            hash: self.hash,
            number: self.number,
            parent_hash: self.parent_hash,
            timestamp: self.timestamp,
        }
    }

    /// Hash and number.
    pub const fn id(&self) -> BlockId {
        BlockId {
            hash: self.hash,
            number: self.number,
        }
    }

    /// The fields of a full header whose hash is known.
    pub fn from_consensus(hash: B256, header: &alloy_consensus::Header) -> Self {
        Self {
            hash,
            number: header.number,
            parent_hash: header.parent_hash,
            timestamp: header.timestamp,
            mix_hash: header.mix_hash,
            base_fee: U256::from(header.base_fee_per_gas.unwrap_or_default()),
            excess_blob_gas: header.excess_blob_gas,
            parent_beacon_block_root: header.parent_beacon_block_root,
        }
    }
}

/// A transaction of an L1 block.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every transaction is of the large variant"
)]
pub enum L1Transaction {
    /// A signed transaction of a type that Ethereum knows.
    Signed(TxEnvelope),
    /// An OP Stack deposit: the L1 is itself a rollup.
    Deposit {
        /// Sender, by the deposit's own word.
        from: Address,
        /// Recipient; none for a creation.
        to: Option<Address>,
        /// Calldata.
        input: Bytes,
    },
    /// A type that derivation does not know, and never reads.
    Unknown {
        /// EIP-2718 type byte.
        tx_type: u8,
        /// Recipient, where it is known.
        to: Option<Address>,
    },
}

impl L1Transaction {
    /// EIP-2718 type byte; 0 for legacy transactions.
    pub fn tx_type(&self) -> u8 {
        match self {
            Self::Signed(tx) => tx.tx_type() as u8,
            Self::Deposit { .. } => crate::deposit::DEPOSIT_TX_TYPE,
            Self::Unknown { tx_type, .. } => *tx_type,
        }
    }

    /// Recipient; none for a creation.
    pub fn to(&self) -> Option<Address> {
        match self {
            Self::Signed(tx) => tx.to(),
            Self::Deposit { to, .. } | Self::Unknown { to, .. } => *to,
        }
    }

    /// Calldata.
    pub fn input(&self) -> Bytes {
        match self {
            Self::Signed(tx) => tx.input().clone(),
            Self::Deposit { input, .. } => input.clone(),
            Self::Unknown { .. } => Bytes::new(),
        }
    }

    /// Versioned hashes of the transaction's blobs, in order.
    pub fn blob_versioned_hashes(&self) -> &[B256] {
        match self {
            Self::Signed(tx) => tx.blob_versioned_hashes().unwrap_or_default(),
            Self::Deposit { .. } | Self::Unknown { .. } => &[],
        }
    }

    /// Recovers the sender, by the rules of an L1 whose chain id is `chain_id`. None if the
    /// signature is no signature, has a high `s` (EIP-2), or is for another chain.
    // spec: opstack 2.3
    pub fn sender(&self, chain_id: u64) -> Option<Address> {
        match self {
            Self::Signed(tx) => match tx.chain_id() {
                Some(id) if id != chain_id => None,
                _ => tx.recover_signer().ok(),
            },
            Self::Deposit { from, .. } => Some(*from),
            Self::Unknown { .. } => None,
        }
    }
}

/// A transaction to the batch inbox and its place in the block.
#[derive(Clone, Debug)]
pub struct InboxTransaction {
    /// Position among all transactions of the block.
    pub index: u32,
    /// Position of its first blob among all blobs of the block, whoever's they are.
    pub first_blob_index: u64,
    /// The transaction.
    pub transaction: L1Transaction,
}

/// What derivation reads of a transaction's receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L1Receipt {
    /// Whether execution succeeded (status 1).
    pub success: bool,
    /// Logs, in order of emission.
    pub logs: Vec<Log>,
}

/// An L1 block as derivation takes it.
#[derive(Clone, Debug, Default)]
pub struct L1Block {
    /// The header.
    pub header: L1Header,
    /// The transactions whose recipient is the batch inbox, in order.
    pub inbox: Vec<InboxTransaction>,
    /// The receipts of *all* transactions of the block, in order.
    pub receipts: Vec<L1Receipt>,
    /// Calldata of the transactions with logs of the alt-DA challenge contract, by position among
    /// all transactions: a challenge is answered with the data itself.
    pub challenge_calldata: Vec<(u32, Bytes)>,
}

impl L1Block {
    /// Takes from a whole block what derivation reads of it.
    pub fn new(
        rollup: &RollupConfig,
        header: L1Header,
        transactions: impl IntoIterator<Item = L1Transaction>,
        receipts: Vec<L1Receipt>,
    ) -> Self {
        let challenge_contract = rollup.da_challenge_contract();
        let mut inbox = Vec::new();
        let mut challenge_calldata = Vec::new();
        let mut first_blob_index = 0;
        let mut logs = receipts.iter().map(|receipt| receipt.logs.as_slice());
        for (index, transaction) in (0u32..).zip(transactions) {
            let blobs = transaction.blob_versioned_hashes().len() as u64;
            let logs = logs.next().unwrap_or_default();
            if challenge_contract
                .is_some_and(|contract| logs.iter().any(|log| log.address == contract))
            {
                challenge_calldata.push((index, transaction.input()));
            }
            if transaction.to() == Some(rollup.batch_inbox_address) {
                inbox.push(InboxTransaction {
                    index,
                    first_blob_index,
                    transaction,
                });
            }
            first_blob_index += blobs;
        }
        Self {
            header,
            inbox,
            receipts,
            challenge_calldata,
        }
    }

    /// The logs of successful transactions, each with its index among all logs of the block.
    pub fn logs(&self) -> impl Iterator<Item = (u64, &Log)> {
        // Failed transactions have no logs; skipping theirs would still have to count them.
        (0u64..)
            .zip(
                self.receipts
                    .iter()
                    .flat_map(|receipt| receipt.logs.iter().map(move |log| (receipt.success, log))),
            )
            .filter(|(_, (success, _))| *success)
            .map(|(index, (_, log))| (index, log))
    }
}

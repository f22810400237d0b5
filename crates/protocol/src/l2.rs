//! L2 blocks, as derivation reads them: header fields, and transactions that stay opaque.

use crate::{
    block::L2BlockRef,
    config::ChainConfig,
    deposit::{DepositTx, DepositTxError},
    l1_info::{L1BlockInfo, L1InfoError, L1InfoLayout},
    rlp::{self, RlpError},
    system_config::{L2ConfigError, SystemConfig},
};
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable;
use thiserror::Error;

/// An L2 block whose transactions are opaque bytes, so that chains with transaction types of their
/// own can be followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct L2Block {
    /// Hash of the header.
    pub hash: B256,
    /// The header.
    pub header: Header,
    /// EIP-2718 encoded transactions.
    pub transactions: Vec<Bytes>,
}

/// Why an L2 block is not what derivation can build on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum L2BlockError {
    /// Not the RLP of a block.
    #[error("L2 block is not the RLP of a block: {0}")]
    Rlp(#[from] RlpError),
    /// Not the RLP of a header.
    #[error("L2 block has a malformed header: {0}")]
    Header(alloy_rlp::Error),
    /// The block at genesis height is not the genesis block.
    #[error("L2 block {number} is {found}, but the genesis block is {expected}")]
    WrongGenesis {
        /// Genesis height.
        number: u64,
        /// From the configuration.
        expected: B256,
        /// Of the block.
        found: B256,
    },
    /// The block has no transaction.
    #[error("L2 block {0} has no L1-info transaction")]
    NoL1Info(B256),
    /// The first transaction is no deposit.
    #[error("the first transaction of the L2 block: {0}")]
    Deposit(#[from] DepositTxError),
    /// The first transaction is not the L1 info of the block's time.
    #[error("the first transaction of the L2 block: {0}")]
    L1Info(#[from] L1InfoError),
    /// The header does not give a system configuration.
    #[error(transparent)]
    SystemConfig(#[from] L2ConfigError),
}

impl L2Block {
    /// Decodes the RLP of a whole block and computes its hash. Withdrawals are not looked at: the
    /// header's root covers them.
    pub fn decode(raw: &Bytes) -> Result<Self, L2BlockError> {
        let mut rest = raw.as_ref();
        let mut fields = rlp::next_item(&mut rest)?.list()?;
        let header = rlp::next_item(&mut fields)?;
        let transactions = rlp::next_item(&mut fields)?.list()?;
        Ok(Self {
            hash: keccak256(header.raw),
            header: Header::decode(&mut &header.raw[..]).map_err(L2BlockError::Header)?,
            transactions: decode_transactions(raw, transactions)?,
        })
    }

    /// What the block's first transaction says of L1. None at genesis.
    pub fn l1_info(&self, chain: &ChainConfig) -> Result<Option<L1BlockInfo>, L2BlockError> {
        let genesis = &chain.rollup.genesis.l2;
        if self.header.number == genesis.number {
            if self.hash != genesis.hash {
                return Err(L2BlockError::WrongGenesis {
                    number: genesis.number,
                    expected: genesis.hash,
                    found: self.hash,
                });
            }
            return Ok(None);
        }
        let first = self
            .transactions
            .first()
            .ok_or(L2BlockError::NoL1Info(self.hash))?;
        let deposit = DepositTx::decode(first)?;
        let layout = L1InfoLayout::at(chain, self.header.timestamp);
        Ok(Some(L1BlockInfo::decode(layout, &deposit.data)?))
    }

    /// The block's place in both chains.
    pub fn block_ref(&self, chain: &ChainConfig) -> Result<L2BlockRef, L2BlockError> {
        let (l1_origin, sequence_number) = match self.l1_info(chain)? {
            None => (chain.rollup.genesis.l1, 0),
            Some(info) => (
                crate::block::BlockId {
                    hash: info.block_hash,
                    number: info.number,
                },
                info.sequence_number,
            ),
        };
        Ok(L2BlockRef {
            hash: self.hash,
            number: self.header.number,
            parent_hash: self.header.parent_hash,
            timestamp: self.header.timestamp,
            l1_origin,
            sequence_number,
        })
    }

    /// The system configuration as of the block.
    // spec: opstack 3.9
    pub fn system_config(&self, chain: &ChainConfig) -> Result<SystemConfig, L2BlockError> {
        match self.l1_info(chain)? {
            None => Ok(chain.rollup.genesis.system_config),
            Some(info) => Ok(SystemConfig::from_l2_block(
                chain,
                self.header.timestamp,
                self.header.gas_limit,
                &self.header.extra_data,
                &info,
            )?),
        }
    }
}

/// A block's transactions: typed ones are strings, legacy ones are lists.
fn decode_transactions(raw: &Bytes, mut list: &[u8]) -> Result<Vec<Bytes>, RlpError> {
    let mut transactions = Vec::new();
    while let Some(item) = rlp::next_element(&mut list)? {
        let bytes = if item.is_list { item.raw } else { item.payload };
        transactions.push(raw.slice_ref(bytes));
    }
    Ok(transactions)
}

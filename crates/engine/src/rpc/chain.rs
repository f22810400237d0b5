//! Finding blocks: by number, label or hash.

use super::{filters::Filters, methods::Settings};
use crate::{
    state::StateAt,
    store::{BranchOf, Labels, StoreError, TransactionPlace},
    transaction::{BlockTransaction, decode_transactions},
    view::View,
};
use alloy_consensus::Header;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, Bytes};
use alloy_rlp::{Encodable, Header as RlpHeader};
use doppio_rpc::RpcError;
use op_alloy_consensus::OpReceiptEnvelope;
use std::sync::Arc;

/// A stored block's header.
#[derive(Clone, Debug)]
pub(crate) struct BlockHeader {
    pub(crate) hash: B256,
    pub(crate) header: Header,
}

/// A stored block.
#[derive(Clone, Debug)]
pub(crate) struct StoredBlock {
    pub(crate) hash: B256,
    pub(crate) header: Header,
    /// EIP-2718 encoded.
    pub(crate) transactions: Vec<Bytes>,
}

/// A chain as its readers see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain<'a> {
    pub(crate) view: &'a View,
    /// The labels when the call came.
    pub(crate) labels: Labels,
    pub(crate) settings: &'a Settings,
    pub(super) filters: &'a Filters,
}

impl<'a> Chain<'a> {
    /// The newest block.
    pub(crate) fn head(&self) -> Result<BlockHeader, RpcError> {
        self.stored(self.labels.head)
    }

    /// A header that must be there.
    pub(super) fn stored(&self, hash: B256) -> Result<BlockHeader, RpcError> {
        self.by_hash(hash)?
            .ok_or_else(|| RpcError::internal(format!("block {hash} is missing")))
    }

    /// The header of a hash, canonical or not.
    pub(crate) fn by_hash(&self, hash: B256) -> Result<Option<BlockHeader>, RpcError> {
        let header = self.view.store().header(hash)?;
        Ok(header.map(|header| BlockHeader { hash, header }))
    }

    /// The canonical block of a number or label. There is no pending block: it is the newest.
    pub(crate) fn by_number(
        &self,
        number: BlockNumberOrTag,
    ) -> Result<Option<BlockHeader>, RpcError> {
        let labels = self.labels;
        let number = match number {
            BlockNumberOrTag::Latest | BlockNumberOrTag::Pending => return self.head().map(Some),
            BlockNumberOrTag::Safe if labels.safe.is_zero() => {
                return Err(RpcError::failed("safe block not found"));
            }
            BlockNumberOrTag::Safe => return self.stored(labels.safe).map(Some),
            BlockNumberOrTag::Finalized if labels.finalized.is_zero() => {
                return Err(RpcError::failed("finalized block not found"));
            }
            BlockNumberOrTag::Finalized => return self.stored(labels.finalized).map(Some),
            BlockNumberOrTag::Earliest => self.settings.first_block,
            BlockNumberOrTag::Number(number) => number,
        };
        match self.view.store().canonical(number)? {
            None => Ok(None),
            Some(hash) => self.stored(hash).map(Some),
        }
    }

    /// The block of a number, label or hash.
    pub(crate) fn find(&self, id: BlockId) -> Result<Option<BlockHeader>, RpcError> {
        let hash = match id {
            BlockId::Number(number) => return self.by_number(number),
            BlockId::Hash(hash) => hash,
        };
        let found = self.by_hash(hash.block_hash)?;
        if let Some(block) = &found
            && hash.require_canonical == Some(true)
            && self.view.store().canonical(block.header.number)? != Some(block.hash)
        {
            return Err(RpcError::failed("hash is not currently canonical"));
        }
        Ok(found)
    }

    /// The block whose state is asked for.
    pub(crate) fn state_of(&self, id: BlockId) -> Result<BlockHeader, RpcError> {
        self.find(id)?
            .ok_or_else(|| RpcError::failed("header not found"))
    }

    /// The whole block of a header.
    pub(crate) fn block(&self, found: BlockHeader) -> Result<StoredBlock, RpcError> {
        let BlockHeader { hash, header } = found;
        let transactions = self
            .view
            .store()
            .transactions(hash)?
            .ok_or(StoreError::Malformed {
                what: "body of block",
                key: hash.to_string(),
            })?;
        Ok(StoredBlock {
            hash,
            header,
            transactions,
        })
    }

    /// The receipts of a block, one for each transaction.
    pub(crate) fn receipts(&self, hash: B256) -> Result<Vec<OpReceiptEnvelope>, RpcError> {
        let receipts = self.view.store().receipts(hash)?;
        Ok(receipts.ok_or(StoreError::Malformed {
            what: "receipts of block",
            key: hash.to_string(),
        })?)
    }

    /// The canonical block that has a transaction, and where.
    pub(crate) fn transaction(&self, hash: B256) -> Result<Option<(StoredBlock, usize)>, RpcError> {
        let Some(TransactionPlace { block, index }) = self.view.store().transaction(hash)? else {
            return Ok(None);
        };
        let Some(found) = self.by_number(block.into())? else {
            return Ok(None);
        };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        Ok(Some((self.block(found)?, index)))
    }

    /// The state that a block left.
    pub(crate) fn state(&self, block: &BlockHeader) -> StateAt<BranchOf> {
        let tip = (block.header.number, block.hash);
        let branch = BranchOf::new(Arc::clone(self.view.store()), tip);
        StateAt::new(branch, block.header.state_root)
    }
}

impl StoredBlock {
    /// The transactions with their senders.
    pub(crate) fn decode(&self) -> Result<Vec<BlockTransaction>, RpcError> {
        decode_transactions(&self.transactions)
            .map_err(|error| RpcError::internal(format!("block {} is damaged: {error}", self.hash)))
    }

    /// The RLP of the whole block.
    pub(crate) fn rlp(&self) -> Vec<u8> {
        let mut transactions = Vec::new();
        for transaction in &self.transactions {
            // a legacy transaction is a list itself, the others are strings
            if transaction.first().is_some_and(|first| *first >= 0xc0) {
                transactions.extend_from_slice(transaction);
            } else {
                transaction.encode(&mut transactions);
            }
        }
        let mut payload = Vec::new();
        self.header.encode(&mut payload);
        RlpHeader {
            list: true,
            payload_length: transactions.len(),
        }
        .encode(&mut payload);
        payload.append(&mut transactions);
        payload.push(alloy_rlp::EMPTY_LIST_CODE); // ommers
        if self.header.withdrawals_root.is_some() {
            payload.push(alloy_rlp::EMPTY_LIST_CODE);
        }
        let mut block = Vec::with_capacity(payload.len() + 9);
        RlpHeader {
            list: true,
            payload_length: payload.len(),
        }
        .encode(&mut block);
        block.append(&mut payload);
        block
    }
}

//! What kona asks for, answered out of memory.

use super::world::World;
use alloy_primitives::B256;
use async_trait::async_trait;
use kona_alloy_consensus::{Header, Receipt, TxEnvelope};
use kona_alloy_eips::eip4844::{Blob, IndexedBlobHash};
use kona_derive::{BlobProvider, ChainProvider, L2ChainProvider, PipelineError, PipelineErrorKind};
use kona_genesis::{RollupConfig, SystemConfig};
use kona_protocol::{BatchValidationProvider, BlockInfo, L2BlockInfo};
use op_alloy_consensus::OpBlock;
use std::sync::Arc;
use thiserror::Error;

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum NoAnswer {
    /// The recording has no further L1 blocks.
    #[error("the recording ends")]
    End,
    /// The recording should have it.
    #[error("the recording has no {0}")]
    Missing(String),
}

impl From<NoAnswer> for PipelineErrorKind {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::End => PipelineError::EndOfSource.crit(),
            NoAnswer::Missing(_) => PipelineError::Provider(error.to_string()).crit(),
        }
    }
}

/// Both chains and the blobs.
#[derive(Clone, Debug)]
pub(super) struct Provider(pub(super) Arc<World>);

impl Provider {
    fn l1(&self, hash: &B256) -> Result<&super::world::L1, NoAnswer> {
        self.0
            .l1_by_hash(hash)
            .ok_or_else(|| NoAnswer::Missing(format!("L1 block {hash}")))
    }

    fn l2(&self, number: u64) -> Result<&super::world::L2, NoAnswer> {
        self.0
            .l2_by_number(number)
            .ok_or_else(|| NoAnswer::Missing(format!("L2 block {number}")))
    }
}

#[async_trait]
impl ChainProvider for Provider {
    type Error = NoAnswer;

    async fn header_by_hash(&mut self, hash: B256) -> Result<Header, NoAnswer> {
        Ok(self.l1(&hash)?.header.clone())
    }

    async fn block_info_by_number(&mut self, number: u64) -> Result<BlockInfo, NoAnswer> {
        let block = self.0.l1_by_number(number).ok_or(NoAnswer::End)?;
        Ok(block.info)
    }

    async fn receipts_by_hash(&mut self, hash: B256) -> Result<Vec<Receipt>, NoAnswer> {
        Ok(self.l1(&hash)?.receipts.clone())
    }

    async fn block_info_and_transactions_by_hash(
        &mut self,
        hash: B256,
    ) -> Result<(BlockInfo, Vec<TxEnvelope>), NoAnswer> {
        let block = self.l1(&hash)?;
        Ok((block.info, block.transactions.clone()))
    }
}

#[async_trait]
impl BatchValidationProvider for Provider {
    type Error = NoAnswer;

    async fn l2_block_info_by_number(&mut self, number: u64) -> Result<L2BlockInfo, NoAnswer> {
        Ok(self.l2(number)?.info)
    }

    async fn block_by_number(&mut self, number: u64) -> Result<OpBlock, NoAnswer> {
        Ok(self.l2(number)?.block.clone())
    }
}

#[async_trait]
impl L2ChainProvider for Provider {
    type Error = NoAnswer;

    async fn system_config_by_number(
        &mut self,
        number: u64,
        _: Arc<RollupConfig>,
    ) -> Result<SystemConfig, NoAnswer> {
        Ok(self.l2(number)?.config)
    }
}

#[async_trait]
impl BlobProvider for Provider {
    type Error = NoAnswer;

    async fn get_blobs(
        &mut self,
        _: &BlockInfo,
        hashes: &[IndexedBlobHash],
    ) -> Result<Vec<Box<Blob>>, NoAnswer> {
        hashes
            .iter()
            .map(|indexed| {
                let blob = self.0.blobs.get(&indexed.hash).cloned();
                blob.ok_or_else(|| NoAnswer::Missing(format!("blob {}", indexed.hash)))
            })
            .collect()
    }
}

//! A rollup node, as the other roles ask it.

use crate::status::SyncStatus;
use alloy_primitives::B256;
use doppio_protocol::{L2BlockRef, block::BlockId};
use doppio_rpc::{CallError, Caller, quantity};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::sync::Arc;
use thiserror::Error;

/// Why a rollup node gives no answer that can be used. It may later.
#[derive(Debug, Error)]
pub enum RollupError {
    /// The call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An answer that is none.
    #[error("the answer of {node} to {method}: {reason}")]
    Malformed {
        /// Who answered.
        node: String,
        /// The method.
        method: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// The output of an L2 block, by the node's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputAtBlock {
    /// The output root.
    pub output_root: B256,
    /// The block.
    pub block_ref: L2BlockRef,
    /// The storage root of the message passer.
    pub withdrawal_storage_root: B256,
}

/// A rollup node: `doppio node`, op-node, or another with the same interface. It is trusted.
#[derive(Clone, Debug)]
pub struct RollupNode {
    caller: Arc<dyn Caller>,
}

impl RollupNode {
    /// A node. Nothing is asked yet.
    pub fn new(caller: Arc<dyn Caller>) -> Self {
        Self { caller }
    }

    /// What may be shown of where it is.
    pub fn name(&self) -> &str {
        self.caller.name()
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Vec<Value>,
    ) -> Result<T, RollupError> {
        let answer = self.caller.call(method, params).await?;
        serde_json::from_value(answer).map_err(|error| RollupError::Malformed {
            node: self.name().to_owned(),
            method,
            reason: error.to_string(),
        })
    }

    /// The heads of both chains.
    ///
    /// # Errors
    ///
    /// If the node does not give them.
    pub async fn sync_status(&self) -> Result<SyncStatus, RollupError> {
        self.ask("optimism_syncStatus", Vec::new()).await
    }

    /// The rollup configuration, as the node has it.
    ///
    /// # Errors
    ///
    /// If the node does not give it.
    pub async fn rollup_config(&self) -> Result<Value, RollupError> {
        self.ask("optimism_rollupConfig", Vec::new()).await
    }

    /// Whether the node makes blocks.
    ///
    /// # Errors
    ///
    /// If the node does not say: its `admin_` methods may not be open.
    pub async fn is_sequencing(&self) -> Result<bool, RollupError> {
        self.ask("admin_sequencerActive", Vec::new()).await
    }

    /// The safe head once an L1 block had been derived.
    ///
    /// # Errors
    ///
    /// If the node does not know, or keeps no safe-head database.
    pub async fn safe_head_at(&self, l1: u64) -> Result<BlockId, RollupError> {
        #[derive(Deserialize)]
        struct SafeHead {
            #[serde(rename = "safeHead")]
            safe_head: BlockId,
        }
        let method = "optimism_safeHeadAtL1Block";
        let found: SafeHead = self.ask(method, vec![quantity(l1)]).await?;
        Ok(found.safe_head)
    }

    /// The output of an L2 block.
    ///
    /// # Errors
    ///
    /// If the node has no such block, or no output of it.
    pub async fn output_at(&self, l2: u64) -> Result<OutputAtBlock, RollupError> {
        self.ask("optimism_outputAtBlock", vec![quantity(l2)]).await
    }
}

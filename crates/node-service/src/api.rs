//! The node's JSON-RPC: `optimism_*`, `superroot_*`, `admin_*`, as op-node answers them.
//!
//! Methods run on threads of their own and may wait for the node.

use crate::{
    command::{CommandError, NodeHandle},
    safe_db::{BecameSafe, SafeDb, SafeDbError},
};
use alloy_primitives::{B256, keccak256};
use core::fmt;
use doppio_l1::verify::BlockAt;
use doppio_l2::SyncStatus;
use doppio_protocol::{
    L2BlockRef, block::BlockId, config::Fork, output::OutputV0, payload::ExecutionPayload,
};
use doppio_rpc::{MethodSet, Params, Quantity64, RpcError};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tokio::runtime::Handle;

/// How often a block and the heads around it are read before they are given as they are.
const SNAPSHOTS: usize = 5;

/// Sets what is logged, by level or filter; in words, why that cannot be.
pub type SetLog = dyn Fn(&str) -> Result<(), String> + Send + Sync;

fn failed(error: impl fmt::Display) -> RpcError {
    RpcError::failed(error.to_string())
}

/// An error with where it happened, as op-node words it.
fn at(place: impl fmt::Display, error: RpcError) -> RpcError {
    RpcError {
        message: format!("{place}: {}", error.message),
        ..error
    }
}

impl From<SafeDbError> for RpcError {
    fn from(error: SafeDbError) -> Self {
        failed(error)
    }
}

impl From<CommandError> for RpcError {
    fn from(error: CommandError) -> Self {
        failed(error)
    }
}

/// What everybody may ask.
#[derive(Debug)]
pub struct NodeApi {
    node: NodeHandle,
    version: &'static str,
}

impl NodeApi {
    /// The methods of a node that calls itself a version.
    pub const fn new(node: NodeHandle, version: &'static str) -> Self {
        Self { node, version }
    }

    /// The canonical block of a height, and the heads at that time.
    async fn block_with_status(
        &self,
        number: u64,
    ) -> Result<(Option<L2BlockRef>, SyncStatus), RpcError> {
        let mut status = self.node.sync_status();
        let mut block = None;
        for _ in 0..SNAPSHOTS {
            block = self
                .node
                .l2
                .block_ref(BlockAt::Number(number))
                .await
                .map_err(failed)?;
            let after = self.node.sync_status();
            let is_settled = number <= status.finalized_l2.number
                || status.unsafe_l2.hash == after.unsafe_l2.hash;
            status = after;
            if is_settled {
                break;
            }
        }
        Ok((block, status))
    }

    async fn output(&self, block: &L2BlockRef) -> Result<OutputV0, RpcError> {
        let output = self.node.l2.output(block.hash).await.map_err(failed)?;
        output.ok_or_else(|| RpcError::failed("not found"))
    }

    async fn output_at_block(&self, number: u64) -> Result<Value, RpcError> {
        let (block, status) = self.block_with_status(number).await?;
        let block = block.ok_or_else(|| {
            RpcError::failed("failed to get L2 block ref with sync status: not found")
        })?;
        let output = self.output(&block).await?;
        Ok(json!({
            "version": B256::ZERO,
            "outputRoot": output.root(),
            "blockRef": block,
            "withdrawalStorageRoot": output.message_passer_storage_root,
            "stateRoot": output.state_root,
            "syncStatus": status,
        }))
    }

    fn safe_db(&self) -> Result<&SafeDb, RpcError> {
        let db = self.node.safe_db.as_deref();
        db.ok_or_else(|| RpcError::failed("safe head database not enabled"))
    }

    fn safe_head_at_l1_block(&self, number: u64) -> Result<Value, RpcError> {
        let db = self.safe_db().map_err(|error| {
            at(
                format!("failed to get safe head at l1 block {number:#x}"),
                error,
            )
        })?;
        let found = db.at_l1(number)?;
        let found = found.ok_or_else(|| RpcError::failed("not found"))?;
        Ok(json!({ "l1Block": found.l1_block, "safeHead": found.safe_head }))
    }

    // spec: opstack-2026-09 5 *2 *3
    async fn super_root_at(&self, timestamp: u64) -> Result<Value, RpcError> {
        let rollup = &self.node.chain.rollup;
        let chain_id = rollup.l2_chain_id.to_string();
        let genesis = &rollup.genesis;
        let elapsed = timestamp.checked_sub(genesis.l2_time).ok_or_else(|| {
            RpcError::failed(format!(
                "target block number for timestamp {timestamp}: did not reach genesis time ({}) yet",
                genesis.l2_time
            ))
        })?;
        let blocks = elapsed / rollup.block_time.max(1);
        let number = genesis.l2.number.saturating_add(blocks);
        let (block, status) = self.block_with_status(number).await?;
        let mut answer = json!({
            "current_l1": status.current_l1.id(),
            "safe_timestamp": status.safe_l2.timestamp,
            "local_safe_timestamp": status.local_safe_l2.timestamp,
            "finalized_timestamp": status.finalized_l2.timestamp,
            "optimistic_at_timestamp": Map::new(),
            "chain_ids": [chain_id],
        });
        let Some(block) = block.filter(|_| number <= status.local_safe_l2.number) else {
            return Ok(answer);
        };
        let output = self.output(&block).await?;
        let required_l1 = if block.id() == genesis.l2 {
            // safe before anything is derived; the contracts may be older than the chain
            BlockId::default()
        } else {
            let failed = |error| at(format!("l1AtSafeHead@{}", block.id()), error);
            let db = self.safe_db().map_err(failed)?;
            match db.became_safe(block.number)? {
                BecameSafe::At(l1) => l1,
                BecameSafe::NotYet => return Err(failed(RpcError::failed("not found"))),
                BecameSafe::Earlier => {
                    let reason = "the safe head database begins later";
                    return Err(failed(RpcError::failed(reason)));
                }
            }
        };
        answer["optimistic_at_timestamp"] = json!({ &chain_id: {
            "output": {
                "stateRoot": output.state_root,
                "messagePasserStorageRoot": output.message_passer_storage_root,
                "blockHash": output.block_hash,
            },
            "output_root": output.root(),
            "required_l1": required_l1,
        }});
        answer["data"] = json!({
            "verified_required_l1": required_l1,
            "super": {
                "timestamp": format!("{timestamp:#x}"),
                "chains": [{ "ChainID": chain_id, "Output": output.root() }],
            },
            "super_root": super_root(timestamp, rollup.l2_chain_id, output.root()),
        });
        Ok(answer)
    }
}

/// The super root, version 1, of one chain.
// spec: opstack-2026-09 5 *3
fn super_root(timestamp: u64, chain_id: u64, output_root: B256) -> B256 {
    let mut preimage = Vec::with_capacity(73);
    preimage.push(1);
    preimage.extend(timestamp.to_be_bytes());
    preimage.extend([0; 24]);
    preimage.extend(chain_id.to_be_bytes());
    preimage.extend(output_root);
    keccak256(preimage)
}

impl MethodSet for NodeApi {
    fn names(&self) -> Vec<&'static str> {
        vec![
            "optimism_syncStatus",
            "optimism_outputAtBlock",
            "optimism_safeHeadAtL1Block",
            "optimism_rollupConfig",
            "optimism_dependencySet",
            "optimism_version",
            "superroot_atTimestamp",
            "health_status",
            "doppio_configId",
        ]
    }

    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        let mut params = Params::new(params, 1)?;
        match method {
            "optimism_syncStatus" => Ok(json!(self.node.sync_status())),
            "optimism_outputAtBlock" => {
                let number: Quantity64 = params.required()?;
                Handle::current().block_on(self.output_at_block(number.0))
            }
            "optimism_safeHeadAtL1Block" => {
                let number: Quantity64 = params.required()?;
                self.safe_head_at_l1_block(number.0)
            }
            "optimism_rollupConfig" => Ok(self.node.chain.rollup.to_json()),
            // a chain that depends on no other has none
            "optimism_dependencySet" => Err(RpcError::failed("not found")),
            "optimism_version" | "health_status" => Ok(json!(self.version)),
            "superroot_atTimestamp" => {
                let timestamp: Quantity64 = params.required()?;
                Handle::current().block_on(self.super_root_at(timestamp.0))
            }
            "doppio_configId" => Ok(json!(self.node.chain.config_id())),
            _ => Err(RpcError::method_not_found(method)),
        }
    }
}

/// What only operators may ask.
pub struct AdminApi {
    node: NodeHandle,
    set_log: Arc<SetLog>,
}

impl fmt::Debug for AdminApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminApi").finish_non_exhaustive()
    }
}

/// A block as [`admin_postUnsafePayload`](AdminApi) takes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeJson {
    execution_payload: ExecutionPayload,
    parent_beacon_block_root: Option<B256>,
}

impl AdminApi {
    /// The methods of a node, and how to change what is logged.
    pub fn new(node: NodeHandle, set_log: Arc<SetLog>) -> Self {
        Self { node, set_log }
    }

    fn post_unsafe_payload(&self, envelope: EnvelopeJson) -> Result<(), RpcError> {
        let payload = envelope.execution_payload;
        let time = payload.timestamp.to();
        let is_isthmus = self.node.chain.active(Fork::Isthmus, time);
        let block = payload
            .into_block(is_isthmus, envelope.parent_beacon_block_root)
            .map_err(failed)?;
        let posted = self.node.unsafe_block(Arc::new(block));
        Ok(Handle::current().block_on(posted)?)
    }
}

impl MethodSet for AdminApi {
    fn names(&self) -> Vec<&'static str> {
        vec![
            "admin_resetDerivationPipeline",
            "admin_startSequencer",
            "admin_stopSequencer",
            "admin_sequencerActive",
            "admin_postUnsafePayload",
            "admin_overrideLeader",
            "admin_conductorEnabled",
            "admin_setRecoverMode",
            "admin_setLogLevel",
        ]
    }

    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        let mut params = Params::new(params, 1)?;
        let runtime = Handle::current();
        match method {
            "admin_resetDerivationPipeline" => runtime.block_on(self.node.reset())?,
            "admin_startSequencer" => {
                let head: B256 = params.required()?;
                runtime.block_on(self.node.start_sequencing(head))?;
            }
            "admin_stopSequencer" => {
                return Ok(json!(runtime.block_on(self.node.stop_sequencing())?));
            }
            "admin_sequencerActive" => return Ok(json!(self.node.is_sequencing())),
            "admin_postUnsafePayload" => self.post_unsafe_payload(params.required()?)?,
            // there is no conductor whose word could be overridden
            "admin_overrideLeader" => return Err(RpcError::failed("conductor is not enabled")),
            "admin_conductorEnabled" => return Ok(json!(false)),
            "admin_setRecoverMode" => {
                runtime.block_on(self.node.set_recover(params.required()?))?;
            }
            "admin_setLogLevel" => {
                let level: String = params.required()?;
                (self.set_log)(&level).map_err(RpcError::failed)?;
            }
            _ => return Err(RpcError::method_not_found(method)),
        }
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests;

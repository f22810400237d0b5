//! Who is asked.

use crate::error::RecordError;
use alloy_primitives::{B256, Bytes};
use core::{future::Future, time::Duration};
use doppio_derive::{PayloadAnswer, da_request_path, read_da_answer};
use doppio_l1::L1Source;
use doppio_protocol::{
    block::{BlockId, L1BlockRef, L2BlockRef},
    commitment::Commitment,
    config::ChainProfile,
    l2::L2Block,
};
use doppio_recorded::RecordedL2Block;
use doppio_rpc::{CallError, Caller, Http, Target, code};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::{Instant, sleep};

/// Longest payload that is read, in bytes: what a whole channel may hold.
const MAX_PAYLOAD: usize = 128 << 20;
/// Longest time for a request to the DA server.
const DA_TIMEOUT: Duration = Duration::from_secs(30);
/// First and longest pause before a question is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The nodes of a chain.
#[derive(Clone, Debug)]
pub struct Peers {
    /// L1 and its blobs.
    pub l1: L1Source,
    /// The rollup node.
    pub rollup: RollupNode,
    /// The execution engine, or any L2 node that has `debug_getRawBlock`.
    pub l2: Arc<dyn Caller>,
    /// The DA server, of a chain whose batches are commitments.
    pub da: Option<Target>,
    /// How long a question is asked again that nobody answers.
    pub patience: Duration,
}

/// The rollup node.
#[derive(Clone, Debug)]
pub struct RollupNode(pub Arc<dyn Caller>);

/// A part of `optimism_syncStatus`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct SyncStatus {
    pub(crate) current_l1: L1BlockRef,
    pub(crate) safe_l2: L2BlockRef,
}

/// The answer of `optimism_safeHeadAtL1Block`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct SafeHead {
    #[serde(rename = "safeHead")]
    pub(crate) safe_head: BlockId,
}

/// A part of `optimism_outputAtBlock`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Output {
    pub(crate) output_root: B256,
    pub(crate) block_ref: L2BlockRef,
    pub(crate) withdrawal_storage_root: B256,
}

fn quantity(number: u64) -> Value {
    json!(format!("{number:#x}"))
}

fn read<T: DeserializeOwned>(
    caller: &dyn Caller,
    method: &'static str,
    answer: Value,
) -> Result<T, RecordError> {
    serde_json::from_value(answer).map_err(|error| RecordError::Answer {
        server: caller.name().to_owned(),
        method,
        reason: error.to_string(),
    })
}

impl RollupNode {
    /// The rollup configuration, as the node has it.
    ///
    /// # Errors
    ///
    /// If the node does not give it.
    pub async fn rollup_config(&self) -> Result<Value, RecordError> {
        Ok(self.0.call("optimism_rollupConfig", Vec::new()).await?)
    }

    pub(crate) async fn sync_status(&self) -> Result<SyncStatus, RecordError> {
        let method = "optimism_syncStatus";
        let answer = self.0.call(method, Vec::new()).await?;
        read(&*self.0, method, answer)
    }

    /// The safe head once an L1 block had been derived; or in the node's words, why it does not
    /// know.
    pub(crate) async fn safe_head_at(
        &self,
        l1: u64,
    ) -> Result<Result<BlockId, String>, RecordError> {
        let method = "optimism_safeHeadAtL1Block";
        match self.0.call(method, vec![quantity(l1)]).await {
            Ok(answer) => Ok(Ok(read::<SafeHead>(&*self.0, method, answer)?.safe_head)),
            Err(CallError::Rpc { error, .. }) => Ok(Err(error.message)),
            Err(error) => Err(error.into()),
        }
    }

    /// The output of an L2 block; or in the node's words, why it does not give it.
    pub(crate) async fn output_at(&self, l2: u64) -> Result<Result<Output, String>, RecordError> {
        let method = "optimism_outputAtBlock";
        match self.0.call(method, vec![quantity(l2)]).await {
            Ok(answer) => Ok(Ok(read(&*self.0, method, answer)?)),
            Err(CallError::Rpc { error, .. }) => Ok(Err(error.message)),
            Err(error) => Err(error.into()),
        }
    }
}

/// How an L2 block is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum L2At {
    Number(u64),
    Hash(B256),
}

impl Peers {
    /// Asks again, as long as there may yet be an answer and patience lasts.
    pub(crate) async fn patiently<T, F: Future<Output = Result<T, RecordError>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<T, RecordError> {
        let end = Instant::now() + self.patience;
        let (mut pause, longest) = PAUSES;
        loop {
            match ask().await {
                Err(error) if error.is_passing() && Instant::now() + pause < end => {}
                result => return result,
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    pub(crate) async fn l2_chain_id(&self) -> Result<u64, RecordError> {
        let method = "eth_chainId";
        let answer = self.l2.call(method, Vec::new()).await?;
        let id: alloy_primitives::U64 = read(&*self.l2, method, answer)?;
        Ok(id.to())
    }

    /// An L2 block, whose hash is its content's.
    pub(crate) async fn l2_block(
        &self,
        at: L2At,
    ) -> Result<(RecordedL2Block, L2Block), RecordError> {
        let method = "debug_getRawBlock";
        let name = match at {
            L2At::Number(number) => quantity(number),
            L2At::Hash(hash) => json!(hash),
        };
        let answer = self
            .patiently(|| async { Ok(self.l2.call(method, vec![name.clone()]).await?) })
            .await
            .map_err(|error| match error {
                RecordError::Call(CallError::Rpc { error, .. })
                    if error.code == code::METHOD_NOT_FOUND =>
                {
                    RecordError::NoRawBlocks(self.l2.name().to_owned())
                }
                error => error,
            })?;
        let raw: Bytes = read(&*self.l2, method, answer)?;
        let asked = match at {
            L2At::Number(number) => number,
            L2At::Hash(_) => 0,
        };
        let wrong = |reason: String| RecordError::L2Block {
            number: asked,
            reason,
        };
        let block = L2Block::decode(&raw).map_err(|error| wrong(error.to_string()))?;
        let recorded = RecordedL2Block {
            number: block.header.number,
            hash: block.hash,
            raw,
            output_root: None,
            l1origin: None,
            withdrawal_storage_root: None,
        };
        // as whoever reads the recording will check it
        recorded
            .decode()
            .map_err(|error| wrong(error.to_string()))?;
        let is_asked = match at {
            L2At::Number(number) => block.header.number == number,
            L2At::Hash(hash) => block.hash == hash,
        };
        if !is_asked {
            let found = format!("{at:?} was asked for, {} came", block.hash);
            return Err(wrong(found));
        }
        Ok((recorded, block))
    }

    /// What the DA server says of a commitment in an L1 block. Called only where there is one.
    pub(crate) async fn payload(
        &self,
        http: &Http,
        server: &Target,
        profile: &ChainProfile,
        commitment: &Commitment,
        l1: u64,
    ) -> Result<PayloadAnswer, RecordError> {
        let failed = |reason: String| RecordError::Payload {
            commitment: commitment.clone(),
            l1,
            reason,
        };
        let path = da_request_path(commitment, l1);
        let answer = http
            .get(server, &path, MAX_PAYLOAD, DA_TIMEOUT)
            .await
            .map_err(|error| failed(error.to_string()))?;
        read_da_answer(profile, answer.status.as_u16(), answer.body)
            .map_err(|error| failed(error.to_string()))
    }
}

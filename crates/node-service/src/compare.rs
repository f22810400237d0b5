//! Runs beside another rollup node and compares, block by block (`--compare`): how an operator tries
//! this node before switching.
//!
//! Each height that both nodes have is compared once as unsafe block, and once more when it is safe in
//! both; each L1 height that both have derived, by the safe head that it gave; and what the other node
//! calls final, each time it changes. A difference between unsafe blocks may be a reorganisation that one
//! node has seen and the other has not yet. One between safe blocks is never right.

use crate::{command::NodeHandle, meters};
use alloy_primitives::B256;
use core::{fmt, time::Duration};
use doppio_l1::verify::BlockAt;
use doppio_l2::SyncStatus;
use doppio_protocol::{L2BlockRef, block::BlockId};
use doppio_rpc::{CallError, Caller};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use thiserror::Error;
use tokio::{task::JoinSet, time::sleep};
use tracing::{error, info, warn};

/// Heights that are compared at a time.
const AT_A_TIME: u64 = 16;

/// How a comparison is run.
#[derive(Clone, Copy, Debug)]
pub struct CompareOptions {
    /// How often the other node is asked for its heads.
    pub interval: Duration,
    /// Whether to end at the first difference.
    pub halt: bool,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// A block that both nodes have.
    Unsafe,
    /// A block that is safe in both.
    Safe,
    /// The block that the other node calls final.
    Finalized,
    /// The safe head that an L1 height gave.
    SafeHead,
}

impl Compared {
    const fn name(self) -> &'static str {
        match self {
            Self::Unsafe => "unsafe",
            Self::Safe => "safe",
            Self::Finalized => "finalized",
            Self::SafeHead => "safe_head_at_l1",
        }
    }
}

/// Where two nodes differ.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{compared:?} at height {height}: {field} is {ours} here and {theirs} there")]
pub struct NodeDifference {
    /// What was compared.
    pub compared: Compared,
    /// L2 height; L1 height of a safe head.
    pub height: u64,
    /// The first field that differs.
    pub field: &'static str,
    /// Ours.
    pub ours: String,
    /// The other node's.
    pub theirs: String,
}

/// What a node says of a block.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Output {
    block_ref: L2BlockRef,
    state_root: B256,
    withdrawal_storage_root: B256,
    output_root: B256,
}

impl Output {
    /// The first field that differs. The block's hash comes first: it says most.
    fn differs(&self, other: &Self) -> Option<(&'static str, String, String)> {
        fn pair<T: PartialEq + fmt::Display>(
            field: &'static str,
            ours: &T,
            theirs: &T,
        ) -> Option<(&'static str, String, String)> {
            (ours != theirs).then(|| (field, ours.to_string(), theirs.to_string()))
        }
        let (ours, theirs) = (&self.block_ref, &other.block_ref);
        pair("the block", &ours.hash, &theirs.hash)
            .or_else(|| pair("its parent", &ours.parent_hash, &theirs.parent_hash))
            .or_else(|| pair("its time", &ours.timestamp, &theirs.timestamp))
            .or_else(|| pair("its L1 origin", &ours.l1_origin, &theirs.l1_origin))
            .or_else(|| {
                let (ours, theirs) = (ours.sequence_number, theirs.sequence_number);
                pair("its sequence number", &ours, &theirs)
            })
            .or_else(|| pair("the state root", &self.state_root, &other.state_root))
            .or_else(|| {
                let (ours, theirs) = (self.withdrawal_storage_root, other.withdrawal_storage_root);
                pair("the withdrawals root", &ours, &theirs)
            })
            .or_else(|| pair("the output root", &self.output_root, &other.output_root))
    }
}

/// Why a height was not compared. It will be tried again.
#[derive(Debug, Error)]
enum NotCompared {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the other node's answer: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("this node: {0}")]
    Ours(String),
}

/// A comparison with another node.
#[derive(Clone, Debug)]
pub struct Comparison {
    node: NodeHandle,
    other: Arc<dyn Caller>,
    options: CompareOptions,
}

/// How far a comparison is: the next height of each kind.
#[derive(Clone, Copy, Debug)]
struct Cursors {
    unsafe_blocks: u64,
    safe_blocks: u64,
    /// What the other node called final when that was compared last.
    finalized: BlockId,
    l1_blocks: u64,
    /// The other node keeps its safe heads.
    has_safe_heads: bool,
}

impl Comparison {
    /// Compares a node with another one.
    pub fn new(node: NodeHandle, other: Arc<dyn Caller>, options: CompareOptions) -> Self {
        Self {
            node,
            other,
            options,
        }
    }

    /// Runs until the first difference, if that is to end it, and forever otherwise.
    pub async fn run(self) -> NodeDifference {
        let mut cursors = None;
        let mut differences = 0_u64;
        loop {
            match self.round(&mut cursors).await {
                Ok(None) => {}
                Ok(Some(difference)) => {
                    differences += 1;
                    meters::compare_difference(difference.compared.name());
                    if difference.compared == Compared::Unsafe {
                        warn!("the nodes differ: {difference}");
                    } else {
                        error!(
                            differences,
                            "THE NODES DIFFER: {difference}. Do not switch; `doppio record` makes a folder of this that anybody can replay"
                        );
                    }
                    if self.options.halt && difference.compared != Compared::Unsafe {
                        return difference;
                    }
                    continue;
                }
                Err(error) => warn!(%error, "not compared now"),
            }
            sleep(self.options.interval).await;
        }
    }

    async fn call<T: for<'de> Deserialize<'de>>(
        &self,
        method: &str,
        params: Vec<Value>,
    ) -> Result<T, NotCompared> {
        Ok(serde_json::from_value(
            self.other.call(method, params).await?,
        )?)
    }

    /// Compares whatever both nodes have by now, up to the first difference.
    async fn round(
        &self,
        cursors: &mut Option<Cursors>,
    ) -> Result<Option<NodeDifference>, NotCompared> {
        let theirs: SyncStatus = self.call("optimism_syncStatus", Vec::new()).await?;
        let ours = self.node.sync_status();
        if ours.unsafe_l2.hash == B256::ZERO || theirs.unsafe_l2.hash == B256::ZERO {
            // one of them has not begun
            return Ok(None);
        }
        let least = |head: fn(&SyncStatus) -> u64| head(&ours).min(head(&theirs));
        let cursors = cursors.get_or_insert_with(|| {
            let first = least(|status| status.finalized_l2.number);
            info!(first, other = self.other.name(), "comparing");
            Cursors {
                unsafe_blocks: first,
                safe_blocks: first,
                finalized: BlockId::default(),
                l1_blocks: ours.current_l1.number,
                has_safe_heads: self.node.safe_db.is_some(),
            }
        });
        let heads = [
            (Compared::Safe, least(|status| status.safe_l2.number)),
            (Compared::Unsafe, least(|status| status.unsafe_l2.number)),
        ];
        for (compared, head) in heads {
            let next = match compared {
                Compared::Safe => &mut cursors.safe_blocks,
                _ => &mut cursors.unsafe_blocks,
            };
            // what is lower was reorganised, and is compared again
            *next = (*next).min(head.saturating_add(1));
            while *next <= head {
                let last = head.min(next.saturating_add(AT_A_TIME - 1));
                if let Some(difference) = self.blocks(compared, *next, last).await? {
                    *next = difference.height.saturating_add(1);
                    return Ok(Some(difference));
                }
                *next = last + 1;
                meters::compared(compared.name(), last);
            }
        }
        let finalized = theirs.finalized_l2.id();
        // a height that this node has not derived yet can be compared later
        if finalized != cursors.finalized && finalized.number <= ours.safe_l2.number {
            let difference = self.finalized(finalized).await?;
            cursors.finalized = finalized;
            meters::compared(Compared::Finalized.name(), finalized.number);
            if difference.is_some() {
                return Ok(difference);
            }
        }
        // what an L1 block gave is known once the node is at the next one
        let l1 = least(|status| status.current_l1.number);
        while cursors.has_safe_heads && cursors.l1_blocks < l1 {
            let height = cursors.l1_blocks;
            let Some(difference) = self.safe_head(height).await? else {
                info!(
                    "the other node has no safe-head database: safe heads by L1 block are not compared"
                );
                cursors.has_safe_heads = false;
                break;
            };
            cursors.l1_blocks += 1;
            meters::compared(Compared::SafeHead.name(), height);
            if difference.is_some() {
                return Ok(difference);
            }
        }
        Ok(None)
    }

    /// Compares blocks of some heights. The difference with the lowest height, if there is one.
    async fn blocks(
        &self,
        compared: Compared,
        first: u64,
        last: u64,
    ) -> Result<Option<NodeDifference>, NotCompared> {
        let mut tasks = JoinSet::new();
        for height in first..=last {
            let this = self.clone();
            tasks.spawn(async move { this.block(compared, height).await });
        }
        let mut found: Option<NodeDifference> = None;
        while let Some(done) = tasks.join_next().await {
            let done = done.map_err(|error| NotCompared::Ours(error.to_string()))?;
            if let Some(difference) = done?
                && found
                    .as_ref()
                    .is_none_or(|found| difference.height < found.height)
            {
                found = Some(difference);
            }
        }
        Ok(found)
    }

    async fn block(
        &self,
        compared: Compared,
        height: u64,
    ) -> Result<Option<NodeDifference>, NotCompared> {
        let number = json!(format!("{height:#x}"));
        let theirs: Output = self.call("optimism_outputAtBlock", vec![number]).await?;
        let ours = self.output(height).await?;
        Ok(ours
            .differs(&theirs)
            .map(|(field, ours, theirs)| NodeDifference {
                compared,
                height,
                field,
                ours,
                theirs,
            }))
    }

    /// Compares what the other node calls final with the block of that height. All zeros are no block.
    async fn finalized(&self, theirs: BlockId) -> Result<Option<NodeDifference>, NotCompared> {
        if theirs.hash.is_zero() {
            return Ok(None);
        }
        let height = theirs.number;
        let ours = self.node.l2.block_ref(BlockAt::Number(height)).await;
        let ours = ours.map_err(|error| NotCompared::Ours(error.to_string()))?;
        let ours = ours.ok_or_else(|| NotCompared::Ours(format!("block {height} is gone")))?;
        Ok((ours.hash != theirs.hash).then(|| NodeDifference {
            compared: Compared::Finalized,
            height,
            field: "the block",
            ours: ours.hash.to_string(),
            theirs: theirs.hash.to_string(),
        }))
    }

    async fn output(&self, height: u64) -> Result<Output, NotCompared> {
        let failed = |error: &dyn fmt::Display| NotCompared::Ours(error.to_string());
        let gone = || NotCompared::Ours(format!("block {height} is gone"));
        let l2 = &self.node.l2;
        let block = l2.block_ref(BlockAt::Number(height)).await;
        let block = block.map_err(|error| failed(&error))?.ok_or_else(gone)?;
        let output = l2.output(block.hash).await;
        let output = output.map_err(|error| failed(&error))?.ok_or_else(gone)?;
        Ok(Output {
            block_ref: block,
            state_root: output.state_root,
            withdrawal_storage_root: output.message_passer_storage_root,
            output_root: output.root(),
        })
    }

    /// Compares the safe head that an L1 height gave; none if the other node does not keep them.
    async fn safe_head(&self, height: u64) -> Result<Option<Option<NodeDifference>>, NotCompared> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct SafeHeadJson {
            safe_head: BlockId,
        }
        let Some(db) = &self.node.safe_db else {
            return Ok(None);
        };
        let number = json!(format!("{height:#x}"));
        let theirs = self
            .call::<SafeHeadJson>("optimism_safeHeadAtL1Block", vec![number])
            .await;
        let theirs = match theirs {
            Ok(theirs) => theirs.safe_head,
            Err(NotCompared::Call(CallError::Rpc { .. })) => return Ok(None),
            Err(error) => return Err(error),
        };
        let ours = db.at_l1(height);
        let ours = ours.map_err(|error| NotCompared::Ours(error.to_string()))?;
        let Some(ours) = ours.map(|head| head.safe_head) else {
            // before our own database begins
            return Ok(Some(None));
        };
        Ok(Some((ours != theirs).then(|| NodeDifference {
            compared: Compared::SafeHead,
            height,
            field: "the safe head",
            ours: ours.to_string(),
            theirs: theirs.to_string(),
        })))
    }
}

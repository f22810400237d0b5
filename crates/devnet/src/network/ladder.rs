//! How far the chain is: the heads of both nodes, as they say themselves.

use crate::Rpc;
use serde_json::{Value, json};
use std::{fmt, time::Duration};

/// Longest time for a node to say it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The heads of a devnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    /// The newest L1 block that the sequencer knows.
    pub l1: u64,
    /// The newest L2 block.
    pub unsafe_l2: u64,
    /// The newest L2 block that the sequencer has derived from L1.
    pub safe_l2: u64,
    /// The newest L2 block whose data is final on L1.
    pub finalized_l2: u64,
    /// The newest L2 block that the second node has derived from L1; none if it does not answer.
    pub verified: Option<u64>,
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unsafe {}  safe {}  finalized {}  L1 {}",
            self.unsafe_l2, self.safe_l2, self.finalized_l2, self.l1
        )?;
        match self.verified {
            Some(verified) => write!(f, "  second node {verified}"),
            None => Ok(()),
        }
    }
}

/// `optimism_syncStatus` of a node, once it has found its heads.
pub(crate) async fn status(node: &Rpc) -> Result<Value, String> {
    let call = node.call("optimism_syncStatus", json!([]));
    let status = match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("no answer in {PATIENCE:?}")),
    };
    // all zeros before the heads are found
    match height(&status, "/unsafe_l2/timestamp") {
        Some(time) if time > 0 => Ok(status),
        _ => Err("it has not found its heads yet".to_owned()),
    }
}

/// A number in a node's status.
pub(crate) fn height(status: &Value, pointer: &str) -> Option<u64> {
    status.pointer(pointer).and_then(Value::as_u64)
}

/// The heads now; none if the sequencer does not say.
pub(crate) async fn ladder(node: &Rpc, verifier: &Rpc) -> Option<Ladder> {
    let (own, other) = tokio::join!(status(node), status(verifier));
    let own = own.ok()?;
    let number = |name: &str| height(&own, &format!("/{name}/number")).unwrap_or_default();
    Some(Ladder {
        l1: number("head_l1"),
        unsafe_l2: number("unsafe_l2"),
        safe_l2: number("safe_l2"),
        finalized_l2: number("finalized_l2"),
        verified: other
            .ok()
            .and_then(|status| height(&status, "/safe_l2/number")),
    })
}

//! What an L1's own methods do: `devnet_*`, beside anvil's.
//!
//! They change the chain as [`DevL1`](crate::DevL1)'s functions do, for whoever is in another process.

use super::Front;
use crate::{DevnetError, Reorg};
use serde_json::{Value, json};

/// How their names begin.
pub(super) const PREFIX: &str = "devnet_";
/// The label of the newest block that is final.
pub(super) const FINALIZED: &str = "finalized";

impl Front {
    /// Makes a call; `name` is what follows the prefix.
    pub(super) async fn control(&self, name: &str, params: &Value) -> Result<Value, DevnetError> {
        let anvil = &self.beacon.anvil;
        let count = || {
            let count = params.get(0).and_then(Value::as_u64);
            count.ok_or(DevnetError::Options("the first parameter is a number"))
        };
        match name {
            "reorg" => {
                let content = match params.get(1).and_then(Value::as_str) {
                    None | Some("same") => Reorg::Same,
                    Some("empty") => Reorg::Empty,
                    Some(_) => {
                        return Err(DevnetError::Options(
                            "the second parameter is \"same\" or \"empty\"",
                        ));
                    }
                };
                let head = self.miner.reorg(anvil, count()?, content).await?;
                Ok(json!({"number": head.number, "hash": head.hash}))
            }
            "mine" => {
                let head = self.miner.mine(anvil, count()?).await?;
                Ok(json!({"number": head.number, "hash": head.hash}))
            }
            "skipSlots" => {
                self.miner.skip(count()?).await;
                Ok(Value::Null)
            }
            "pause" => {
                self.miner.pause().await;
                Ok(Value::Null)
            }
            "resume" => {
                self.miner.resume(anvil).await?;
                Ok(Value::Null)
            }
            _ => Err(DevnetError::Options(
                "the methods are devnet_reorg, devnet_mine, devnet_skipSlots, devnet_pause and \
                 devnet_resume",
            )),
        }
    }

    /// The newest final block, as a parameter of anvil's. It must be one that this L1 still has after
    /// it was killed, or else nodes could never follow what it goes on with.
    pub(super) async fn finalized(&self) -> Result<Value, DevnetError> {
        let Some(kept) = self.miner.kept().await else {
            return Ok(json!(FINALIZED));
        };
        let block = self.beacon.anvil.block_at(FINALIZED).await?;
        Ok(json!(format!("{:#x}", block.number.min(kept))))
    }
}

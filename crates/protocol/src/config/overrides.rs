//! What an operator sets instead of what rollup.json says: op-node's `--override.*`.

use super::{BlobSchedule, Fork, ForkTimes, L1Fork, RollupConfig};

/// Values that replace those of a rollup configuration. What is not set stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollupOverrides {
    /// When forks activate.
    pub forks: ForkTimes,
    /// Until when the blob base fee is computed with Cancun's fraction.
    pub pectra_blob_schedule_time: Option<u64>,
    /// Whether the gas of the Karst upgrade stays in the gas limit.
    pub keep_karst_upgrade_gas: Option<bool>,
}

impl RollupOverrides {
    /// The configuration with the overrides. Whether the outcome is legal says
    /// [`RollupConfig::check`].
    pub fn apply(&self, mut config: RollupConfig) -> RollupConfig {
        for fork in Fork::ALL {
            if let Some(time) = self.forks.time(fork) {
                config.forks.set(fork, Some(time));
            }
        }
        if let Some(time) = self.pectra_blob_schedule_time {
            config.pectra_blob_schedule_time = Some(time);
        }
        if let Some(keep) = self.keep_karst_upgrade_gas {
            config.keep_karst_upgrade_gas = keep;
        }
        config
    }
}

/// Testnets on which chains of the OP Stack went on with Cancun's blob base fee when their L1 went
/// over to Prague's: Sepolia and Holesky.
const PECTRA_LATE_L1S: [u64; 2] = [11_155_111, 17_000];

impl RollupConfig {
    /// Whether `pectra_blob_schedule_time` is probably missing: the chain is older than Prague on a
    /// testnet where such chains needed it. op-node does not start then.
    pub fn lacks_pectra_blob_schedule(&self) -> bool {
        let prague = BlobSchedule::of_public_l1(self.l1_chain_id)
            .filter(|_| PECTRA_LATE_L1S.contains(&self.l1_chain_id))
            .and_then(|schedule| {
                let mut steps = schedule.steps().iter();
                steps.find(|step| step.fork == L1Fork::Prague).copied()
            });
        self.pectra_blob_schedule_time.is_none()
            && prague.is_some_and(|prague| self.genesis.l2_time <= prague.time)
    }
}

//! The forks of the OP Stack and when they activate.
//!
//! Which clock asks is the caller's business (opstack 0.1): L1-info layout, upgrade transactions
//! and attributes ask with the time of the L2 block; pipeline stages with the time of the L1 block
//! they are at; span batches and the sequencer drift with the time of a batch's L1 origin.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A fork after Bedrock, in order of activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fork {
    /// Deposit and L1-info gas corrections.
    Regolith,
    /// Channels may be read out of order; empty withdrawals list.
    Canyon,
    /// Span batches.
    Delta,
    /// Blobs; packed L1-info layout.
    Ecotone,
    /// Brotli; larger channels; constant sequencer drift.
    Fjord,
    /// Channel timeout of 50 L1 blocks.
    Granite,
    /// Strict batch order; EIP-1559 parameters in attributes.
    Holocene,
    /// Operator fee; SetCode transactions; withdrawals root in the header.
    Isthmus,
    /// Minimum base fee; data-availability footprint.
    Jovian,
    /// Osaka rules; first upgrade by a bundle of transactions.
    Karst,
    /// Interop and PostExec transactions. Parsed, never derived: see
    /// [`RollupConfig`](super::RollupConfig).
    Lagoon,
}

impl Fork {
    /// All forks, oldest first.
    pub const ALL: [Self; 11] = [
        Self::Regolith,
        Self::Canyon,
        Self::Delta,
        Self::Ecotone,
        Self::Fjord,
        Self::Granite,
        Self::Holocene,
        Self::Isthmus,
        Self::Jovian,
        Self::Karst,
        Self::Lagoon,
    ];

    /// The fork's name as the OP Stack writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regolith => "Regolith",
            Self::Canyon => "Canyon",
            Self::Delta => "Delta",
            Self::Ecotone => "Ecotone",
            Self::Fjord => "Fjord",
            Self::Granite => "Granite",
            Self::Holocene => "Holocene",
            Self::Isthmus => "Isthmus",
            Self::Jovian => "Jovian",
            Self::Karst => "Karst",
            Self::Lagoon => "Lagoon",
        }
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Activation times of all forks, in seconds since the Unix epoch; a fork without a time never
/// activates.
///
/// The JSON keys are those of rollup.json.
// spec: opstack 1.1
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ForkTimes {
    /// Regolith.
    #[serde(rename = "regolith_time", skip_serializing_if = "Option::is_none")]
    pub regolith: Option<u64>,
    /// Canyon.
    #[serde(rename = "canyon_time", skip_serializing_if = "Option::is_none")]
    pub canyon: Option<u64>,
    /// Delta.
    #[serde(rename = "delta_time", skip_serializing_if = "Option::is_none")]
    pub delta: Option<u64>,
    /// Ecotone.
    #[serde(rename = "ecotone_time", skip_serializing_if = "Option::is_none")]
    pub ecotone: Option<u64>,
    /// Fjord.
    #[serde(rename = "fjord_time", skip_serializing_if = "Option::is_none")]
    pub fjord: Option<u64>,
    /// Granite.
    #[serde(rename = "granite_time", skip_serializing_if = "Option::is_none")]
    pub granite: Option<u64>,
    /// Holocene.
    #[serde(rename = "holocene_time", skip_serializing_if = "Option::is_none")]
    pub holocene: Option<u64>,
    /// Isthmus.
    #[serde(rename = "isthmus_time", skip_serializing_if = "Option::is_none")]
    pub isthmus: Option<u64>,
    /// Jovian.
    #[serde(rename = "jovian_time", skip_serializing_if = "Option::is_none")]
    pub jovian: Option<u64>,
    /// Karst.
    #[serde(rename = "karst_time", skip_serializing_if = "Option::is_none")]
    pub karst: Option<u64>,
    /// Lagoon.
    #[serde(rename = "lagoon_time", skip_serializing_if = "Option::is_none")]
    pub lagoon: Option<u64>,
}

impl ForkTimes {
    /// When `fork` activates.
    pub const fn time(&self, fork: Fork) -> Option<u64> {
        match fork {
            Fork::Regolith => self.regolith,
            Fork::Canyon => self.canyon,
            Fork::Delta => self.delta,
            Fork::Ecotone => self.ecotone,
            Fork::Fjord => self.fjord,
            Fork::Granite => self.granite,
            Fork::Holocene => self.holocene,
            Fork::Isthmus => self.isthmus,
            Fork::Jovian => self.jovian,
            Fork::Karst => self.karst,
            Fork::Lagoon => self.lagoon,
        }
    }

    /// Sets when `fork` activates.
    pub const fn set(&mut self, fork: Fork, time: Option<u64>) {
        *match fork {
            Fork::Regolith => &mut self.regolith,
            Fork::Canyon => &mut self.canyon,
            Fork::Delta => &mut self.delta,
            Fork::Ecotone => &mut self.ecotone,
            Fork::Fjord => &mut self.fjord,
            Fork::Granite => &mut self.granite,
            Fork::Holocene => &mut self.holocene,
            Fork::Isthmus => &mut self.isthmus,
            Fork::Jovian => &mut self.jovian,
            Fork::Karst => &mut self.karst,
            Fork::Lagoon => &mut self.lagoon,
        } = time;
    }

    /// All forks up to and including `last` active from time 0, the later ones never.
    pub fn all_until(last: Fork) -> Self {
        let mut times = Self::default();
        for fork in Fork::ALL.into_iter().filter(|fork| *fork <= last) {
            times.set(fork, Some(0));
        }
        times
    }

    /// Whether `fork` is active at `time`.
    pub const fn active(&self, fork: Fork, time: u64) -> bool {
        matches!(self.time(fork), Some(activation) if activation <= time)
    }
}

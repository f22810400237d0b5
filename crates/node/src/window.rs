//! The sequencing window: until when a batch for a block counts, and how much of it is left.
//!
//! A batch for a block counts up to a number of L1 blocks behind the block's L1 origin. When they have
//! passed and none came, derivation puts a block without users' transactions in its place.

use doppio_protocol::config::ChainConfig;

/// The sequencing window of a chain.
// spec: opstack 3.6
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    size: u64,
}

/// How much is left of the sequencing window of the oldest block that is not safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WindowState {
    /// Enough.
    #[default]
    Open,
    /// Little: the chain's data must come to L1 soon.
    Closing,
    /// Nothing: derivation makes blocks without users' transactions, and what the sequencer made in
    /// their place is lost.
    Expired,
}

impl Window {
    pub(crate) const fn of(chain: &ChainConfig) -> Self {
        Self {
            size: chain.rollup.seq_window_size,
        }
    }

    pub(crate) const fn size(self) -> u64 {
        self.size
    }

    /// In how many of the L1 blocks to come a batch for a block with this L1 origin counts.
    pub(crate) const fn left(self, origin: u64, l1_head: u64) -> u64 {
        origin.saturating_add(self.size).saturating_sub(l1_head)
    }

    /// Where the window is; `warning` blocks before its end it closes.
    pub(crate) const fn state(self, origin: u64, l1_head: u64, warning: u64) -> WindowState {
        match self.left(origin, l1_head) {
            0 => WindowState::Expired,
            left if left <= warning => WindowState::Closing,
            _ => WindowState::Open,
        }
    }
}

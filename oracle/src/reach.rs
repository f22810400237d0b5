//! How far kona can follow a chain.

use doppio_protocol::config::{BatchAuthSchedule, ChainConfig, Fork};

/// A part of a chain, from its start on: the L1 blocks before a time, and the L2 blocks before a
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// L1 blocks of this time and later are not read.
    pub l1_time: u64,
    /// L2 blocks of this time and later are not derived.
    pub l2_time: u64,
}

impl Reach {
    /// Everything that was recorded.
    pub const WHOLE: Self = Self {
        l1_time: u64::MAX,
        l2_time: u64::MAX,
    };

    /// The part that kona 0.4.5 knows the rules of. None for an alt-DA chain: kona has alt-DA as
    /// configuration types only, and nothing that resolves a commitment.
    pub fn of_kona(chain: &ChainConfig) -> Option<Self> {
        if chain.rollup.alt_da.is_some() {
            return None;
        }
        let mut reach = Self::WHOLE;
        // kona's forks end at Isthmus: it reads jovian_time, and has nothing that acts on it
        if let Some(jovian) = chain.rollup.forks.time(Fork::Jovian) {
            reach.l2_time = jovian;
        }
        // kona knows who may post by the sender alone
        if chain.batch_auth != BatchAuthSchedule::SENDER {
            reach.l1_time = chain.batch_auth.from;
        }
        Some(reach)
    }

    /// Whether this is everything.
    pub fn is_whole(&self) -> bool {
        *self == Self::WHOLE
    }
}

//! Who was the batcher at which L1 block: the authenticator contract's history, which only grows.
// spec: espresso 5.3

use alloy_primitives::Address;

/// The batchers up to an L1 block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatcherHistory {
    /// From which L1 block on who was it, in ascending order.
    changes: Vec<(u64, Address)>,
    known_to: Option<u64>,
}

impl BatcherHistory {
    /// Nothing is known.
    pub const fn nothing() -> Self {
        Self {
            changes: Vec::new(),
            known_to: None,
        }
    }

    /// These changes, each from its L1 block on, as the contract has them at the finalized L1 block
    /// `known_to`. None if they are not in ascending order, as the contract's are.
    pub fn new(changes: Vec<(u64, Address)>, known_to: u64) -> Option<Self> {
        let is_ascending = changes.is_sorted_by(|(one, _), (other, _)| one < other);
        is_ascending.then_some(Self {
            changes,
            known_to: Some(known_to),
        })
    }

    /// One batcher from the beginning on: contracts of generation 2 have no history.
    pub fn always(batcher: Address, known_to: u64) -> Self {
        Self {
            changes: vec![(0, batcher)],
            known_to: Some(known_to),
        }
    }

    /// Up to which L1 block it is known.
    pub const fn known_to(&self) -> Option<u64> {
        self.known_to
    }

    /// The batcher at an L1 block; none before the first, or where it was disabled.
    pub fn at(&self, number: u64) -> Option<Address> {
        let after = self.changes.partition_point(|(from, _)| *from <= number);
        let (_, batcher) = self.changes.get(after.checked_sub(1)?)?;
        (!batcher.is_zero()).then_some(*batcher)
    }

    /// All batchers so far, in order.
    pub fn batchers(&self) -> impl Iterator<Item = Address> + '_ {
        self.changes.iter().map(|(_, batcher)| *batcher)
    }

    /// Whether somebody ever was the batcher.
    pub fn contains(&self, who: Address) -> bool {
        !who.is_zero() && self.batchers().any(|batcher| batcher == who)
    }
}

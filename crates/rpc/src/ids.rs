//! Names of subscriptions and filters: hex, as geth's are, and not to be guessed.

use alloy_primitives::{B128, keccak256};
use core::sync::atomic::{AtomicU64, Ordering};
use jsonrpsee::{core::traits::IdProvider, types::SubscriptionId};
use std::hash::{BuildHasher, RandomState};

/// Makes names.
#[derive(Debug, Default)]
pub struct HexIds {
    seed: RandomState,
    next: AtomicU64,
}

impl HexIds {
    /// A name that was not there before.
    pub fn next(&self) -> B128 {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let mut input = self.seed.hash_one(count).to_be_bytes().to_vec();
        input.extend(count.to_be_bytes());
        B128::from_slice(&keccak256(input)[..16])
    }
}

impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        SubscriptionId::Str(self.next().to_string().into())
    }
}

//! The name of a payload that is being built: the same for the same request, on every engine.

use crate::block::Attributes;
use alloy_primitives::{B256, Bytes, hex, keccak256};
use core::fmt;
use sha2::{Digest, Sha256};

/// The name of a payload: the version of the call that asked for it, and seven bytes of a hash over
/// the request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadId(pub [u8; 8]);

impl PayloadId {
    /// The name of a payload on `parent`, asked for by `engine_forkchoiceUpdatedV{version}`.
    pub fn new(
        version: u8,
        parent: B256,
        attributes: &Attributes,
        transactions: &[Bytes],
        no_tx_pool: bool,
    ) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(parent);
        hasher.update(attributes.timestamp.to_be_bytes());
        hasher.update(attributes.prev_randao);
        hasher.update(attributes.fee_recipient);
        // the RLP of the withdrawals, of which there are none
        hasher.update([alloy_rlp::EMPTY_LIST_CODE]);
        if let Some(root) = attributes.parent_beacon_block_root {
            hasher.update(root);
        }
        if no_tx_pool || !transactions.is_empty() {
            hasher.update([u8::from(no_tx_pool)]);
            hasher.update((transactions.len() as u64).to_be_bytes());
            for transaction in transactions {
                hasher.update(keccak256(transaction));
            }
        }
        hasher.update(attributes.gas_limit.to_be_bytes());
        if let Some(params) = attributes.eip1559_params {
            hasher.update(params);
        }
        if let Some(fee) = attributes.min_base_fee {
            hasher.update(fee.to_be_bytes());
        }
        let hash: [u8; 32] = hasher.finalize().into();
        let [_, b, c, d, e, f, g, h, ..] = hash;
        Self([version, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for PayloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_prefixed(self.0))
    }
}

impl fmt::Debug for PayloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PayloadId({self})")
    }
}

//! Output roots: what L1 learns of an L2 block.

use alloy_primitives::{Address, B256, address, keccak256};

/// The contract whose storage root an output commits to.
pub const L2_TO_L1_MESSAGE_PASSER: Address = address!("4200000000000000000000000000000000000016");

/// The preimage of an output root, version 0.
// spec: opstack 8.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputV0 {
    /// State root of the L2 block.
    pub state_root: B256,
    /// Storage root of the [`L2_TO_L1_MESSAGE_PASSER`] after the block.
    pub message_passer_storage_root: B256,
    /// Hash of the L2 block.
    pub block_hash: B256,
}

impl OutputV0 {
    /// `0³² ‖ state root ‖ storage root ‖ block hash`.
    pub fn preimage(&self) -> [u8; 128] {
        let mut preimage = [0; 128];
        preimage[32..64].copy_from_slice(self.state_root.as_slice());
        preimage[64..96].copy_from_slice(self.message_passer_storage_root.as_slice());
        preimage[96..].copy_from_slice(self.block_hash.as_slice());
        preimage
    }

    /// The output root.
    pub fn root(&self) -> B256 {
        keccak256(self.preimage())
    }
}

//! The second way to a final block: the root that the light client's contract on L1 keeps.
// spec: espresso 4.5

use crate::{
    block_merkle::{BlockPath, HEIGHT, PathError},
    header::Header,
    rescue::circuit_root,
    tagged::MerkleCommitment,
};
use alloy_primitives::{B256, U256};
use thiserror::Error;

/// What the contract says: all blocks below a height have this root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LightClientState {
    /// The view in which it was so.
    pub view: u64,
    /// The number of blocks.
    pub height: u64,
    /// The root of their tree, hashed as in the contract's circuit.
    pub root: U256,
}

/// Why a block is not shown to be among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LightClientError {
    /// The answer is not three words, or a number in it has more than 64 bits.
    #[error("the contract's answer is not a view, a height and a root")]
    Answer,
    /// The block is not among those of the state.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The path leads to another tree.
    #[error("block {0} is not in the tree that the contract on L1 keeps the root of")]
    Root(u64),
}

impl LightClientState {
    /// Reads what `finalizedState()` returns.
    ///
    /// # Errors
    ///
    /// If it is not that.
    pub fn from_abi(answer: &[u8]) -> Result<Self, LightClientError> {
        let words: Option<&[[u8; 32]; 3]> = match answer.as_chunks::<32>() {
            (words, []) => words.try_into().ok(),
            _ => None,
        };
        let [view, height, root] = words.ok_or(LightClientError::Answer)?;
        let number = |word: &[u8; 32]| u64::try_from(U256::from_be_bytes(*word));
        let number = |word| number(word).map_err(|_| LightClientError::Answer);
        let (view, height) = (number(view)?, number(height)?);
        Ok(Self {
            view,
            height,
            root: U256::from_be_bytes(*root),
        })
    }

    /// Checks that a header is that of a block among those of the state.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn verify(&self, header: &Header, path: &BlockPath) -> Result<(), LightClientError> {
        let (height, leaves) = (header.height(), self.height);
        if height >= leaves {
            return Err(PathError::NotInTree { height, leaves }.into());
        }
        let root = path.root(height, &header.commit());
        let tree = MerkleCommitment::new(root, HEIGHT as u64, leaves);
        if circuit_root(&tree) == self.root {
            Ok(())
        } else {
            Err(LightClientError::Root(height))
        }
    }
}

/// The selector of `finalizedState()`.
pub const FINALIZED_STATE: [u8; 4] = [0x9f, 0xdb, 0x54, 0xa7];

/// A word of a state, for those who compare it with an L1 node's `eth_call`.
impl From<LightClientState> for [B256; 3] {
    fn from(state: LightClientState) -> Self {
        [U256::from(state.view), U256::from(state.height), state.root].map(B256::from)
    }
}

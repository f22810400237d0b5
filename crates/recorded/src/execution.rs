//! What a replay asks of an execution engine.

use alloy_primitives::{B256, Bytes};
use doppio_derive::DerivedAttributes;
use thiserror::Error;

/// Executes the blocks of a replay, one on top of the other.
pub trait Execution {
    /// Executes the block of these attributes on the newest block, which becomes the newest in
    /// turn, unless its transactions are invalid.
    fn execute(&mut self, derived: &DerivedAttributes) -> Result<ExecutionOutcome, ExecutionError>;
}

/// What execution says of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionOutcome {
    /// It was executed.
    Executed(ExecutedBlock),
    /// A transaction of it is invalid; why.
    Invalid(String),
}

/// A block that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedBlock {
    /// Its hash.
    pub hash: B256,
    /// Extra data of its header.
    pub extra_data: Bytes,
    /// The output root that commits to it.
    pub output_root: B256,
}

/// Execution cannot go on. Not the block's fault.
#[derive(Debug, Error)]
#[error("execution failed: {0}")]
pub struct ExecutionError(pub Box<dyn std::error::Error + Send + Sync>);

//! The engine as a replay's judge.

use doppio_derive::DerivedAttributes;
use doppio_engine::MemoryChain;
use doppio_recorded::{ExecutedBlock, Execution, ExecutionError, ExecutionOutcome};

/// Executes a replay's blocks in memory.
#[derive(Debug)]
pub(crate) struct Executor(pub(crate) MemoryChain);

impl Execution for Executor {
    fn execute(&mut self, derived: &DerivedAttributes) -> Result<ExecutionOutcome, ExecutionError> {
        match self.0.execute(&derived.attributes) {
            Ok(block) => Ok(ExecutionOutcome::Executed(ExecutedBlock {
                hash: block.hash,
                output_root: block.output_root(),
                extra_data: block.header.extra_data,
            })),
            Err(error) if error.is_invalid_block() => {
                Ok(ExecutionOutcome::Invalid(error.to_string()))
            }
            Err(error) => Err(ExecutionError(Box::new(error))),
        }
    }
}

//! What a tracer is told, in the order in which op-geth tells it.

use super::state::StateView;
use doppio_rpc::RpcError;

use alloy_primitives::{Address, Bytes, Log, U256};
use serde_json::Value;

/// A transaction that is about to run.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct Start {
    pub(in crate::rpc) from: Address,
    /// None if it creates a contract.
    pub(in crate::rpc) to: Option<Address>,
    pub(in crate::rpc) gas_limit: u64,
    /// Accounts that let themselves be delegated (EIP-7702).
    pub(in crate::rpc) authorities: Vec<Address>,
    /// Who gets the priority fees.
    pub(in crate::rpc) fee_recipient: Address,
    /// Since Isthmus code can be delegated.
    pub(in crate::rpc) isthmus: bool,
    /// Since Ecotone contracts are only destroyed in the transaction that makes them.
    pub(in crate::rpc) ecotone: bool,
}

/// An instruction that is about to run.
#[derive(Debug)]
pub(in crate::rpc) struct Step<'a> {
    pub(in crate::rpc) pc: usize,
    pub(in crate::rpc) op: u8,
    pub(in crate::rpc) gas: u64,
    pub(in crate::rpc) stack: &'a [U256],
    pub(in crate::rpc) memory: &'a [u8],
    pub(in crate::rpc) return_data: &'a Bytes,
    /// From 1 on.
    pub(in crate::rpc) depth: usize,
    /// The contract whose storage it works on.
    pub(in crate::rpc) address: Address,
}

impl Step<'_> {
    /// A word of the stack, the topmost being 0.
    pub(in crate::rpc) fn word(&self, index: usize) -> Option<U256> {
        let index = self.stack.len().checked_sub(index + 1)?;
        self.stack.get(index).copied()
    }

    /// The same as an address.
    pub(in crate::rpc) fn address(&self, index: usize) -> Option<Address> {
        self.word(index).map(|word| Address::from_word(word.into()))
    }
}

/// The same instruction when its cost is known.
#[derive(Debug)]
pub(in crate::rpc) struct StepEnd<'a> {
    pub(in crate::rpc) cost: u64,
    /// Gas that will be given back, so far.
    pub(in crate::rpc) refund: u64,
    /// Why it did not even begin.
    pub(in crate::rpc) error: Option<&'a str>,
}

/// A call, a creation, or the end of a contract.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct Enter {
    /// The name of the instruction.
    pub(in crate::rpc) kind: &'static str,
    pub(in crate::rpc) from: Address,
    pub(in crate::rpc) to: Address,
    pub(in crate::rpc) input: Bytes,
    pub(in crate::rpc) gas: u64,
    pub(in crate::rpc) value: Option<U256>,
    pub(in crate::rpc) precompile: bool,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct Exit {
    pub(in crate::rpc) output: Bytes,
    pub(in crate::rpc) gas_used: u64,
    pub(in crate::rpc) error: Option<String>,
    /// Whether the error is a revert.
    pub(in crate::rpc) reverted: bool,
    /// From 0 on.
    pub(in crate::rpc) depth: usize,
}

/// Makes something of what it is told.
pub(in crate::rpc) trait Tracer {
    /// Whether it wants to know of every instruction.
    fn wants_steps(&self) -> bool {
        false
    }

    fn start(&mut self, start: &Start, state: &mut dyn StateView) -> Result<(), RpcError> {
        let _ = (start, state);
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>, state: &mut dyn StateView) -> Result<(), RpcError> {
        let _ = (step, state);
        Ok(())
    }

    fn step_end(&mut self, end: &StepEnd<'_>) {
        let _ = end;
    }

    fn enter(&mut self, enter: &Enter) {
        let _ = enter;
    }

    fn exit(&mut self, exit: &Exit) {
        let _ = exit;
    }

    /// `index` counts the logs of the block.
    fn log(&mut self, log: &Log, index: usize) {
        let _ = (log, index);
    }

    /// About how many bytes its answer has so far.
    fn size(&self) -> usize {
        0
    }

    /// The answer, when the transaction has run and the state is what it left.
    fn finish(self: Box<Self>, gas_used: u64, state: &mut dyn StateView)
    -> Result<Value, RpcError>;
}

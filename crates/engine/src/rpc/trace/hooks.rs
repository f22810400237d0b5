//! What the EVM says while it runs, told to tracers in op-geth's order and words.

use super::{
    fault::{self, Before, OPERANDS},
    precompile,
    state::{Live, StateView},
    tracer::{Enter, Exit, Start, Step, StepEnd, Tracer},
};
use doppio_rpc::RpcError;

use alloy_primitives::{Address, Bytes, Log, U256};
use core::time::Duration;
use revm::{
    Inspector,
    bytecode::opcode as op,
    context_interface::{
        Block, ContextTr, CreateScheme, JournalTr, Transaction, transaction::AccessListItemTr,
    },
    inspector::JournalExt,
    interpreter::{
        CallInputs, CallOutcome, CallScheme, CreateInputs, CreateOutcome, FrameInput,
        InstructionResult, Interpreter, InterpreterAction, InterpreterResult,
        interpreter_types::{InputsTr, Jumps, LegacyBytecode, LoopControl, MemoryTr, ReturnData},
    },
};
use serde_json::Value;
use std::time::Instant;

/// How long and how much may be traced.
#[derive(Clone, Copy, Debug)]
pub(in crate::rpc) struct Bounds {
    /// For one transaction.
    pub(in crate::rpc) time: Duration,
    /// For all answers of a call together.
    pub(in crate::rpc) bytes: usize,
}

/// Instructions between two looks at the clock.
const STEPS_PER_LOOK: u32 = 1 << 10;

/// A call that is running.
#[derive(Debug, Default)]
struct Frame {
    gas_limit: u64,
    /// What the calls around it will give back.
    refund_before: i64,
    /// That, with its own.
    refund: i64,
    /// Why an instruction of it failed, or the precompile that it calls.
    error: Option<String>,
}

/// An instruction that is running.
#[derive(Debug)]
struct Running {
    before: Before,
    /// The balance of a contract that ends, which goes to its heir.
    legacy: Option<U256>,
}

/// Listens to the EVM for the tracers of one transaction.
pub(in crate::rpc) struct Hooks {
    tracers: Vec<(String, Box<dyn Tracer>)>,
    /// Whether a tracer wants to know of every instruction.
    steps: bool,
    frames: Vec<Frame>,
    running: Option<Running>,
    /// Logs of the block before this transaction.
    logs_before: usize,
    deadline: Option<Instant>,
    bytes: usize,
    looks: u32,
    /// Why tracing was given up.
    stopped: Option<RpcError>,
}

impl Hooks {
    /// No tracers: for transactions that are not traced.
    pub(in crate::rpc) const fn idle() -> Self {
        Self {
            tracers: Vec::new(),
            steps: false,
            frames: Vec::new(),
            running: None,
            logs_before: 0,
            deadline: None,
            bytes: usize::MAX,
            looks: 0,
            stopped: None,
        }
    }

    pub(in crate::rpc) fn new(
        tracers: Vec<(String, Box<dyn Tracer>)>,
        logs_before: usize,
        bounds: Bounds,
    ) -> Self {
        Self {
            steps: tracers.iter().any(|(_, tracer)| tracer.wants_steps()),
            tracers,
            logs_before,
            deadline: Instant::now().checked_add(bounds.time),
            bytes: bounds.bytes,
            ..Self::idle()
        }
    }

    /// Begins the transaction.
    pub(in crate::rpc) fn start(
        &mut self,
        start: &Start,
        state: &mut dyn StateView,
    ) -> Result<(), RpcError> {
        for (_, tracer) in &mut self.tracers {
            tracer.start(start, state)?;
        }
        Ok(())
    }

    /// Why the tracers heard only a part, if so.
    pub(in crate::rpc) fn stopped(&mut self) -> Option<RpcError> {
        self.stopped.take()
    }

    /// About how many bytes the answers have.
    pub(in crate::rpc) fn size(&self) -> usize {
        self.tracers.iter().map(|(_, tracer)| tracer.size()).sum()
    }

    /// The answers, by the names of the tracers.
    pub(in crate::rpc) fn finish(
        self,
        gas_used: u64,
        state: &mut dyn StateView,
    ) -> Result<Vec<(String, Value)>, RpcError> {
        let tracers = self.tracers.into_iter();
        tracers
            .map(|(name, tracer)| Ok((name, tracer.finish(gas_used, state)?)))
            .collect()
    }

    /// Notes a failure, and gives up.
    fn check(&mut self, result: Result<(), RpcError>) {
        if let Err(error) = result {
            self.stopped.get_or_insert(error);
        }
    }

    /// Gives up if the answers are too long.
    fn check_size(&mut self) {
        if self.size() > self.bytes {
            let error = RpcError::failed(format!(
                "the trace is too long: more than {} bytes",
                self.bytes
            ));
            self.stopped.get_or_insert(error);
        }
    }

    fn check_time(&mut self) {
        self.looks = self.looks.wrapping_add(1);
        if self.looks.is_multiple_of(STEPS_PER_LOOK)
            && self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
        {
            self.stopped
                .get_or_insert_with(|| RpcError::failed("execution timeout"));
        }
    }

    fn enter(&mut self, enter: &Enter) {
        for (_, tracer) in &mut self.tracers {
            tracer.enter(enter);
        }
        self.check_size();
    }

    fn exit(&mut self, exit: &Exit) {
        for (_, tracer) in &mut self.tracers {
            tracer.exit(exit);
        }
        self.check_size();
    }

    fn begin_frame(&mut self, enter: &Enter) {
        let refund = self.frames.last().map_or(0, |frame| frame.refund);
        self.frames.push(Frame {
            gas_limit: enter.gas,
            refund_before: refund,
            refund,
            error: None,
        });
        self.enter(enter);
    }

    fn end_frame(&mut self, result: &InterpreterResult, creates: bool) {
        let frame = self.frames.pop().unwrap_or_default();
        let kind = result.result;
        // whoever fails for want of depth or funds has used nothing; other failures take all
        let gas_used = if kind.is_ok() || kind.is_revert() {
            frame.gas_limit.saturating_sub(result.gas.remaining())
        } else {
            frame.gas_limit
        };
        let reverted = kind == InstructionResult::Revert;
        let error = (!kind.is_ok()).then(|| match frame.error {
            Some(error) if !reverted => error,
            _ if creates && kind == InstructionResult::OutOfGas => {
                "contract creation code storage out of gas".to_owned()
            }
            _ if kind == InstructionResult::CreateContractSizeLimit => {
                let size = result.output.len();
                format!("max code size exceeded: code size {size} limit {MAX_CODE}")
            }
            _ => fault::words(kind).to_owned(),
        });
        let exit = Exit {
            output: result.output.clone(),
            gas_used,
            error,
            reverted,
            depth: self.frames.len(),
        };
        self.exit(&exit);
    }

    /// A contract that ends passes its balance on, which geth shows as a call.
    fn end_contract(&mut self, running: &Running) {
        let Some(balance) = running.legacy else {
            return;
        };
        let depth = self.frames.len();
        self.enter(&Enter {
            kind: "SELFDESTRUCT",
            from: running.before.address,
            to: Address::from_word(running.before.top[0].into()),
            input: Bytes::new(),
            gas: 0,
            value: Some(balance),
            precompile: false,
        });
        self.exit(&Exit {
            output: Bytes::new(),
            gas_used: 0,
            error: None,
            reverted: false,
            depth,
        });
    }
}

/// Largest code of a contract (EIP-170).
const MAX_CODE: usize = 24_576;

impl<C: ContextTr<Journal: JournalExt>> Inspector<C> for Hooks {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut C) {
        self.check_time();
        if self.stopped.is_some() {
            interpreter.halt(InstructionResult::OutOfGas);
            return;
        }
        // geth does not run code that is empty
        if interpreter.bytecode.bytecode_len() == 0 {
            return;
        }
        match self.prepare(interpreter, context) {
            Ok(running) => self.running = Some(running),
            Err(error) => self.check(Err(error)),
        }
    }

    fn step_end(&mut self, interpreter: &mut Interpreter, context: &mut C) {
        let Some(running) = self.running.take() else {
            return;
        };
        let refunded = interpreter.gas.refunded();
        let result = interpreter.bytecode.instruction_result();
        let failure = result.filter(|result| !result.is_ok_or_revert());
        let (cost, error, began) = match failure {
            None => {
                // what a creation gets is no part of its cost, other than with calls
                let given = match interpreter.bytecode.action() {
                    Some(InterpreterAction::NewFrame(FrameInput::Create(create))) => {
                        create.gas_limit()
                    }
                    _ => 0,
                };
                let left = interpreter.gas.remaining().saturating_add(given);
                (running.before.gas.saturating_sub(left), None, true)
            }
            Some(result) => {
                let flags = interpreter.runtime_flag;
                let (spec, is_static) = (flags.spec_id, flags.is_static);
                let state = &mut Live(context);
                match fault::fault(&running.before, result, spec, is_static, state) {
                    Ok(fault) => (fault.cost, Some(fault.error), fault.began),
                    Err(error) => return self.check(Err(error)),
                }
            }
        };
        let mut refund = 0;
        if let Some(frame) = self.frames.last_mut() {
            frame.refund = frame.refund_before + refunded;
            refund = u64::try_from(frame.refund).unwrap_or_default();
            frame.error.clone_from(&error);
        }
        if self.steps {
            let end = StepEnd {
                cost,
                refund,
                error: error.as_deref().filter(|_| !began),
            };
            for (_, tracer) in &mut self.tracers {
                tracer.step_end(&end);
            }
            self.check_size();
        }
        if result == Some(InstructionResult::SelfDestruct) {
            self.end_contract(&running);
        }
    }

    fn log(&mut self, context: &mut C, log: Log) {
        let before = context.journal_ref().logs().len().saturating_sub(1);
        let index = self.logs_before + before;
        for (_, tracer) in &mut self.tracers {
            tracer.log(&log, index);
        }
        self.check_size();
    }

    fn call(&mut self, context: &mut C, inputs: &mut CallInputs) -> Option<CallOutcome> {
        let (kind, from, to) = match inputs.scheme {
            CallScheme::Call => ("CALL", inputs.caller, inputs.target_address),
            CallScheme::StaticCall => ("STATICCALL", inputs.caller, inputs.target_address),
            CallScheme::CallCode => ("CALLCODE", inputs.target_address, inputs.bytecode_address),
            CallScheme::DelegateCall => (
                "DELEGATECALL",
                inputs.target_address,
                inputs.bytecode_address,
            ),
        };
        let value = inputs.scheme != CallScheme::StaticCall;
        let enter = Enter {
            kind,
            from,
            to,
            input: inputs.input.bytes(context),
            gas: inputs.gas_limit,
            value: value.then(|| inputs.call_value()),
            precompile: context.journal_ref().precompile_addresses().contains(&to),
        };
        self.begin_frame(&enter);
        None
    }

    fn call_end(&mut self, context: &mut C, inputs: &CallInputs, outcome: &mut CallOutcome) {
        if outcome.result.result == InstructionResult::PrecompileError
            && let Some(frame) = self.frames.last_mut()
        {
            let input = inputs.input.bytes(context);
            let error = precompile::error(inputs.bytecode_address, &input);
            frame.error = Some(error.to_owned());
        }
        self.end_frame(&outcome.result, false);
    }

    fn create(&mut self, context: &mut C, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        let from = inputs.caller();
        let nonce = match Live(context).account(from) {
            Ok(account) => account.nonce,
            Err(error) => {
                self.check(Err(error));
                0
            }
        };
        let enter = Enter {
            kind: match inputs.scheme() {
                CreateScheme::Create2 { .. } => "CREATE2",
                _ => "CREATE",
            },
            from,
            to: inputs.created_address(nonce),
            input: inputs.init_code().clone(),
            gas: inputs.gas_limit(),
            value: Some(inputs.value()),
            precompile: false,
        };
        self.begin_frame(&enter);
        None
    }

    fn create_end(&mut self, _: &mut C, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.end_frame(&outcome.result, true);
    }
}

impl Hooks {
    /// Tells of an instruction that is about to run.
    fn prepare<C: ContextTr<Journal: JournalExt>>(
        &mut self,
        interpreter: &Interpreter,
        context: &mut C,
    ) -> Result<Running, RpcError> {
        let op = interpreter.bytecode.opcode();
        let stack = interpreter.stack.data();
        let address = interpreter.input.target_address();
        let mut top = [U256::ZERO; OPERANDS];
        for (word, place) in stack.iter().rev().zip(&mut top) {
            *place = *word;
        }
        let mut before = Before {
            op,
            gas: interpreter.gas.remaining(),
            top,
            stack_len: stack.len(),
            memory_len: interpreter.memory.size(),
            address,
            cold: false,
            slot: Default::default(),
            makes_heir: false,
        };
        let account = |index: usize| Address::from_word(top[index].into());
        match op {
            op::SLOAD | op::SSTORE => {
                before.cold = is_cold_slot(context, address, top[0]);
                if op == op::SSTORE && !stack.is_empty() {
                    before.slot = slot(context, address, top[0])?;
                }
            }
            op::BALANCE
            | op::EXTCODECOPY
            | op::EXTCODEHASH
            | op::EXTCODESIZE
            | op::SELFDESTRUCT => before.cold = is_cold(context, account(0)),
            op::CALL | op::CALLCODE | op::DELEGATECALL | op::STATICCALL => {
                before.cold = is_cold(context, account(1));
            }
            _ => {}
        }
        let mut legacy = None;
        if op == op::SELFDESTRUCT {
            // the EVM passes the balance on before it looks whether that can be paid
            let balance = Live(context).account(address)?.balance;
            let heir = Live(context).account(account(0))?;
            before.makes_heir = heir.is_empty() && !balance.is_zero();
            legacy = Some(balance);
        }
        if self.steps {
            let memory = interpreter.memory.slice(0..before.memory_len);
            let step = Step {
                pc: interpreter.bytecode.pc(),
                op,
                gas: before.gas,
                stack,
                memory: &memory,
                return_data: interpreter.return_data.buffer(),
                depth: self.frames.len(),
                address,
            };
            for (_, tracer) in &mut self.tracers {
                tracer.step(&step, &mut Live(context))?;
            }
        }
        Ok(Running { before, legacy })
    }
}

/// Whether the transaction has not come to an account yet.
fn is_cold<C: ContextTr<Journal: JournalExt>>(context: &C, address: Address) -> bool {
    let journal = context.journal_ref();
    !(journal.evm_state().contains_key(&address)
        || journal.precompile_addresses().contains(&address)
        || context.block().beneficiary() == address
        || listed(context, address, None))
}

/// The same of a slot.
fn is_cold_slot<C: ContextTr<Journal: JournalExt>>(context: &C, at: Address, slot: U256) -> bool {
    let account = context.journal_ref().evm_state().get(&at);
    !(account.is_some_and(|account| account.storage.contains_key(&slot))
        || listed(context, at, Some(slot)))
}

/// Whether the transaction's own access list names an account or a slot of it.
fn listed<C: ContextTr>(context: &C, address: Address, slot: Option<U256>) -> bool {
    let list = context.tx().access_list();
    list.into_iter().flatten().any(|item| {
        let named = |slot: U256| {
            item.storage_slots()
                .any(|named| U256::from_be_bytes(named.0) == slot)
        };
        *item.address() == address && slot.is_none_or(named)
    })
}

/// A slot's value at the beginning of the transaction, and now.
fn slot<C: ContextTr<Journal: JournalExt>>(
    context: &mut C,
    at: Address,
    slot: U256,
) -> Result<(U256, U256), RpcError> {
    let account = context.journal_ref().evm_state().get(&at);
    if let Some(loaded) = account.and_then(|account| account.storage.get(&slot)) {
        return Ok((loaded.original_value, loaded.present_value));
    }
    let value = Live(context).slot(at, slot)?;
    Ok((value, value))
}

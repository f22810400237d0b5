//! The tracer without a name: every instruction, one entry each.

use super::{
    fault,
    state::StateView,
    tracer::{Exit, Step, StepEnd, Tracer},
};
use doppio_rpc::RpcError;

use alloy_primitives::{Address, B256, Bytes, U256, hex, map::HashMap};
use revm::bytecode::opcode::{SLOAD, SSTORE};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, io};

/// What the entries hold.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Options {
    enable_memory: bool,
    disable_stack: bool,
    disable_storage: bool,
    enable_return_data: bool,
    /// Bytes of entries after which there are no more; 0 for all.
    limit: i64,
}

#[derive(Debug, Default)]
pub(super) struct StructLogs {
    options: Options,
    logs: Vec<Value>,
    /// Bytes of the entries.
    size: usize,
    /// The entry of the instruction that is running.
    open: Option<Map<String, Value>>,
    /// Storage that was read or written, by contract.
    storage: HashMap<Address, BTreeMap<B256, B256>>,
    output: Bytes,
    failed: bool,
}

impl StructLogs {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    fn is_full(&self) -> bool {
        let size = i64::try_from(self.size).unwrap_or(i64::MAX);
        self.options.limit != 0 && size > self.options.limit
    }

    /// What is known of a contract's storage, with the slot that an instruction reads or writes.
    fn storage(
        &mut self,
        step: &Step<'_>,
        state: &mut dyn StateView,
    ) -> Result<Option<Value>, RpcError> {
        let (Some(slot), true) = (step.word(0), matches!(step.op, SLOAD | SSTORE)) else {
            return Ok(None);
        };
        let value = match step.op {
            SLOAD => Some(state.slot(step.address, slot)?),
            _ => step.word(1),
        };
        let Some(value) = value else { return Ok(None) };
        let known = self.storage.entry(step.address).or_default();
        known.insert(slot.into(), value.into());
        let pairs = known.iter();
        let pairs = pairs.map(|(slot, value)| (hex::encode(slot), json!(hex::encode(value))));
        Ok(Some(Value::Object(pairs.collect())))
    }
}

impl Tracer for StructLogs {
    fn wants_steps(&self) -> bool {
        true
    }

    fn step(&mut self, step: &Step<'_>, state: &mut dyn StateView) -> Result<(), RpcError> {
        if self.is_full() {
            return Ok(());
        }
        let mut log = Map::new();
        let mut set = |name: &str, value: Value| log.insert(name.to_owned(), value);
        set("pc", json!(step.pc));
        set("op", json!(fault::name(step.op)));
        set("gas", json!(step.gas));
        set("depth", json!(step.depth));
        if !self.options.disable_stack {
            let words = step.stack.iter().map(|word: &U256| json!(word));
            set("stack", words.collect());
        }
        if self.options.enable_return_data && !step.return_data.is_empty() {
            set("returnData", json!(step.return_data));
        }
        if self.options.enable_memory && !step.memory.is_empty() {
            let words = step.memory.chunks(32).map(|word| json!(hex::encode(word)));
            set("memory", words.collect());
        }
        if !self.options.disable_storage
            && let Some(storage) = self.storage(step, state)?
        {
            log.insert("storage".to_owned(), storage);
        }
        self.open = Some(log);
        Ok(())
    }

    fn step_end(&mut self, end: &StepEnd<'_>) {
        let Some(mut log) = self.open.take() else {
            return;
        };
        log.insert("gasCost".to_owned(), json!(end.cost));
        if let Some(error) = end.error {
            log.insert("error".to_owned(), json!(error));
        }
        if end.refund > 0 {
            log.insert("refund".to_owned(), json!(end.refund));
        }
        let log = Value::Object(log);
        self.size += length(&log);
        self.logs.push(log);
    }

    fn exit(&mut self, exit: &Exit) {
        if exit.depth == 0 {
            self.failed = exit.error.is_some();
            if !self.failed || exit.reverted {
                self.output = exit.output.clone();
            }
        }
    }

    fn size(&self) -> usize {
        self.size
    }

    fn finish(self: Box<Self>, gas_used: u64, _: &mut dyn StateView) -> Result<Value, RpcError> {
        Ok(json!({
            "gas": gas_used,
            "failed": self.failed,
            "returnValue": self.output,
            "structLogs": self.logs,
        }))
    }
}

/// Bytes of a value as JSON.
fn length(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // a counter never fails, and every value can be written
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

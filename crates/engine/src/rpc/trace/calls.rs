//! `callTracer`: the tree of calls. `4byteTracer`: which functions are called.

use super::{
    state::StateView,
    tracer::{Enter, Exit, Start, Tracer},
};
use crate::rpc::call::reason;
use alloy_primitives::{Address, Bytes, Log, hex};
use doppio_rpc::{RpcError, quantity};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What the tree holds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Options {
    only_top_call: bool,
    with_log: bool,
}

#[derive(Debug)]
struct Frame {
    enter: Enter,
    gas_used: u64,
    output: Bytes,
    error: Option<String>,
    revert_reason: Option<String>,
    calls: Vec<Self>,
    logs: Vec<Value>,
}

/// About how many bytes a call or a log takes beside its data.
const FRAME_SIZE: usize = 300;

#[derive(Debug, Default)]
pub(super) struct Calls {
    options: Options,
    gas_limit: u64,
    /// The calls that are running, the outermost first. When all is over, the outermost is left.
    stack: Vec<Frame>,
    /// How many calls are running, those included that are not kept.
    depth: usize,
    size: usize,
}

impl Calls {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }
}

impl Frame {
    fn end(&mut self, exit: &Exit) {
        self.error.clone_from(&exit.error);
        if exit.error.is_none() || exit.reverted {
            self.output = exit.output.clone();
        }
        if exit.reverted {
            self.revert_reason = reason(&exit.output);
        }
    }

    /// Logs of a call that failed never were.
    fn clear_failed_logs(&mut self, failed: bool) {
        let failed = failed || self.error.is_some();
        if failed {
            self.logs.clear();
        }
        for call in &mut self.calls {
            call.clear_failed_logs(failed);
        }
    }

    fn json(self) -> Value {
        let mut json = Map::new();
        let mut set = |name: &str, value: Value| json.insert(name.to_owned(), value);
        let created = matches!(self.enter.kind, "CREATE" | "CREATE2");
        set("type", json!(self.enter.kind));
        set("from", json!(self.enter.from));
        set("gas", quantity(self.enter.gas));
        set("gasUsed", quantity(self.gas_used));
        if !(created && self.error.is_some()) {
            set("to", json!(self.enter.to));
        }
        set("input", json!(self.enter.input));
        if !self.output.is_empty() {
            set("output", json!(self.output));
        }
        if let Some(value) = self.enter.value {
            set("value", quantity(value));
        }
        if let Some(error) = self.error {
            set("error", json!(error));
        }
        if let Some(reason) = self.revert_reason
            && !reason.is_empty()
        {
            set("revertReason", json!(reason));
        }
        if !self.logs.is_empty() {
            set("logs", json!(self.logs));
        }
        if !self.calls.is_empty() {
            set("calls", self.calls.into_iter().map(Self::json).collect());
        }
        Value::Object(json)
    }
}

impl Tracer for Calls {
    fn start(&mut self, start: &Start, _: &mut dyn StateView) -> Result<(), RpcError> {
        self.gas_limit = start.gas_limit;
        Ok(())
    }

    fn enter(&mut self, enter: &Enter) {
        self.depth += 1;
        if self.options.only_top_call && self.depth > 1 {
            return;
        }
        let mut enter = enter.clone();
        if self.depth == 1 {
            enter.gas = self.gas_limit;
        }
        self.size += FRAME_SIZE + 2 * enter.input.len();
        self.stack.push(Frame {
            enter,
            gas_used: 0,
            output: Bytes::new(),
            error: None,
            revert_reason: None,
            calls: Vec::new(),
            logs: Vec::new(),
        });
    }

    fn exit(&mut self, exit: &Exit) {
        self.depth = self.depth.saturating_sub(1);
        if self.options.only_top_call && self.depth > 0 {
            return;
        }
        self.size += 2 * exit.output.len();
        let Some(mut frame) = self.stack.pop() else {
            return;
        };
        frame.gas_used = exit.gas_used;
        frame.end(exit);
        match self.stack.last_mut() {
            Some(caller) => caller.calls.push(frame),
            None => self.stack.push(frame),
        }
    }

    fn log(&mut self, log: &Log, index: usize) {
        if !self.options.with_log || (self.options.only_top_call && self.depth > 1) {
            return;
        }
        if let Some(frame) = self.stack.last_mut() {
            self.size += FRAME_SIZE + 2 * log.data.data.len();
            frame.logs.push(json!({
                "address": log.address,
                "topics": log.topics(),
                "data": log.data.data,
                "index": quantity(index),
                "position": quantity(frame.calls.len()),
            }));
        }
    }

    fn size(&self) -> usize {
        self.size
    }

    fn finish(
        mut self: Box<Self>,
        gas_used: u64,
        _: &mut dyn StateView,
    ) -> Result<Value, RpcError> {
        let Some(mut frame) = self.stack.pop() else {
            // a deposit that could not begin
            return Ok(json!({
                "type": "STOP",
                "from": Address::ZERO,
                "gas": "0x0",
                "gasUsed": quantity(gas_used),
                "input": "0x",
                "error": "failed deposit transaction",
            }));
        };
        frame.gas_used = gas_used;
        frame.clear_failed_logs(false);
        Ok(frame.json())
    }
}

/// `4byteTracer`: selectors, each with the length of its arguments, and how often they are called.
#[derive(Debug, Default)]
pub(super) struct Selectors(BTreeMap<String, u64>);

impl Tracer for Selectors {
    fn enter(&mut self, enter: &Enter) {
        let called = matches!(
            enter.kind,
            "CALL" | "CALLCODE" | "DELEGATECALL" | "STATICCALL"
        );
        if let Some((selector, arguments)) = enter.input.split_first_chunk::<4>()
            && called
            && !enter.precompile
        {
            let name = format!("{}-{}", hex::encode_prefixed(selector), arguments.len());
            *self.0.entry(name).or_default() += 1;
        }
    }

    fn size(&self) -> usize {
        self.0.len() * 32
    }

    fn finish(self: Box<Self>, _: u64, _: &mut dyn StateView) -> Result<Value, RpcError> {
        Ok(json!(self.0))
    }
}

/// `noopTracer`: nothing.
#[derive(Debug)]
pub(super) struct Nothing;

impl Tracer for Nothing {
    fn finish(self: Box<Self>, _: u64, _: &mut dyn StateView) -> Result<Value, RpcError> {
        Ok(json!({}))
    }
}

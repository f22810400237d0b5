//! Calls of the execution engine, measured.

use crate::meters::{self, Callee};
use core::fmt;
use doppio_rpc::{CallError, Caller, Calling};
use serde_json::Value;
use std::{sync::Arc, time::Instant};

/// An execution engine, with metrics of each call.
pub struct MeteredEngine(pub Arc<dyn Caller>);

impl fmt::Debug for MeteredEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Caller for MeteredEngine {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn call<'a>(&'a self, method: &'a str, params: Vec<Value>) -> Calling<'a> {
        let label = || method.to_owned().into();
        Box::pin(async move {
            meters::call_begins(Callee::Engine, label());
            let begin = Instant::now();
            let answer = self.0.call(method, params).await;
            meters::call_ends(Callee::Engine, label(), begin.elapsed());
            match &answer {
                Ok(_) => meters::call_answered(Callee::Engine, label(), None),
                Err(CallError::Rpc { error, .. }) => {
                    meters::call_answered(Callee::Engine, label(), Some(error.code));
                }
                Err(CallError::NoAnswer { .. }) => {}
            }
            answer
        })
    }
}

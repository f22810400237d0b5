//! An endpoint whose answers a test writes down.

use doppio_rpc::{CallError, Caller, Calling, RpcError};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// Knows what it answers to a method; everything else it does not have.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    answers: Mutex<HashMap<String, Value>>,
    asked: Mutex<Vec<String>>,
}

impl Endpoint {
    pub(crate) fn new(answers: impl IntoIterator<Item = (&'static str, Value)>) -> Arc<Self> {
        let endpoint = Self::default();
        for (method, answer) in answers {
            endpoint.answer(method, answer);
        }
        Arc::new(endpoint)
    }

    /// From now on.
    pub(crate) fn answer(&self, method: &str, answer: Value) {
        let mut answers = self.answers.lock().unwrap();
        answers.insert(method.to_owned(), answer);
    }

    /// The methods that were called, in order; then none.
    pub(crate) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Caller for Endpoint {
    fn name(&self) -> &str {
        "endpoint"
    }

    fn call<'a>(&'a self, method: &'a str, _params: Vec<Value>) -> Calling<'a> {
        self.asked.lock().unwrap().push(method.to_owned());
        let answer = self.answers.lock().unwrap().get(method).cloned();
        Box::pin(async move {
            answer.ok_or_else(|| CallError::Rpc {
                server: "endpoint".to_owned(),
                method: method.to_owned(),
                error: RpcError::method_not_found(method),
            })
        })
    }
}

//! Calls, wherever they are answered: by a server, or within this process.

use crate::{
    client::{CallError, Client},
    error::RpcError,
    method_set::MethodSet,
};
use core::{
    fmt::{self, Debug},
    future::Future,
    pin::Pin,
};
use serde_json::Value;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Becomes a call's result.
pub type Calling<'a> = Pin<Box<dyn Future<Output = Result<Value, CallError>> + Send + 'a>>;

/// Somebody who answers calls.
pub trait Caller: Debug + Send + Sync {
    /// Who answers: what may be shown to an operator.
    fn name(&self) -> &str;

    /// Makes a call.
    fn call<'a>(&'a self, method: &'a str, params: Vec<Value>) -> Calling<'a>;
}

impl Caller for Client {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn call<'a>(&'a self, method: &'a str, params: Vec<Value>) -> Calling<'a> {
        Box::pin(Self::call(self, method, params))
    }
}

/// Methods of this process, called without a socket between.
pub struct InProcess {
    name: &'static str,
    sets: Vec<Arc<dyn MethodSet>>,
}

impl Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl InProcess {
    /// Some sets of methods, of which the first that has a method answers.
    pub const fn new(name: &'static str, sets: Vec<Arc<dyn MethodSet>>) -> Self {
        Self { name, sets }
    }
}

impl Caller for InProcess {
    fn name(&self) -> &str {
        self.name
    }

    fn call<'a>(&'a self, method: &'a str, params: Vec<Value>) -> Calling<'a> {
        let failed = |error| CallError::Rpc {
            server: self.name.to_owned(),
            method: method.to_owned(),
            error,
        };
        let set = self.sets.iter().find_map(|set| {
            let name = set.names().into_iter().find(|name| *name == method)?;
            Some((name, Arc::clone(set)))
        });
        Box::pin(async move {
            let Some((name, set)) = set else {
                return Err(failed(RpcError::method_not_found(method)));
            };
            let answer = spawn_blocking(move || set.call(name, params)).await;
            match answer {
                Ok(answer) => answer.map_err(failed),
                Err(error) => Err(CallError::NoAnswer {
                    server: self.name.to_owned(),
                    method: method.to_owned(),
                    reason: error.to_string(),
                }),
            }
        })
    }
}

//! What a server can be asked.

use crate::error::RpcError;
use core::{fmt::Debug, future::Future, pin::Pin};
use serde_json::Value;

/// Methods that a server offers.
pub trait MethodSet: Send + Sync + 'static {
    /// The names of all methods.
    fn names(&self) -> Vec<&'static str>;

    /// Calls one of them with positional arguments. May take long: not for a thread that others
    /// wait for.
    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError>;

    /// Whether it has `eth_subscribe`.
    fn subscribes(&self) -> bool {
        false
    }

    /// Begins to follow what the arguments of `eth_subscribe` name.
    fn subscribe(&self, _params: Vec<Value>) -> Result<Box<dyn Subscription>, RpcError> {
        Err(RpcError::method_not_found("eth_subscribe"))
    }
}

/// Becomes whether there may be something new; false if there never will be.
pub type Changed<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// A client's subscription: what is new, whenever something is.
pub trait Subscription: Debug + Send {
    /// Waits until there may be something new.
    fn changed(&mut self) -> Changed<'_>;

    /// What is new since the last time. May take long: not for a thread that others wait for.
    fn next(&mut self) -> Result<Vec<Value>, RpcError>;
}

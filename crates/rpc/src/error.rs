//! JSON-RPC errors.

use serde_json::Value;
use thiserror::Error;

/// A call's failure, as JSON-RPC writes it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message} ({code})")]
pub struct RpcError {
    /// What kind of failure: see [`code`].
    pub code: i64,
    /// What went wrong.
    pub message: String,
    /// More of it, for programs.
    pub data: Option<Value>,
}

/// Codes of JSON-RPC, and those that geth adds.
pub mod code {
    /// No such method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The arguments.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The server's own failure.
    pub const INTERNAL: i64 = -32603;
    /// Anything that has no code of its own.
    pub const FAILED: i64 = -32000;
    /// A call that the EVM reverted.
    pub const REVERTED: i64 = 3;
}

impl RpcError {
    /// An error without further data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The arguments are not what the method takes.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(code::INVALID_PARAMS, message)
    }

    /// The call cannot be answered.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(code::FAILED, message)
    }

    /// The server failed.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(code::INTERNAL, message)
    }

    /// There is no such method.
    pub fn method_not_found(method: &str) -> Self {
        Self::new(
            code::METHOD_NOT_FOUND,
            format!("the method {method} does not exist/is not available"),
        )
    }
}

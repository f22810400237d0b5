//! JSON-RPC errors.

use crate::{state::StateError, store::StoreError, trie::TrieError};
use serde_json::Value;
use thiserror::Error;

/// A call's failure, as JSON-RPC writes it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message} ({code})")]
pub struct RpcError {
    /// What kind of failure.
    pub code: i64,
    /// What went wrong.
    pub message: String,
    /// More of it, for programs.
    pub data: Option<Value>,
}

/// Codes of JSON-RPC, and those that geth adds.
pub(crate) mod code {
    /// No such method.
    pub(crate) const METHOD_NOT_FOUND: i64 = -32601;
    /// The arguments.
    pub(crate) const INVALID_PARAMS: i64 = -32602;
    /// The server's own failure.
    pub(crate) const INTERNAL: i64 = -32603;
    /// Anything that has no code of its own.
    pub(crate) const FAILED: i64 = -32000;
    /// A call that the EVM reverted.
    pub(crate) const REVERTED: i64 = 3;
}

impl RpcError {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(code::INVALID_PARAMS, message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(code::FAILED, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(code::INTERNAL, message)
    }

    pub(crate) fn method_not_found(method: &str) -> Self {
        Self::new(
            code::METHOD_NOT_FOUND,
            format!("the method {method} does not exist/is not available"),
        )
    }
}

macro_rules! internal_errors {
    ($($error:ty),*) => {
        $(impl From<$error> for RpcError {
            fn from(error: $error) -> Self {
                Self::internal(error.to_string())
            }
        })*
    };
}

internal_errors!(StateError, StoreError, TrieError);

//! The arguments of a call, and how geth writes numbers.

use crate::error::RpcError;
use alloy_primitives::U256;
use core::fmt::LowerHex;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::VecDeque;

/// The positional arguments of a call, taken from the left.
#[derive(Debug)]
pub struct Params {
    left: VecDeque<Value>,
    taken: usize,
}

impl Params {
    /// At most `most` arguments.
    pub fn new(values: Vec<Value>, most: usize) -> Result<Self, RpcError> {
        if values.len() > most {
            return Err(RpcError::invalid_params(format!(
                "too many arguments, want at most {most}"
            )));
        }
        Ok(Self {
            left: values.into(),
            taken: 0,
        })
    }

    /// The next argument, which stays.
    pub fn peek(&self) -> Option<&Value> {
        self.left.front()
    }

    /// The next argument.
    pub fn required<T: DeserializeOwned>(&mut self) -> Result<T, RpcError> {
        let index = self.taken;
        self.optional()?.ok_or_else(|| {
            RpcError::invalid_params(format!("missing value for required argument {index}"))
        })
    }

    /// The next argument, which may be left out or null.
    pub fn optional<T: DeserializeOwned>(&mut self) -> Result<Option<T>, RpcError> {
        let index = self.taken;
        self.taken += 1;
        match self.left.pop_front() {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value).map(Some).map_err(|error| {
                RpcError::invalid_params(format!("invalid argument {index}: {error}"))
            }),
        }
    }
}

/// A number in hexadecimal without leading zeros, as Ethereum's JSON-RPC has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Quantity(pub U256);

/// The same, of at most 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Quantity64(pub u64);

impl TryFrom<String> for Quantity {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let digits = text
            .strip_prefix("0x")
            .or_else(|| text.strip_prefix("0X"))
            .ok_or("hex string without 0x prefix")?;
        if digits.is_empty() {
            return Err("hex string \"0x\"");
        }
        if digits.len() > 1 && digits.starts_with('0') {
            return Err("hex number with leading zero digits");
        }
        if digits.len() > 64 {
            return Err("hex number > 256 bits");
        }
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err("invalid hex string");
        }
        U256::from_str_radix(digits, 16)
            .map(Self)
            .map_err(|_| "invalid hex string")
    }
}

impl TryFrom<String> for Quantity64 {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let Quantity(value) = text.try_into()?;
        u64::try_from(value)
            .map(Self)
            .map_err(|_| "hex number > 64 bits")
    }
}

/// A number as geth prints it.
pub fn quantity(value: impl LowerHex) -> Value {
    Value::String(format!("{value:#x}"))
}

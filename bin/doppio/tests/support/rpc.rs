//! JSON-RPC over HTTP, as little of it as a test needs.

use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rpc {
    pub(crate) port: u16,
}

impl Rpc {
    pub(crate) fn url(self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A call; the error is the server's or the connection's.
    pub(crate) fn try_call(self, method: &str, params: Value) -> Result<Value, String> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self
            .post(&body.to_string())
            .map_err(|error| format!("{method}: {error}"))?;
        let mut answer: Value =
            serde_json::from_str(&answer).map_err(|error| format!("{method}: {error}"))?;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(format!("{method}: {}", answer["error"])),
        }
    }

    /// A call that must not fail.
    pub(crate) fn call(self, method: &str, params: Value) -> Value {
        self.try_call(method, params)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn post(self, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // 1.0: the answer comes in one piece and ends with the connection
        let head = format!(
            "POST / HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
        Ok(body.unwrap_or_default().to_owned())
    }
}

/// A quantity, in any JSON form that a server gives it.
pub(crate) fn number(value: &Value) -> u64 {
    match value {
        Value::String(text) => u64::from_str_radix(text.trim_start_matches("0x"), 16)
            .unwrap_or_else(|_| {
                panic!("{text} is no quantity");
            }),
        other => other
            .as_u64()
            .unwrap_or_else(|| panic!("{other} is no quantity")),
    }
}

/// A quantity as the servers want it.
pub(crate) fn quantity(value: u64) -> String {
    format!("{value:#x}")
}

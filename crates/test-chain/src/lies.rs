//! What a liar may change in an answer, and what of it must be noticed.

use serde_json::{Value, json};

/// Fields that no hash covers. Nobody reads them.
const NOT_READ: [&str; 17] = [
    "blobGasPrice",
    "blobGasUsed",
    "blockHash",
    "blockNumber",
    "blockTimestamp",
    "contractAddress",
    "effectiveGasPrice",
    "from",
    "gasUsed",
    "gasPrice",
    "logIndex",
    "removed",
    "size",
    "to",
    "totalDifficulty",
    "transactionHash",
    "transactionIndex",
];
/// Those of them that a hash covers all the same where they are a header's or a transaction's.
const READ_ELSEWHERE: [&str; 3] = ["blobGasUsed", "gasUsed", "to"];

/// Pointers to everything below a value.
pub fn all_nodes(value: &Value) -> Vec<String> {
    let mut nodes = Vec::new();
    let mut open = vec![(String::new(), value)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    open.push((format!("{pointer}/{name}"), value));
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    open.push((format!("{pointer}/{index}"), value));
                }
            }
            _ => {}
        }
        if !pointer.is_empty() {
            nodes.push(pointer);
        }
    }
    nodes
}

/// Another value of the same form, if there is one.
pub fn changed(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => {
            let mut text = text.clone();
            let last = text.pop()?;
            // "0x" alone becomes a byte
            text += match last {
                'x' => "x01",
                '0' => "1",
                _ => "0",
            };
            Some(json!(text))
        }
        Value::Bool(value) => Some(json!(!value)),
        Value::Number(_) => Some(json!(77)),
        _ => None,
    }
}

/// The value with one of its nodes altered, in several ways.
pub fn alterations(value: &Value, pointer: &str) -> Vec<Value> {
    let mut altered = Vec::new();
    let mut with = |change: &dyn Fn(&mut Value)| {
        let mut copy = value.clone();
        change(copy.pointer_mut(pointer).unwrap());
        altered.push(copy);
    };
    let node = value.pointer(pointer).unwrap();
    with(&|node| *node = Value::Null);
    with(&|node| *node = json!("0x"));
    with(&|node| *node = json!([]));
    if let Some(other) = changed(node) {
        with(&|node| *node = other.clone());
    }
    if let Value::Array(items) = node
        && let Some(last) = items.last()
    {
        with(&|node| node.as_array_mut().unwrap().push(last.clone()));
        with(&|node| drop(node.as_array_mut().unwrap().pop()));
        with(&|node| node.as_array_mut().unwrap().reverse());
    }
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let mut copy = value.clone();
    if let Some(Value::Object(fields)) = copy.pointer_mut(parent) {
        fields.remove(name);
        altered.push(copy);
    }
    altered
}

/// Whether changing a node of `{"block", "receipts"}` must be noticed.
pub fn is_read(entry: &Value, pointer: &str) -> bool {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let says_parity_twice = name == "v" && entry.pointer(parent).unwrap().get("yParity").is_some();
    if pointer.starts_with("/block/uncles") || says_parity_twice {
        return false;
    }
    // The price that was paid is a transaction's own only if it names no other.
    if name == "gasPrice" {
        return entry.pointer(parent).unwrap().get("maxFeePerGas").is_none();
    }
    let is_receipt = pointer.starts_with("/receipts");
    !NOT_READ.contains(&name) || (!is_receipt && READ_ELSEWHERE.contains(&name))
}

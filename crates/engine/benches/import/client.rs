//! The client of the Engine API: the same for every engine, with the same bytes.

use crate::{
    Failure,
    chain::{Block, Chain},
};
use alloy_primitives::{B256, Bytes, U64, U256};
use doppio_rpc::JwtSecret;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The secret that all engines are given.
pub(crate) const SECRET: &str = "0d0bb100d0bb100d0bb100d0bb100d0bb100d0bb100d0bb100d0bb100d0bb100";

/// The calls that import a block, ready to be sent.
pub(crate) struct Calls {
    new_payload: String,
    fork_choice: String,
    hash: B256,
    counts: bool,
}

/// What an import over HTTP took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) new_payload: Duration,
    pub(crate) fork_choice: Duration,
}

impl Times {
    pub(crate) fn whole(self) -> Duration {
        self.new_payload + self.fork_choice
    }
}

fn call(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

/// The calls that import a chain.
pub(crate) fn calls(chain: &Chain) -> Vec<Calls> {
    chain
        .blocks
        .iter()
        .enumerate()
        .map(|(index, block)| {
            let (version, params) = new_payload(block);
            let choice = json!({
                "headBlockHash": block.hash,
                "safeBlockHash": B256::ZERO,
                "finalizedBlockHash": B256::ZERO,
            });
            Calls {
                new_payload: call(&format!("engine_newPayloadV{version}"), &params),
                fork_choice: call("engine_forkchoiceUpdatedV3", &json!([choice, null])),
                hash: block.hash,
                counts: index >= chain.unmeasured,
            }
        })
        .collect()
}

/// Version and parameters of `newPayload` for a block.
fn new_payload(block: &Block) -> (u8, Value) {
    let header = &block.header;
    let mut payload = json!({
        "parentHash": header.parent_hash,
        "feeRecipient": header.beneficiary,
        "stateRoot": header.state_root,
        "receiptsRoot": header.receipts_root,
        "logsBloom": header.logs_bloom,
        "prevRandao": header.mix_hash,
        "blockNumber": U64::from(header.number),
        "gasLimit": U64::from(header.gas_limit),
        "gasUsed": U64::from(header.gas_used),
        "timestamp": U64::from(header.timestamp),
        "extraData": header.extra_data,
        "baseFeePerGas": U256::from(header.base_fee_per_gas.unwrap_or_default()),
        "blockHash": block.hash,
        "transactions": block.transactions,
    });
    if header.withdrawals_root.is_some() {
        payload["withdrawals"] = json!([]);
    }
    if let (Some(used), Some(excess)) = (header.blob_gas_used, header.excess_blob_gas) {
        payload["blobGasUsed"] = json!(U64::from(used));
        payload["excessBlobGas"] = json!(U64::from(excess));
    }
    let beacon = header.parent_beacon_block_root;
    if header.requests_hash.is_some() {
        payload["withdrawalsRoot"] = json!(header.withdrawals_root);
        (4, json!([payload, [], beacon, Vec::<Bytes>::new()]))
    } else if beacon.is_some() {
        (3, json!([payload, [], beacon]))
    } else {
        (2, json!([payload]))
    }
}

/// Asks the engine on a port.
pub(crate) fn ask(port: u16, body: &str) -> Result<Value, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let token = JwtSecret::parse(SECRET)?.token(now);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    // a connection for each call, closed by the server: the answer ends where it ends
    let head = format!(
        "POST / HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, json) = answer
        .split_once("\r\n\r\n")
        .ok_or("an answer without a body")?;
    Ok(serde_json::from_str(json)?)
}

/// Hash of the newest block.
pub(crate) fn head(port: u16) -> Result<String, Failure> {
    let answer = ask(
        port,
        &call("eth_getBlockByNumber", &json!(["latest", false])),
    )?;
    let hash = answer["result"]["hash"].as_str();
    Ok(hash.ok_or_else(|| format!("no head: {answer}"))?.to_owned())
}

/// Imports a chain; every block must be valid, and the last one the head.
pub(crate) fn import(port: u16, calls: &[Calls]) -> Result<Times, Failure> {
    let mut times = Times::default();
    for block in calls {
        let start = Instant::now();
        let answer = ask(port, &block.new_payload)?;
        let middle = Instant::now();
        if answer["result"]["status"] != "VALID" {
            return Err(format!("newPayload of {}: {answer}", block.hash).into());
        }
        let begin = Instant::now();
        let answer = ask(port, &block.fork_choice)?;
        let end = Instant::now();
        if answer["result"]["payloadStatus"]["status"] != "VALID" {
            return Err(format!("forkchoiceUpdated to {}: {answer}", block.hash).into());
        }
        if block.counts {
            times.new_payload += middle - start;
            times.fork_choice += end - begin;
        }
    }
    let expected = calls.last().map(|block| block.hash.to_string());
    let found = head(port)?;
    if expected.as_deref() != Some(&found) {
        return Err(format!("the head is {found}").into());
    }
    Ok(times)
}

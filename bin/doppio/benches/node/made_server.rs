//! Serves a made chain as an L1 and its beacon node.

use crate::made::{Made, SLOT};
use alloy_primitives::B256;
use doppio_test_chain::Message;
use serde_json::Value;
use std::{
    collections::HashMap,
    io::BufReader,
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// A server.
pub(crate) struct MadeServer {
    pub(crate) url: String,
    pub(crate) made: Arc<Made>,
    by_hash: HashMap<B256, usize>,
    delay: Duration,
    /// JSON-RPC requests that are batches, which are those for blocks; others; those to the beacon node.
    pub(crate) block_requests: AtomicU64,
    pub(crate) other_requests: AtomicU64,
    pub(crate) beacon_requests: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

impl MadeServer {
    /// Serves a chain; each answer takes this long.
    pub(crate) fn start(made: Arc<Made>, delay: Duration) -> std::io::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let hashes = made.blocks.iter().map(|block| block.hash);
        let server = Arc::new(Self {
            url: format!("http://{}", listener.local_addr()?),
            by_hash: hashes.zip(0..).collect(),
            made,
            delay,
            block_requests: AtomicU64::new(0),
            other_requests: AtomicU64::new(0),
            beacon_requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        });
        let served = Arc::clone(&server);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&served);
                // whoever hangs up is done with
                thread::spawn(move || server.serve(stream));
            }
        });
        Ok(server)
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut writer = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let request = Message::read(&mut reader)?;
            thread::sleep(self.delay);
            let answer = if request.is_get() {
                self.beacon_requests.fetch_add(1, Ordering::SeqCst);
                self.beacon(request.path())
            } else {
                let request: Value = serde_json::from_slice(&request.body).ok()?;
                let counter = if request.is_array() {
                    &self.block_requests
                } else {
                    &self.other_requests
                };
                counter.fetch_add(1, Ordering::SeqCst);
                Some(self.rpc(&request))
            };
            let (status, answer) = answer.map_or((404, String::new()), |answer| (200, answer));
            self.bytes.fetch_add(answer.len() as u64, Ordering::SeqCst);
            Message::response(status, answer.into_bytes()).write(&mut writer, &[])?;
        }
    }

    fn rpc(&self, request: &Value) -> String {
        let one = |call: &Value| {
            let id = &call["id"];
            match self.call(call) {
                Some(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
                None => format!(
                    r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no such method"}}}}"#
                ),
            }
        };
        match request {
            Value::Array(calls) => {
                let answers: Vec<String> = calls.iter().map(one).collect();
                format!("[{}]", answers.join(","))
            }
            call => one(call),
        }
    }

    fn call(&self, call: &Value) -> Option<String> {
        let head = self.made.blocks.len() - 1;
        let params = &call["params"];
        let number = || match params[0].as_str()? {
            "latest" => Some(head),
            "safe" => Some(head - 4),
            "finalized" => Some(head - 8),
            hash if hash.len() == 66 => self.by_hash.get(&hash.parse::<B256>().ok()?).copied(),
            number => usize::from_str_radix(number.strip_prefix("0x")?, 16).ok(),
        };
        let null = || "null".to_owned();
        Some(match call["method"].as_str()? {
            "eth_chainId" => "\"0x384\"".to_owned(),
            "eth_getBlockByNumber" | "eth_getBlockByHash" => number()
                .and_then(|number| self.made.block_json(number, params[1] == true))
                .unwrap_or_else(null),
            "eth_getBlockReceipts" => number()
                .and_then(|number| self.made.receipts_json(number))
                .unwrap_or_else(null),
            _ => return None,
        })
    }

    fn beacon(&self, path: &str) -> Option<String> {
        let genesis = self.made.blocks[0].header.timestamp;
        if path.ends_with("/genesis") {
            return Some(format!(r#"{{"data":{{"genesis_time":"{genesis}"}}}}"#));
        }
        if path.ends_with("/spec") {
            return Some(format!(r#"{{"data":{{"SECONDS_PER_SLOT":"{SLOT}"}}}}"#));
        }
        let slot = path.strip_prefix("/eth/v1/beacon/blobs/")?;
        let number: usize = slot.split('?').next()?.parse().ok()?;
        let blobs = self.made.blocks.get(number)?.blobs.iter();
        let blobs: Vec<String> = blobs
            .map(|hash| format!("\"{}\"", self.made.blobs[hash]))
            .collect();
        Some(format!(r#"{{"data":[{}]}}"#, blobs.join(",")))
    }
}

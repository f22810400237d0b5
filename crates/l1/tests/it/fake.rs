//! An L1 of recorded blocks behind a socket, and what can be wrong with it.

use alloy_consensus::ReceiptEnvelope;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{B256, Bytes};
use doppio_l1::{BeaconOptions, L1Options, L1Source};
use doppio_protocol::{config::RollupConfig, l1::L1Block};
use doppio_recorded::{OpenOptions, RecordedChain};
use doppio_test_vectors::Vectors;
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().enable_all().build().unwrap());

/// Seconds of a slot of the recorded L1.
pub(crate) const SLOT: u64 = 2;

/// A recorded L1 chain.
pub(crate) struct Chain {
    pub(crate) recorded: RecordedChain,
    /// `{"block", "receipts"}`, by height.
    pub(crate) blocks: Vec<Value>,
    /// Blobs in hexadecimal, by versioned hash.
    pub(crate) blobs: HashMap<String, String>,
}

impl Chain {
    pub(crate) fn open(name: &str) -> Option<Arc<Self>> {
        let vectors = Vectors::find("recorded")?;
        let recorded = RecordedChain::open(&vectors.path(name), OpenOptions::default()).unwrap();
        let lines = |file: &str| -> Vec<Value> {
            let text = vectors.text(format!("{name}/{file}.jsonl.gz"));
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        let blobs = if vectors.path(format!("{name}/blobs.jsonl.gz")).exists() {
            lines("blobs")
        } else {
            Vec::new()
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Some(Arc::new(Self {
            recorded,
            blocks: lines("l1"),
            blobs: blobs
                .iter()
                .map(|line| (text(&line["versioned_hash"]), text(&line["blob"])))
                .collect(),
        }))
    }

    pub(crate) fn rollup(&self) -> Arc<RollupConfig> {
        Arc::new(self.recorded.chain.rollup.clone())
    }

    /// What `doppio-recorded` reads, by height. The recording begins where the rollup does.
    pub(crate) fn expected(&self) -> Vec<L1Block> {
        self.recorded
            .l1_blocks()
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    pub(crate) fn hash(&self, number: usize) -> B256 {
        self.blocks[number]["block"]["hash"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Versioned hashes of the blobs of a block's slot. No recorded block has more than one, so that
    /// of the next block with a blob is put into the slot as well, as if of one more transaction.
    pub(crate) fn slot_blobs(&self, number: usize) -> Vec<B256> {
        let mut hashes = self.blob_hashes(number);
        if !hashes.is_empty() {
            let next = (number + 1..self.blocks.len()).map(|number| self.blob_hashes(number));
            hashes.extend(next.flatten().find(|hash| !hashes.contains(hash)));
        }
        hashes
    }

    /// Versioned hashes of a block's blobs that are recorded.
    fn blob_hashes(&self, number: usize) -> Vec<B256> {
        let transactions = self.blocks[number]["block"]["transactions"].as_array();
        let hashes = transactions
            .into_iter()
            .flatten()
            .flat_map(|tx| tx["blobVersionedHashes"].as_array().into_iter().flatten());
        hashes
            .map(|hash| hash.as_str().unwrap())
            .filter(|hash| self.blobs.contains_key(*hash))
            .map(|hash| hash.parse().unwrap())
            .collect()
    }
}

/// Changes the result of a call, or the data of a beacon answer.
pub(crate) type Alter = Box<dyn FnMut(&str, &mut Value) + Send>;

/// What is wrong with an endpoint.
#[derive(Default)]
pub(crate) struct Rules {
    /// Methods, or first parts of paths, that it does not have.
    pub(crate) missing: HashSet<&'static str>,
    pub(crate) max_batch: Option<usize>,
    /// Longest answer in bytes, for the whole batch.
    pub(crate) max_answer: Option<usize>,
    pub(crate) alter: Option<Alter>,
    /// Status, headers and body to answer with, instead of so many answers.
    pub(crate) instead: Vec<(u16, &'static str, &'static str)>,
    pub(crate) delay: Duration,
    /// Newest block, if not the newest recorded one.
    pub(crate) head: Option<usize>,
    /// Blocks that take the place of recorded ones, by height.
    pub(crate) fork: HashMap<usize, Value>,
    /// Blobs that it does not have.
    pub(crate) missing_blobs: HashSet<String>,
}

/// An endpoint.
pub(crate) struct Fake {
    pub(crate) url: String,
    pub(crate) rules: Mutex<Rules>,
    pub(crate) chain: Arc<Chain>,
    /// HTTP requests.
    pub(crate) requests: AtomicUsize,
    /// Methods and paths that were asked for.
    pub(crate) log: Mutex<Vec<String>>,
}

impl Fake {
    pub(crate) fn start(chain: &Arc<Chain>, rules: Rules) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fake = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            rules: Mutex::new(rules),
            chain: Arc::clone(chain),
            requests: AtomicUsize::new(0),
            log: Mutex::default(),
        });
        let served = Arc::clone(&fake);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let fake = Arc::clone(&served);
                thread::spawn(move || fake.serve(stream));
            }
        });
        fake
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn asked(&self, what: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|asked| asked.starts_with(what)).count()
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut writer = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let mut first = String::new();
            reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok()?;
                let line = line.trim().to_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            self.requests.fetch_add(1, Ordering::SeqCst);
            let (delay, instead) = {
                let mut rules = self.rules.lock().unwrap();
                (rules.delay, rules.instead.pop())
            };
            thread::sleep(delay);
            let (status, headers, body) = match instead {
                Some((status, headers, body)) => (status, headers, body.to_owned()),
                None => {
                    let path = first.split(' ').nth(1)?;
                    let (status, body) = if first.starts_with("GET") {
                        self.log.lock().unwrap().push(path.to_owned());
                        self.beacon(path)
                    } else {
                        (200, self.rpc(&serde_json::from_slice(&body).ok()?))
                    };
                    (status, "", body)
                }
            };
            let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
            if !headers.is_empty() {
                write!(head, "{headers}\r\n").ok()?;
            }
            writer.write_all(format!("{head}\r\n").as_bytes()).ok()?;
            writer.write_all(body.as_bytes()).ok()?;
        }
    }

    fn rpc(&self, request: &Value) -> String {
        let calls = match request {
            Value::Array(calls) => calls.as_slice(),
            call => std::slice::from_ref(call),
        };
        let limit = self.rules.lock().unwrap().max_batch;
        if limit.is_some_and(|limit| calls.len() > limit) {
            return json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "batch too large"}}).to_string();
        }
        let mut answers: Vec<Value> = calls.iter().map(|call| self.call(call)).collect();
        // Not in the calls' order, as is allowed.
        answers.reverse();
        let answer = match request {
            Value::Array(_) => Value::Array(answers),
            _ => answers.remove(0),
        };
        let answer = answer.to_string();
        let limit = self.rules.lock().unwrap().max_answer;
        if limit.is_some_and(|limit| answer.len() > limit) {
            return json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32008, "message": "Response is too big"}}).to_string();
        }
        answer
    }

    fn call(&self, call: &Value) -> Value {
        let method = call["method"].as_str().unwrap();
        self.log.lock().unwrap().push(method.to_owned());
        let mut rules = self.rules.lock().unwrap();
        if rules.missing.contains(method) {
            return json!({"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": format!("the method {method} does not exist/is not available")}});
        }
        let mut result = self.result(&rules, method, &call["params"]);
        if let Some(alter) = &mut rules.alter {
            alter(method, &mut result);
        }
        json!({"jsonrpc": "2.0", "id": call["id"], "result": result})
    }

    fn result(&self, rules: &Rules, method: &str, params: &Value) -> Value {
        let param = params[0].as_str().unwrap_or_default();
        let head = rules.head.unwrap_or(self.chain.blocks.len() - 1);
        let entry = |number: usize| {
            (number <= head)
                .then(|| {
                    rules
                        .fork
                        .get(&number)
                        .or_else(|| self.chain.blocks.get(number))
                })
                .flatten()
        };
        let find = |param: &str| -> Option<&Value> {
            match param {
                "latest" => entry(head),
                "safe" => entry(head.saturating_sub(4)),
                "finalized" => entry(head.saturating_sub(8)),
                hash if hash.len() == 66 => (0..=head)
                    .filter_map(&entry)
                    .find(|entry| entry["block"]["hash"] == hash),
                number => {
                    let digits = number.strip_prefix("0x").unwrap();
                    entry(usize::from_str_radix(digits, 16).unwrap())
                }
            }
        };
        let receipts = |param: &str| find(param).map_or(Value::Null, |e| e["receipts"].clone());
        match method {
            "eth_chainId" => json!("0x384"),
            "eth_getBlockByNumber" | "eth_getBlockByHash" => {
                find(param).map_or(Value::Null, |entry| {
                    let mut block = entry["block"].clone();
                    if params[1] == false {
                        for tx in block["transactions"].as_array_mut().unwrap() {
                            *tx = tx["hash"].clone();
                        }
                    }
                    block
                })
            }
            "eth_getBlockReceipts" | "parity_getBlockReceipts" => receipts(param),
            "erigon_getBlockReceiptsByBlockHash" => receipts(param),
            "alchemy_getTransactionReceipts" => {
                let object = &params[0];
                let key = object.get("blockHash").or(object.get("blockNumber"));
                json!({ "receipts": receipts(key.unwrap().as_str().unwrap()) })
            }
            "debug_getRawReceipts" => match receipts(param) {
                Value::Array(receipts) => receipts.into_iter().map(raw_receipt).collect(),
                other => other,
            },
            "eth_getTransactionReceipt" => (0..=head)
                .filter_map(&entry)
                .flat_map(|entry| entry["receipts"].as_array().unwrap())
                .find(|receipt| receipt["transactionHash"] == param)
                .cloned()
                .unwrap_or(Value::Null),
            _ => panic!("{method}"),
        }
    }

    fn beacon(&self, path: &str) -> (u16, String) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut rules = self.rules.lock().unwrap();
        if rules
            .missing
            .iter()
            .any(|missing| path.starts_with(missing))
        {
            return (404, r#"{"code":404,"message":"not found"}"#.to_owned());
        }
        let time = |number: usize| {
            let time = self.chain.blocks[number]["block"]["timestamp"]
                .as_str()
                .unwrap();
            u64::from_str_radix(time.strip_prefix("0x").unwrap(), 16).unwrap()
        };
        let genesis = time(0);
        let (path, mut data) = match path.rsplit_once('/') {
            Some(("/eth/v1/beacon", "genesis")) => {
                ("genesis", json!({ "genesis_time": genesis.to_string() }))
            }
            Some(("/eth/v1/config", "spec")) => (
                "spec",
                json!({ "SECONDS_PER_SLOT": SLOT.to_string(), "BLOB_SCHEDULE": [] }),
            ),
            Some((kind, slot)) => {
                let slot: u64 = slot.parse().unwrap();
                let Some(number) = (0..self.chain.blocks.len())
                    .find(|number| (time(*number) - genesis) / SLOT == slot)
                else {
                    return (404, r#"{"code":404,"message":"no such slot"}"#.to_owned());
                };
                let blobs = self.chain.slot_blobs(number);
                let is_sidecars = kind.ends_with("blob_sidecars");
                let blobs: Vec<Value> = blobs
                    .iter()
                    .map(ToString::to_string)
                    .filter(|hash| !rules.missing_blobs.contains(hash))
                    .filter(|hash| is_sidecars || query.contains(hash))
                    .map(|hash| {
                        let blob = &self.chain.blobs[&hash];
                        if is_sidecars {
                            json!({"index": "0", "blob": blob, "kzg_commitment": commitment(blob), "kzg_proof": "0x"})
                        } else {
                            json!(blob)
                        }
                    })
                    .collect();
                (if is_sidecars { "sidecars" } else { "blobs" }, json!(blobs))
            }
            None => return (404, String::new()),
        };
        if let Some(alter) = &mut rules.alter {
            alter(path, &mut data);
        }
        (200, json!({ "data": data }).to_string())
    }
}

pub(crate) fn commitment(blob: &str) -> String {
    let blob = c_kzg::Blob::from_hex(blob).unwrap();
    let settings = c_kzg::ethereum_kzg_settings(0);
    let commitment = settings.blob_to_kzg_commitment(&blob).unwrap();
    format!("0x{}", commitment.as_hex_string())
}

fn raw_receipt(json: Value) -> Value {
    let receipt: ReceiptEnvelope = serde_json::from_value(json).unwrap();
    json!(Bytes::from(receipt.encoded_2718()))
}

/// A source over endpoints, which are beacon nodes as well.
pub(crate) fn source(fakes: &[&Arc<Fake>], change: impl FnOnce(&mut L1Options)) -> L1Source {
    let urls: Vec<String> = fakes.iter().map(|fake| fake.url.clone()).collect();
    let mut options = L1Options {
        endpoints: urls.clone(),
        patience: Duration::from_secs(3),
        beacon: BeaconOptions {
            endpoints: urls,
            ..BeaconOptions::default()
        },
        ..L1Options::default()
    };
    change(&mut options);
    L1Source::new(fakes[0].chain.rollup(), options).unwrap()
}

/// Blocks do not compare; everything they hold is shown.
pub(crate) fn shown(block: &L1Block) -> String {
    format!("{block:?}")
}

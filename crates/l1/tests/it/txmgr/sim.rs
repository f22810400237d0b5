//! A small L1: blocks whose hash and roots hold, a pool, and ways to lie.

use alloy_consensus::{
    Eip658Value, EthereumTxEnvelope, Header, Receipt, ReceiptWithBloom, Transaction, TxEip4844,
    TxEip4844WithSidecar,
    constants::EMPTY_WITHDRAWALS,
    proofs::{calculate_transaction_root, ordered_trie_root_encoded},
    transaction::SignerRecoverable,
};
use alloy_eips::{
    eip2718::{Decodable2718, Encodable2718},
    eip7594::BlobTransactionSidecarVariant,
};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use doppio_l1::{L1Options, L1Source};
use doppio_protocol::config::Network;
use doppio_rpc::{Listen, MethodSet, RpcError, Server};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

pub(crate) const CHAIN_ID: u64 = 900;
const GAS: u64 = 21_000;
const START: u64 = 1_800_000_000;

type Tx = EthereumTxEnvelope<TxEip4844>;
type Pooled = EthereumTxEnvelope<TxEip4844WithSidecar<BlobTransactionSidecarVariant>>;

pub(crate) struct State {
    blocks: Vec<(Header, Vec<Tx>)>,
    pub(crate) pool: BTreeMap<u64, Tx>,
    /// Whether each sidecar that came had proofs of cells.
    pub(crate) cells: Vec<bool>,
    /// What is said to transactions, whatever they are.
    pub(crate) refuses: Option<&'static str>,
    /// Receipts name the newest block, whatever is in it.
    pub(crate) receipts_lie: bool,
    pub(crate) sent: usize,
    pub(crate) asked: BTreeSet<String>,
}

#[derive(Clone)]
pub(crate) struct Sim(Arc<Mutex<State>>);

fn receipts(txs: &[Tx]) -> Vec<ReceiptWithBloom<Receipt>> {
    let receipt = |index: usize| {
        ReceiptWithBloom::from(Receipt {
            status: Eip658Value::Eip658(true),
            cumulative_gas_used: GAS * (index as u64 + 1),
            logs: Vec::new(),
        })
    };
    (0..txs.len()).map(receipt).collect()
}

fn tx_type(tx: &Tx) -> u8 {
    tx.tx_type() as u8
}

impl State {
    fn add_block(&mut self, txs: Vec<Tx>, salt: u64) {
        let encoded: Vec<Vec<u8>> = receipts(&txs)
            .iter()
            .zip(&txs)
            .map(|(receipt, tx)| {
                let mut bytes = vec![tx_type(tx)];
                alloy_rlp::Encodable::encode(receipt, &mut bytes);
                bytes
            })
            .collect();
        let parent = self.blocks.last();
        let header = Header {
            parent_hash: parent.map_or(B256::ZERO, |(header, _)| header.hash_slow()),
            number: parent.map_or(0, |(header, _)| header.number + 1),
            timestamp: parent.map_or(START, |(header, _)| header.timestamp + 12),
            mix_hash: B256::from(U256::from(salt)),
            gas_limit: 60_000_000,
            gas_used: GAS * txs.len() as u64,
            base_fee_per_gas: Some(1_000_000_000),
            transactions_root: calculate_transaction_root(&txs),
            receipts_root: ordered_trie_root_encoded(&encoded),
            withdrawals_root: Some(EMPTY_WITHDRAWALS),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            ..Header::default()
        };
        self.blocks.push((header, txs));
    }

    pub(crate) fn nonce(&self) -> u64 {
        self.blocks.iter().map(|(_, txs)| txs.len() as u64).sum()
    }

    /// Transactions on the chain, in order.
    pub(crate) fn landed(&self) -> Vec<Tx> {
        self.blocks
            .iter()
            .flat_map(|(_, txs)| txs)
            .cloned()
            .collect()
    }

    pub(crate) fn mine(&mut self) {
        let mut nonce = self.nonce();
        let mut txs = Vec::new();
        while let Some(tx) = self.pool.remove(&nonce) {
            txs.push(tx);
            nonce += 1;
        }
        self.add_block(txs, 0);
    }

    /// Takes back blocks; their transactions are in the pool again. Others come in their place.
    pub(crate) fn reorg(&mut self, depth: usize, salt: u64) {
        for _ in 0..depth {
            let (_, txs) = self.blocks.pop().unwrap();
            for tx in txs {
                self.pool.insert(tx.nonce(), tx);
            }
        }
        for _ in 0..depth {
            self.add_block(Vec::new(), salt);
        }
    }

    fn find(&self, at: &Value) -> Option<&(Header, Vec<Tx>)> {
        let text = at.as_str()?;
        match text {
            "latest" | "safe" | "finalized" => self.blocks.last(),
            hash if hash.len() == 66 => {
                let hash: B256 = hash.parse().ok()?;
                self.blocks
                    .iter()
                    .find(|(header, _)| header.hash_slow() == hash)
            }
            number => {
                let number: U64 = number.parse().ok()?;
                self.blocks.get(usize::try_from(number.to::<u64>()).ok()?)
            }
        }
    }

    fn block_json(&self, at: &Value) -> Value {
        let Some((header, txs)) = self.find(at) else {
            return Value::Null;
        };
        let mut json = serde_json::to_value(header).unwrap();
        json["hash"] = json!(header.hash_slow());
        json["transactions"] = json!(txs);
        json["uncles"] = json!([]);
        json["withdrawals"] = json!([]);
        json
    }

    fn receipts_json(&self, (header, txs): &(Header, Vec<Tx>)) -> Vec<Value> {
        let json = |(receipt, tx): (ReceiptWithBloom<Receipt>, &Tx)| {
            json!({
                "type": U64::from(tx_type(tx)),
                "status": "0x1",
                "cumulativeGasUsed": U64::from(receipt.receipt.cumulative_gas_used),
                "logsBloom": receipt.logs_bloom,
                "logs": [],
                "transactionHash": tx.tx_hash(),
                "blockHash": header.hash_slow(),
                "blockNumber": U64::from(header.number),
            })
        };
        receipts(txs).into_iter().zip(txs).map(json).collect()
    }

    fn receipt_json(&self, hash: &Value) -> Value {
        let all = self
            .blocks
            .iter()
            .flat_map(|block| self.receipts_json(block));
        let mut found = all
            .into_iter()
            .find(|receipt| receipt["transactionHash"] == *hash)
            .unwrap_or(Value::Null);
        if self.receipts_lie {
            let head = self.blocks.last().unwrap().0.hash_slow();
            found = json!({"blockHash": head, "status": "0x1", "transactionHash": hash});
        }
        found
    }

    fn take(&mut self, raw: &Value) -> Result<Value, RpcError> {
        self.sent += 1;
        if let Some(words) = self.refuses {
            return Err(RpcError::failed(words));
        }
        let raw: Bytes = serde_json::from_value(raw.clone()).unwrap();
        let tx: Tx = match Pooled::decode_2718_exact(&raw).unwrap() {
            EthereumTxEnvelope::Eip4844(signed) => {
                let (tx, signature, hash) = signed.into_parts();
                let (tx, sidecar) = tx.into_parts();
                sidecar
                    .validate(&tx.blob_versioned_hashes, c_kzg::ethereum_kzg_settings(0))
                    .map_err(|error| RpcError::failed(error.to_string()))?;
                self.cells.push(sidecar.is_eip7594());
                alloy_consensus::Signed::new_unchecked(tx, signature, hash).into()
            }
            other => Tx::decode_2718_exact(&other.encoded_2718()).unwrap(),
        };
        let hash = *tx.tx_hash();
        if tx.nonce() < self.nonce() {
            return Err(RpcError::failed("nonce too low"));
        }
        if let Some(old) = self.pool.get(&tx.nonce()) {
            if *old.tx_hash() == hash {
                return Err(RpcError::failed("already known"));
            }
            if tx.max_fee_per_gas() * 10 < old.max_fee_per_gas() * 11 {
                return Err(RpcError::failed("replacement transaction underpriced"));
            }
        }
        self.pool.insert(tx.nonce(), tx);
        Ok(json!(hash))
    }

    fn content(&self) -> Value {
        let txs: BTreeMap<String, Value> = self
            .pool
            .iter()
            .map(|(nonce, tx)| (nonce.to_string(), serde_json::to_value(tx).unwrap()))
            .collect();
        json!({"pending": txs, "queued": {}})
    }
}

impl MethodSet for Sim {
    fn names(&self) -> Vec<&'static str> {
        vec![
            "eth_chainId",
            "eth_getBlockByNumber",
            "eth_getBlockByHash",
            "eth_getBlockReceipts",
            "eth_getTransactionReceipt",
            "eth_getTransactionCount",
            "eth_maxPriorityFeePerGas",
            "eth_estimateGas",
            "eth_sendRawTransaction",
            "txpool_contentFrom",
        ]
    }

    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        let mut state = self.state();
        state.asked.insert(method.to_owned());
        let first = params.first().cloned().unwrap_or_default();
        Ok(match method {
            "eth_chainId" => json!(U64::from(CHAIN_ID)),
            "eth_getBlockByNumber" | "eth_getBlockByHash" => state.block_json(&first),
            "eth_getBlockReceipts" => match state.find(&first) {
                Some(block) => json!(state.receipts_json(block)),
                None => Value::Null,
            },
            "eth_getTransactionReceipt" => state.receipt_json(&first),
            "eth_getTransactionCount" => {
                let mut nonce = state.nonce();
                while params[1] == "pending" && state.pool.contains_key(&nonce) {
                    nonce += 1;
                }
                json!(U64::from(nonce))
            }
            "eth_maxPriorityFeePerGas" => json!(U64::from(1_000_000_000)),
            "eth_estimateGas" => json!(U64::from(GAS)),
            "eth_sendRawTransaction" => return state.take(&first),
            "txpool_contentFrom" => state.content(),
            other => return Err(RpcError::method_not_found(other)),
        })
    }
}

impl Sim {
    pub(crate) fn new() -> Self {
        let mut state = State {
            blocks: Vec::new(),
            pool: BTreeMap::new(),
            cells: Vec::new(),
            refuses: None,
            receipts_lie: false,
            sent: 0,
            asked: BTreeSet::new(),
        };
        state.add_block(Vec::new(), 0);
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Serves it; the URL.
    pub(crate) async fn serve(&self) -> (Server, String) {
        serve(Arc::new(self.clone())).await
    }

    /// Mines until the condition holds.
    pub(crate) async fn mine_until(&self, is_done: impl Fn() -> bool) {
        for _ in 0..500 {
            if is_done() {
                return;
            }
            self.state().mine();
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        panic!("it does not come to that");
    }

    pub(crate) fn senders(&self) -> BTreeSet<Address> {
        let txs = self.state().landed();
        txs.iter().map(|tx| tx.recover_signer().unwrap()).collect()
    }
}

/// Serves methods; the URL.
pub(crate) async fn serve(methods: Arc<dyn MethodSet>) -> (Server, String) {
    let mut listen = Listen::at("127.0.0.1:0".parse().unwrap());
    listen.limits.request_bytes = 32 << 20;
    let server = Server::start(&listen, &[methods]).await.unwrap();
    let url = format!("http://{}", server.address());
    (server, url)
}

/// L1 access over these endpoints.
pub(crate) fn source(urls: &[&str]) -> L1Source {
    let options = L1Options {
        endpoints: urls.iter().map(|url| (*url).to_owned()).collect(),
        timeout: Duration::from_secs(5),
        patience: Duration::from_secs(1),
        ..L1Options::default()
    };
    // Any rollup: nothing of what is asked here depends on it.
    let rollup = Network::find("op-mainnet").unwrap().rollup_config();
    L1Source::new(Arc::new(rollup.unwrap()), options).unwrap()
}

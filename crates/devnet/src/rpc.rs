//! Calls to a JSON-RPC server, of L1 or of L2, with the answers that tests ask for.

use crate::DevnetError;
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use doppio_protocol::L1BlockRef;
use doppio_rpc::{Client, ClientOptions, Http, Target};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longest time for a call: anvil writes its whole state for some.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Longest answer: anvil's whole state.
const MAX_ANSWER: usize = 512 << 20;
/// Time between two questions whether something has happened.
const POLL: Duration = Duration::from_millis(20);

/// A JSON-RPC server. Clones share connections.
#[derive(Clone, Debug)]
pub struct Rpc {
    client: Client,
    url: String,
}

/// What a receipt says, as far as tests ask.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Hash of the transaction.
    pub transaction_hash: B256,
    /// Height of its block.
    #[serde(deserialize_with = "quantity")]
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Its place among the block's transactions.
    #[serde(deserialize_with = "quantity")]
    pub transaction_index: u64,
    /// 1 if it succeeded.
    #[serde(deserialize_with = "quantity")]
    pub status: u64,
    /// Gas that it used.
    #[serde(deserialize_with = "quantity")]
    pub gas_used: u64,
    /// What it logged, in JSON.
    pub logs: Vec<Value>,
}

fn quantity<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    U64::deserialize(deserializer).map(|value| value.to())
}

impl Rpc {
    /// A server. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// If it is no URL.
    pub fn new(url: &str) -> Result<Self, DevnetError> {
        Self::with_http(Http::new(), url)
    }

    pub(crate) fn with_http(http: Http, url: &str) -> Result<Self, DevnetError> {
        let options = ClientOptions {
            timeout: TIMEOUT,
            max_answer_bytes: MAX_ANSWER,
        };
        Ok(Self {
            client: Client::new(http, Target::parse(url)?, options),
            url: url.to_owned(),
        })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes a call. `params` is a JSON array.
    ///
    /// # Errors
    ///
    /// If the server gives an error, or no answer.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, DevnetError> {
        let params = match params {
            Value::Array(params) => params,
            other => vec![other],
        };
        Ok(self.client.call(method, params).await?)
    }

    /// Makes a call whose answer has a known form.
    ///
    /// # Errors
    ///
    /// If the server gives an error, or no answer, or one of another form.
    pub async fn get<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
    ) -> Result<T, DevnetError> {
        let answer = self.call(method, params).await?;
        serde_json::from_value(answer).map_err(|error| self.unexpected(method, error))
    }

    pub(crate) fn unexpected(&self, method: &str, reason: impl ToString) -> DevnetError {
        DevnetError::Answer {
            url: self.url.clone(),
            method: method.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn no_block(&self, at: impl ToString) -> DevnetError {
        DevnetError::NoBlock {
            url: self.url.clone(),
            at: at.to_string(),
        }
    }

    /// Height of the newest block.
    ///
    /// # Errors
    ///
    /// If the server does not say.
    pub async fn block_number(&self) -> Result<u64, DevnetError> {
        let number: U64 = self.get("eth_blockNumber", json!([])).await?;
        Ok(number.to())
    }

    /// A block, by its number.
    ///
    /// # Errors
    ///
    /// If there is none, or the server does not say.
    pub async fn block(&self, number: u64) -> Result<L1BlockRef, DevnetError> {
        self.block_at(&format!("{number:#x}")).await
    }

    /// A block, by a label (`latest`, `safe`, `finalized`) or a number in hexadecimal.
    ///
    /// # Errors
    ///
    /// If there is none, or the server does not say.
    pub async fn block_at(&self, at: &str) -> Result<L1BlockRef, DevnetError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Block {
            hash: B256,
            #[serde(deserialize_with = "quantity")]
            number: u64,
            parent_hash: B256,
            #[serde(deserialize_with = "quantity")]
            timestamp: u64,
        }
        let block: Option<Block> = self.get("eth_getBlockByNumber", json!([at, false])).await?;
        let block = block.ok_or_else(|| self.no_block(at))?;
        Ok(L1BlockRef {
            hash: block.hash,
            number: block.number,
            parent_hash: block.parent_hash,
            timestamp: block.timestamp,
        })
    }

    /// What an account has, in wei, at the newest block.
    ///
    /// # Errors
    ///
    /// If the server does not say.
    pub async fn balance(&self, account: Address) -> Result<U256, DevnetError> {
        self.get("eth_getBalance", json!([account, "latest"])).await
    }

    /// The nonce of an account's next transaction, after those that wait.
    ///
    /// # Errors
    ///
    /// If the server does not say.
    pub async fn next_nonce(&self, account: Address) -> Result<u64, DevnetError> {
        let params = json!([account, "pending"]);
        let nonce: U64 = self.get("eth_getTransactionCount", params).await?;
        Ok(nonce.to())
    }

    /// Hands in a signed transaction.
    ///
    /// # Errors
    ///
    /// If the server refuses it.
    pub async fn send_raw(&self, transaction: &Bytes) -> Result<B256, DevnetError> {
        self.get("eth_sendRawTransaction", json!([transaction]))
            .await
    }

    /// What a contract answers, at a block by its number.
    ///
    /// # Errors
    ///
    /// If the server does not say.
    pub async fn read(&self, to: Address, data: &Bytes, block: u64) -> Result<Bytes, DevnetError> {
        let call = json!({"to": to, "data": data});
        self.get("eth_call", json!([call, format!("{block:#x}")]))
            .await
    }

    /// The receipt of a transaction; none as long as it is in no block.
    ///
    /// # Errors
    ///
    /// If the server does not say.
    pub async fn receipt(&self, hash: B256) -> Result<Option<Receipt>, DevnetError> {
        self.get("eth_getTransactionReceipt", json!([hash])).await
    }

    /// Waits until a transaction is in a block, whether it succeeded or not.
    ///
    /// # Errors
    ///
    /// [`DevnetError::NotIncluded`] if it is in none in time.
    pub async fn wait_for(&self, hash: B256, patience: Duration) -> Result<Receipt, DevnetError> {
        let start = Instant::now();
        loop {
            if let Some(receipt) = self.receipt(hash).await? {
                return Ok(receipt);
            }
            if start.elapsed() >= patience {
                return Err(DevnetError::NotIncluded {
                    hash,
                    after: patience,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Receipt {
    /// The receipt, if the transaction succeeded.
    ///
    /// # Errors
    ///
    /// [`DevnetError::Reverted`] if it did not.
    pub fn succeeded(self) -> Result<Self, DevnetError> {
        if self.status == 1 {
            return Ok(self);
        }
        Err(DevnetError::Reverted {
            hash: self.transaction_hash,
            block: self.block_number,
        })
    }
}

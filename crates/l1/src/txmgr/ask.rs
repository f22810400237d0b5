//! What is asked of endpoints. What they say of the account, of fees and of pools cannot be checked;
//! it can delay a transaction, or make it pay more within the operator's limits.

use crate::{
    endpoint::Endpoint,
    failure::Failure,
    fetch::block_call,
    pool::Job,
    receipts_method::quantity,
    rpc::Call,
    verify::{BlockAt, BlockRead, read_block},
};
use alloy_consensus::Transaction;
use alloy_primitives::{Address, B256, U64, U256};
use doppio_protocol::l1::L1Transaction;
use doppio_txmgr::{Account, Fees, PoolTx, TxKind, UnsignedTx};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json, value::RawValue};
use std::{collections::BTreeMap, fmt};

/// Most transactions that are asked for one by one where a pool cannot be asked as a whole.
const MOST_BY_NONCE: u64 = 16;

pub(crate) fn parse<T: DeserializeOwned>(json: &RawValue) -> Result<T, Failure> {
    serde_json::from_str(json.get()).map_err(|error| Failure::Malformed(error.to_string()))
}

/// Nonces of an account.
pub(crate) struct Nonces(pub(crate) Address);

impl fmt::Display for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the nonces of {}", self.0)
    }
}

impl Job for Nonces {
    type Output = Account;

    async fn run(&self, endpoint: &Endpoint) -> Result<Option<Account>, Failure> {
        let call = |label| Call::new("eth_getTransactionCount", json!([self.0, label]));
        let answers = endpoint.calls(&[call("latest"), call("pending")]).await?;
        let mut counts = Vec::with_capacity(2);
        for answer in answers {
            counts.push(parse::<U64>(&*answer?)?.to());
        }
        let [latest, pending] = counts[..] else {
            return Err(Failure::Malformed("not two answers".to_owned()));
        };
        Ok(Some(Account { latest, pending }))
    }
}

/// The usual tip.
pub(crate) struct Tip;

impl fmt::Display for Tip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the usual tip")
    }
}

impl Job for Tip {
    type Output = u128;

    async fn run(&self, endpoint: &Endpoint) -> Result<Option<u128>, Failure> {
        let call = Call::new("eth_maxPriorityFeePerGas", json!([]));
        let tip: U256 = parse(&*endpoint.call(call).await?)?;
        let tip = u128::try_from(tip).map_err(|error| Failure::Malformed(error.to_string()))?;
        Ok(Some(tip))
    }
}

/// The tips that transactions with blobs gave in the block of this height.
pub(crate) struct BlobTips(pub(crate) u64);

impl fmt::Display for BlobTips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L1 block {}", self.0)
    }
}

impl Job for BlobTips {
    type Output = Vec<u128>;

    async fn run(&self, endpoint: &Endpoint) -> Result<Option<Vec<u128>>, Failure> {
        let at = BlockAt::Number(self.0);
        let json = endpoint.call(block_call(at, true)).await?;
        let block = match crate::fetch::blocking(move || read_block(at, json.get())).await? {
            None => return Ok(None),
            // What is not known of it are types that came after blobs: it is left out.
            Some(BlockRead::NeedsBytes(_)) => return Ok(Some(Vec::new())),
            Some(BlockRead::Whole(block)) => block,
        };
        let base_fee = block.header().header().base_fee_per_gas.unwrap_or_default();
        let tips = block.transactions().iter().filter_map(|tx| match tx {
            L1Transaction::Signed(tx) if tx.is_eip4844() => tx.effective_tip_per_gas(base_fee),
            _ => None,
        });
        Ok(Some(tips.collect()))
    }
}

/// Gas of a transaction, or why it would fail.
pub(crate) struct Gas<'a> {
    pub(crate) from: Address,
    pub(crate) tx: &'a UnsignedTx,
}

impl fmt::Display for Gas<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the gas of the transaction with nonce {}", self.tx.nonce)
    }
}

impl Job for Gas<'_> {
    type Output = Result<u64, String>;

    async fn run(&self, endpoint: &Endpoint) -> Result<Option<Self::Output>, Failure> {
        let mut call = transaction_json(self.from, self.tx);
        // With a nonce or a gas limit, some nodes would refuse what is not next, or not enough.
        call.remove("nonce");
        call.remove("gas");
        let call = Call::new("eth_estimateGas", json!([call]));
        match endpoint.call(call).await {
            Ok(gas) => Ok(Some(Ok(parse::<U64>(&gas)?.to()))),
            Err(Failure::Refused { message, .. }) => Ok(Some(Err(message))),
            Err(failure) => Err(failure),
        }
    }
}

/// A transaction as JSON-RPC names its fields.
pub(crate) fn transaction_json(from: Address, tx: &UnsignedTx) -> Map<String, Value> {
    let wide = |number: u128| Value::String(format!("{number:#x}"));
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    set("from", json!(from));
    set("to", json!(tx.to));
    set("gas", quantity(tx.gas_limit));
    set("maxFeePerGas", wide(tx.fees.fee_cap));
    set("maxPriorityFeePerGas", wide(tx.fees.tip_cap));
    set("value", json!(tx.value));
    set("nonce", quantity(tx.nonce));
    set("input", json!(tx.data));
    set("chainId", quantity(tx.chain_id));
    if !tx.blob_hashes.is_empty() {
        set("blobVersionedHashes", json!(tx.blob_hashes));
        set("maxFeePerBlobGas", wide(tx.fees.blob_fee_cap));
    }
    fields
}

/// The account's transactions in a pool.
pub(crate) struct Pooled {
    pub(crate) address: Address,
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl fmt::Display for Pooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the transactions of {} in the pool", self.address)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PooledJson {
    hash: B256,
    #[serde(default)]
    nonce: U64,
    #[serde(default, rename = "type")]
    tx_type: U64,
    #[serde(default)]
    gas_price: Option<U256>,
    #[serde(default)]
    max_fee_per_gas: Option<U256>,
    #[serde(default)]
    max_priority_fee_per_gas: Option<U256>,
    #[serde(default)]
    max_fee_per_blob_gas: Option<U256>,
}

impl PooledJson {
    fn read(self) -> PoolTx {
        let wide =
            |number: Option<U256>| -> u128 { number.map_or(0, |number| number.saturating_to()) };
        let fee_cap = wide(self.max_fee_per_gas.or(self.gas_price));
        let tip_cap = self.max_priority_fee_per_gas.or(self.gas_price);
        PoolTx {
            nonce: self.nonce.to(),
            hash: self.hash,
            kind: if self.tx_type == U64::from(3) {
                TxKind::Blob
            } else {
                TxKind::Plain
            },
            fees: Fees {
                tip_cap: wide(tip_cap),
                fee_cap,
                blob_fee_cap: wide(self.max_fee_per_blob_gas),
            },
        }
    }
}

#[derive(Deserialize)]
struct ContentJson {
    #[serde(default)]
    pending: BTreeMap<String, PooledJson>,
    #[serde(default)]
    queued: BTreeMap<String, PooledJson>,
}

impl Job for Pooled {
    type Output = Vec<PoolTx>;

    async fn run(&self, endpoint: &Endpoint) -> Result<Option<Vec<PoolTx>>, Failure> {
        let call = Call::new("txpool_contentFrom", json!([self.address]));
        let found: Vec<PoolTx> = match endpoint.call(call).await {
            Ok(content) => {
                let content: ContentJson = parse(&content)?;
                let all = content
                    .pending
                    .into_values()
                    .chain(content.queued.into_values());
                all.map(PooledJson::read).collect()
            }
            Err(Failure::Unsupported(_) | Failure::Refused { .. }) => {
                self.one_by_one(endpoint).await?
            }
            Err(failure) => return Err(failure),
        };
        let range = self.from..self.until;
        let found = found.into_iter().filter(|tx| range.contains(&tx.nonce));
        Ok(Some(found.collect()))
    }
}

impl Pooled {
    async fn one_by_one(&self, endpoint: &Endpoint) -> Result<Vec<PoolTx>, Failure> {
        let until = self.until.min(self.from.saturating_add(MOST_BY_NONCE));
        let calls: Vec<Call> = (self.from..until)
            .map(|nonce| {
                let params = json!([self.address, quantity(nonce)]);
                Call::new("eth_getTransactionBySenderAndNonce", params)
            })
            .collect();
        let mut found = Vec::new();
        for answer in endpoint.calls(&calls).await? {
            if let Some(tx) = parse::<Option<PooledJson>>(&*answer?)? {
                found.push(tx.read());
            }
        }
        Ok(found)
    }
}

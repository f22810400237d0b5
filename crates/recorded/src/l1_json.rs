//! L1 blocks as an RPC gives them, verified.

use alloy_consensus::{
    Eip658Value, Header, Receipt, ReceiptWithBloom, TxEnvelope, proofs::ordered_trie_root_encoded,
};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256};
use alloy_rlp::Encodable;
use doppio_protocol::{
    config::RollupConfig,
    deposit::{DEPOSIT_TX_TYPE, DepositTx},
    l1::{L1Block, L1Header, L1Receipt, L1Transaction},
};
use serde::Deserialize;
use thiserror::Error;

/// `eth_getBlockByNumber` with full transactions, and `eth_getBlockReceipts`.
#[derive(Debug, Deserialize)]
pub struct L1BlockJson {
    block: BlockJson,
    receipts: Vec<ReceiptJson>,
}

#[derive(Debug, Deserialize)]
struct BlockJson {
    hash: B256,
    #[serde(flatten)]
    header: Header,
    transactions: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptJson {
    #[serde(default, rename = "type")]
    tx_type: Option<Quantity>,
    status: Quantity,
    cumulative_gas_used: Quantity,
    logs: Vec<LogJson>,
}

#[derive(Debug, Deserialize)]
struct LogJson {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DepositJson {
    source_hash: B256,
    from: Address,
    to: Option<Address>,
    #[serde(default)]
    mint: Option<U256>,
    value: U256,
    gas: Quantity,
    #[serde(default)]
    is_system_tx: bool,
    input: Bytes,
}

/// A number in hexadecimal.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "U256")]
struct Quantity(u64);

impl TryFrom<U256> for Quantity {
    type Error = String;

    fn try_from(value: U256) -> Result<Self, String> {
        u64::try_from(value)
            .map(Self)
            .map_err(|_| format!("{value} does not fit 64 bits"))
    }
}

/// Why an L1 block is not believed.
#[derive(Debug, Error)]
pub enum L1JsonError {
    /// A transaction that is not what its type has.
    #[error("L1 block {block}: transaction {index}: {error}")]
    Transaction {
        /// Height of the block.
        block: u64,
        /// Position of the transaction.
        index: usize,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// The header does not hash to the block's hash.
    #[error("L1 block {block}: the header hashes to {found}, not to {expected}")]
    Hash {
        /// Height of the block.
        block: u64,
        /// Claimed.
        expected: B256,
        /// Computed.
        found: B256,
    },
    /// The transactions or receipts are not the header's.
    #[error("L1 block {block}: the {what} have root {found}, the header says {expected}")]
    Root {
        /// Height of the block.
        block: u64,
        /// Which root.
        what: &'static str,
        /// Of the header.
        expected: B256,
        /// Computed.
        found: B256,
    },
}

impl L1BlockJson {
    /// Checks the block against its hash and roots, and takes from it what derivation reads.
    pub fn verify(self, rollup: &RollupConfig) -> Result<L1Block, L1JsonError> {
        let header = &self.block.header;
        let block = header.number;
        let (expected, found) = (self.block.hash, header.hash_slow());
        if found != expected {
            return Err(L1JsonError::Hash {
                block,
                expected,
                found,
            });
        }
        let mut transactions = Vec::with_capacity(self.block.transactions.len());
        let mut encoded = Vec::with_capacity(self.block.transactions.len());
        for (index, json) in self.block.transactions.into_iter().enumerate() {
            let (transaction, bytes) =
                read_transaction(json).map_err(|error| L1JsonError::Transaction {
                    block,
                    index,
                    error,
                })?;
            transactions.push(transaction);
            encoded.push(bytes);
        }
        check_root(block, "transactions", header.transactions_root, &encoded)?;
        let (receipts, encoded): (Vec<_>, Vec<_>) =
            self.receipts.into_iter().map(read_receipt).unzip();
        check_root(block, "receipts", header.receipts_root, &encoded)?;
        let header = L1Header::from_consensus(found, header);
        Ok(L1Block::new(rollup, header, transactions, receipts))
    }
}

fn check_root(
    block: u64,
    what: &'static str,
    expected: B256,
    encoded: &[Vec<u8>],
) -> Result<(), L1JsonError> {
    let found = ordered_trie_root_encoded(encoded);
    if found == expected {
        Ok(())
    } else {
        Err(L1JsonError::Root {
            block,
            what,
            expected,
            found,
        })
    }
}

fn read_transaction(
    json: serde_json::Value,
) -> Result<(L1Transaction, Vec<u8>), serde_json::Error> {
    let is_deposit = json
        .get("type")
        .and_then(serde_json::Value::as_str)
        .is_some_and(|tx_type| tx_type == format!("{DEPOSIT_TX_TYPE:#x}"));
    if is_deposit {
        let json: DepositJson = serde_json::from_value(json)?;
        let deposit = DepositTx {
            source_hash: json.source_hash,
            from: json.from,
            to: json.to,
            mint: json.mint.unwrap_or_default(),
            value: json.value,
            gas: json.gas.0,
            is_system: json.is_system_tx,
            data: json.input,
        };
        let encoded = deposit.encode().to_vec();
        let DepositTx {
            from,
            to,
            data: input,
            ..
        } = deposit;
        return Ok((L1Transaction::Deposit { from, to, input }, encoded));
    }
    let envelope: TxEnvelope = serde_json::from_value(json)?;
    let encoded = envelope.encoded_2718();
    Ok((L1Transaction::Signed(envelope), encoded))
}

fn read_receipt(json: ReceiptJson) -> (L1Receipt, Vec<u8>) {
    let logs: Vec<Log> = json
        .logs
        .into_iter()
        .map(|log| Log {
            address: log.address,
            data: LogData::new_unchecked(log.topics, log.data),
        })
        .collect();
    let success = json.status.0 == 1;
    let receipt = ReceiptWithBloom::from(Receipt {
        status: Eip658Value::Eip658(success),
        cumulative_gas_used: json.cumulative_gas_used.0,
        logs,
    });
    let mut encoded = Vec::new();
    match json.tx_type.map_or(0, |tx_type| tx_type.0) {
        0 => {}
        tx_type => encoded.push(u8::try_from(tx_type).unwrap_or(u8::MAX)),
    }
    receipt.encode(&mut encoded);
    (
        L1Receipt {
            success,
            logs: receipt.receipt.logs,
        },
        encoded,
    )
}

//! Receipts of a block, in each of the forms that endpoints give them.

use super::{CheckedBlock, Quantity, VerifyError, block::check_root, parse};
use alloy_consensus::{Eip658Value, Receipt, ReceiptWithBloom, proofs::ordered_trie_root_encoded};
use alloy_primitives::{Address, B256, Bloom, Bytes, Log, LogData};
use alloy_rlp::{Decodable, Encodable};
use doppio_protocol::{block::BlockId, deposit::DEPOSIT_TX_TYPE, l1::L1Receipt};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Receipts as an endpoint gave them.
#[derive(Clone, Copy, Debug)]
pub enum ReceiptsAnswer<'a> {
    /// A list of receipts: `eth_getBlockReceipts` and its relatives.
    List(&'a str),
    /// The list inside an object's `receipts`: `alchemy_getTransactionReceipts`.
    Wrapped(&'a str),
    /// A list of encoded receipts: `debug_getRawReceipts`.
    Raw(&'a str),
    /// One answer for each transaction: `eth_getTransactionReceipt`.
    Each(&'a [&'a str]),
}

impl ReceiptsAnswer<'_> {
    /// How many bytes of JSON it is.
    pub fn bytes(&self) -> usize {
        match self {
            Self::List(json) | Self::Wrapped(json) | Self::Raw(json) => json.len(),
            Self::Each(answers) => answers.iter().map(|json| json.len()).sum(),
        }
    }

    /// The answer as one list, of receipts or of encoded ones. `null` if it has no list.
    pub fn to_list(&self) -> String {
        #[derive(Deserialize)]
        struct Wrapper<'a> {
            #[serde(borrow)]
            receipts: Option<&'a RawValue>,
        }
        match self {
            Self::List(json) | Self::Raw(json) => (*json).to_owned(),
            Self::Each(answers) => format!("[{}]", answers.join(",")),
            Self::Wrapped(json) => serde_json::from_str(json)
                .ok()
                .and_then(|wrapper: Wrapper<'_>| wrapper.receipts)
                .unwrap_or(RawValue::NULL)
                .get()
                .to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptJson {
    #[serde(default, rename = "type")]
    tx_type: Option<Quantity>,
    status: Quantity,
    cumulative_gas_used: Quantity,
    logs_bloom: Bloom,
    logs: Vec<LogJson>,
    // only of deposits, where L1 is itself a rollup
    #[serde(default)]
    deposit_nonce: Option<Quantity>,
    #[serde(default)]
    deposit_receipt_version: Option<Quantity>,
}

#[derive(Deserialize)]
struct LogJson {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

/// Reads the receipts of a block, one for each transaction, and checks them against the header's
/// root. None if the answer, or one of its parts, is `null`.
///
/// # Errors
///
/// If a receipt cannot be read, one is missing or too many, or they do not have the root.
pub fn read_receipts(
    block: &CheckedBlock,
    answer: ReceiptsAnswer<'_>,
) -> Result<Option<Vec<L1Receipt>>, VerifyError> {
    let receipts = read_receipts_with_gas(block, answer)?;
    Ok(receipts.map(|receipts| receipts.into_iter().map(|(receipt, _)| receipt).collect()))
}

/// [`read_receipts`], each with the gas that the block's transactions used up to this one: what one
/// used itself is the difference to the one before it.
///
/// # Errors
///
/// As [`read_receipts`].
pub fn read_receipts_with_gas(
    block: &CheckedBlock,
    answer: ReceiptsAnswer<'_>,
) -> Result<Option<Vec<(L1Receipt, u64)>>, VerifyError> {
    let id = block.header().id();
    let receipts = match answer {
        ReceiptsAnswer::List(json) => parse::<Option<Vec<ReceiptJson>>>("the receipts", json)?,
        ReceiptsAnswer::Wrapped(json) => {
            #[derive(Deserialize)]
            struct Wrapper {
                receipts: Option<Vec<ReceiptJson>>,
            }
            parse::<Option<Wrapper>>("the receipts", json)?.and_then(|wrapper| wrapper.receipts)
        }
        ReceiptsAnswer::Each(answers) => answers
            .iter()
            .map(|json| parse::<Option<ReceiptJson>>("a receipt", json))
            .collect::<Result<_, _>>()?,
        ReceiptsAnswer::Raw(json) => {
            let Some(encoded) = parse::<Option<Vec<Bytes>>>("the raw receipts", json)? else {
                return Ok(None);
            };
            check(block, &encoded)?;
            return encoded
                .iter()
                .enumerate()
                .map(|(index, bytes)| decode(id, index, bytes))
                .collect::<Result<_, _>>()
                .map(Some);
        }
    };
    let Some(receipts) = receipts else {
        return Ok(None);
    };
    let mut read = Vec::with_capacity(receipts.len());
    let mut encoded = Vec::with_capacity(receipts.len());
    for (index, json) in receipts.into_iter().enumerate() {
        let (receipt, bytes) = encode(json).map_err(|reason| VerifyError::Receipt {
            block: id,
            index,
            reason: reason.to_owned(),
        })?;
        read.push(receipt);
        encoded.push(bytes);
    }
    check(block, &encoded)?;
    Ok(Some(read))
}

fn check<T: AsRef<[u8]>>(block: &CheckedBlock, encoded: &[T]) -> Result<(), VerifyError> {
    let id = block.header().id();
    if encoded.len() != block.transactions().len() {
        return Err(VerifyError::ReceiptCount {
            block: id,
            transactions: block.transactions().len(),
            receipts: encoded.len(),
        });
    }
    check_root(
        id,
        "receipts",
        Some(block.header().header().receipts_root),
        Some(ordered_trie_root_encoded(encoded)),
    )
}

/// The receipt, and its canonical encoding.
fn encode(json: ReceiptJson) -> Result<((L1Receipt, u64), Vec<u8>), &'static str> {
    let success = match json.status.0 {
        0 => false,
        1 => true,
        _ => return Err("its status is neither 0 nor 1"),
    };
    let tx_type = json.tx_type.map_or(0, |tx_type| tx_type.0);
    // EIP-2718: beyond are first bytes of legacy receipts
    let tx_type = u8::try_from(tx_type)
        .ok()
        .filter(|tx_type| *tx_type <= 0x7f)
        .ok_or("its type is none")?;
    let logs: Vec<Log> = json
        .logs
        .into_iter()
        .map(|log| Log {
            address: log.address,
            data: LogData::new_unchecked(log.topics, log.data),
        })
        .collect();
    let receipt = ReceiptWithBloom::from(Receipt {
        status: Eip658Value::Eip658(success),
        cumulative_gas_used: json.cumulative_gas_used.0,
        logs,
    });
    if receipt.logs_bloom != json.logs_bloom {
        return Err("its bloom filter is not that of its logs");
    }
    let mut bytes = Vec::new();
    if tx_type != 0 {
        bytes.push(tx_type);
    }
    match json.deposit_receipt_version {
        // From Canyon on, a rollup's receipts of deposits have two fields more.
        Some(version) if tx_type == DEPOSIT_TX_TYPE => {
            let nonce = json.deposit_nonce.map_or(0, |nonce| nonce.0);
            let mut plain = Vec::new();
            receipt.encode(&mut plain);
            let mut fields = plain.as_slice();
            let header = alloy_rlp::Header::decode(&mut fields).map_err(|_| "it has no fields")?;
            alloy_rlp::Header {
                list: true,
                payload_length: header.payload_length + nonce.length() + version.0.length(),
            }
            .encode(&mut bytes);
            bytes.extend_from_slice(fields);
            nonce.encode(&mut bytes);
            version.0.encode(&mut bytes);
        }
        _ => receipt.encode(&mut bytes),
    }
    let gas = receipt.receipt.cumulative_gas_used;
    let logs = receipt.receipt.logs;
    Ok(((L1Receipt { success, logs }, gas), bytes))
}

/// Reads a receipt out of bytes that the root covers.
fn decode(block: BlockId, index: usize, bytes: &[u8]) -> Result<(L1Receipt, u64), VerifyError> {
    let read = |mut bytes: &[u8]| -> alloy_rlp::Result<(L1Receipt, u64)> {
        if bytes.first().is_some_and(|first| *first <= 0x7f) {
            bytes = &bytes[1..];
        }
        let mut fields = alloy_rlp::Header::decode_bytes(&mut bytes, true)?;
        let success = bool::decode(&mut fields)?;
        let gas = u64::decode(&mut fields)?;
        let _bloom = Bloom::decode(&mut fields)?;
        let logs = Vec::<Log>::decode(&mut fields)?;
        Ok((L1Receipt { success, logs }, gas))
    };
    read(bytes).map_err(|error| VerifyError::Receipt {
        block,
        index,
        reason: error.to_string(),
    })
}

//! Headers and whole blocks of `eth_getBlockByHash` and `eth_getBlockByNumber`.

use super::{BlockAt, Maybe, Quantity, VerifyError, parse};
use alloy_consensus::{Header, TxEnvelope, proofs};
use alloy_eips::{Typed2718, eip2718::Encodable2718, eip4895::Withdrawal};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use doppio_protocol::{
    L1BlockRef,
    block::BlockId,
    config::RollupConfig,
    deposit::{DEPOSIT_TX_TYPE, DepositTx},
    l1::{L1Block, L1Header, L1Receipt, L1Transaction},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Fields of a block's JSON beside the header's, which no hash covers or whose root is checked.
const BESIDE_HEADER: [&str; 6] = [
    "hash",
    "size",
    "totalDifficulty",
    "transactions",
    "uncles",
    "withdrawals",
];

/// A header that hashes to its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedHeader {
    hash: B256,
    header: Header,
}

impl CheckedHeader {
    /// Its hash.
    pub const fn hash(&self) -> B256 {
        self.hash
    }

    /// All its fields.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Hash and height.
    pub const fn id(&self) -> BlockId {
        BlockId {
            hash: self.hash,
            number: self.header.number,
        }
    }

    /// The block's place in its chain.
    pub fn block_ref(&self) -> L1BlockRef {
        self.l1_header().block_ref()
    }

    /// What derivation reads of it.
    pub fn l1_header(&self) -> L1Header {
        L1Header::from_consensus(self.hash, &self.header)
    }
}

/// A block whose header, transactions and withdrawals are checked.
#[derive(Clone, Debug)]
pub struct CheckedBlock {
    header: CheckedHeader,
    transactions: Vec<L1Transaction>,
    transaction_hashes: Vec<B256>,
}

impl CheckedBlock {
    /// The header.
    pub const fn header(&self) -> &CheckedHeader {
        &self.header
    }

    /// All transactions, in order.
    pub fn transactions(&self) -> &[L1Transaction] {
        &self.transactions
    }

    /// The transactions' hashes, in order.
    pub fn transaction_hashes(&self) -> &[B256] {
        &self.transaction_hashes
    }

    /// Takes what derivation reads. The receipts are those that [`read_receipts`] gave for this
    /// block.
    ///
    /// [`read_receipts`]: super::read_receipts
    pub fn into_l1_block(self, rollup: &RollupConfig, receipts: Vec<L1Receipt>) -> L1Block {
        let header = self.header.l1_header();
        L1Block::new(rollup, header, self.transactions, receipts)
    }
}

/// A block as far as its JSON could be read.
#[derive(Debug)]
pub enum BlockRead {
    /// All of it.
    Whole(CheckedBlock),
    /// It has transactions of a type that this release does not know. Their bytes are needed to
    /// check the root.
    NeedsBytes(PendingBlock),
}

/// A block that lacks the bytes of some transactions.
#[derive(Clone, Debug)]
pub struct PendingBlock {
    header: CheckedHeader,
    transactions: Vec<Option<(L1Transaction, Vec<u8>)>>,
    /// Hashes of the unknown transactions by the endpoint's word, with their positions.
    lacking: Vec<(usize, B256)>,
}

impl PendingBlock {
    /// Hashes, by the endpoint's word, of the transactions whose bytes are lacking.
    pub fn lacking(&self) -> impl ExactSizeIterator<Item = B256> {
        self.lacking.iter().map(|(_, hash)| *hash)
    }

    /// Completes the block with the canonical bytes of the transactions that
    /// [`lacking`](Self::lacking) names, in that order.
    ///
    /// # Errors
    ///
    /// If the transactions then do not have the header's root.
    pub fn complete(self, bytes: Vec<Bytes>) -> Result<CheckedBlock, VerifyError> {
        let parts = self.parts(bytes)?;
        Ok(CheckedBlock {
            header: parts.header,
            transactions: parts.transactions,
            transaction_hashes: parts.encoded.iter().map(keccak256).collect(),
        })
    }

    /// Completes the block as [`complete`](Self::complete) does, and gives its transactions as
    /// bytes: for who carries them on and need not know what they say.
    ///
    /// # Errors
    ///
    /// As [`complete`](Self::complete).
    pub fn complete_encoded(
        self,
        bytes: Vec<Bytes>,
    ) -> Result<(CheckedHeader, Vec<Bytes>), VerifyError> {
        let parts = self.parts(bytes)?;
        let encoded = parts.encoded.into_iter().map(Bytes::from).collect();
        Ok((parts.header, encoded))
    }

    /// The header, and the transactions with their bytes, which have the header's root.
    fn parts(mut self, bytes: Vec<Bytes>) -> Result<Parts, VerifyError> {
        let block = self.header.id();
        for ((index, _), bytes) in self.lacking.iter().zip(bytes) {
            let Some((&tx_type, slot)) = bytes.first().zip(self.transactions.get_mut(*index))
            else {
                return Err(VerifyError::Transaction {
                    block,
                    index: *index,
                    reason: "its bytes are empty".to_owned(),
                });
            };
            // A type that is not known is never read, so its recipient is nobody's business: the
            // JSON's word for it is not covered by the root.
            let transaction = L1Transaction::Unknown { tx_type, to: None };
            *slot = Some((transaction, bytes.to_vec()));
        }
        let mut transactions = Vec::with_capacity(self.transactions.len());
        let mut encoded = Vec::with_capacity(self.transactions.len());
        for (index, entry) in self.transactions.into_iter().enumerate() {
            let Some((transaction, bytes)) = entry else {
                return Err(VerifyError::Transaction {
                    block,
                    index,
                    reason: "its bytes are lacking".to_owned(),
                });
            };
            transactions.push(transaction);
            encoded.push(bytes);
        }
        check_root(
            block,
            "transactions",
            Some(self.header.header.transactions_root),
            Some(proofs::ordered_trie_root_encoded(&encoded)),
        )?;
        Ok(Parts {
            header: self.header,
            transactions,
            encoded,
        })
    }
}

/// A block in pieces.
struct Parts {
    header: CheckedHeader,
    transactions: Vec<L1Transaction>,
    encoded: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
struct BodyJson<'a> {
    #[serde(borrow)]
    transactions: Vec<&'a RawValue>,
    #[serde(default)]
    withdrawals: Option<Vec<Withdrawal>>,
}

/// Reads a header out of a block's JSON, whose transactions may be whole or only hashes. None if the
/// answer is `null`.
///
/// # Errors
///
/// If the JSON is no block, its fields do not hash to its hash, or it is another block than asked
/// for.
pub fn read_header(asked: BlockAt, json: &str) -> Result<Option<CheckedHeader>, VerifyError> {
    if json.trim() == "null" {
        return Ok(None);
    }
    let checked = check_header(json)?;
    let is_asked = match asked {
        BlockAt::Hash(hash) => hash == checked.hash,
        BlockAt::Number(number) => number == checked.header.number,
        BlockAt::Label(_) => true,
    };
    if is_asked {
        Ok(Some(checked))
    } else {
        let found = checked.id();
        Err(VerifyError::OtherBlock { asked, found })
    }
}

/// Reads a header and checks its hash, whichever block's it is.
pub(crate) fn check_header(json: &str) -> Result<CheckedHeader, VerifyError> {
    #[derive(Deserialize)]
    struct Hash {
        hash: B256,
    }
    let header: Header = parse("the L1 header", json)?;
    let Hash { hash: claimed } = parse("the L1 block", json)?;
    let found = header.hash_slow();
    if found != claimed {
        return Err(VerifyError::HeaderHash {
            number: header.number,
            claimed,
            found,
            unknown: fields_unknown(&header, json),
        });
    }
    Ok(CheckedHeader {
        hash: found,
        header,
    })
}

/// Reads a block with whole transactions. None if the answer is `null`.
///
/// # Errors
///
/// As [`read_header`]; and if a transaction cannot be read, or transactions or withdrawals do not
/// have the header's roots.
pub fn read_block(asked: BlockAt, json: &str) -> Result<Option<BlockRead>, VerifyError> {
    let header = read_header(asked, json)?;
    header.map(|header| read_body(header, json)).transpose()
}

/// Reads a block with whole transactions, some of whose bytes may be lacking, and whose
/// transactions' root is not checked before it is completed. None if the answer is `null`. Its
/// withdrawals are not looked at: a rollup has none, and what its header has in their root's place is
/// something else since Isthmus.
///
/// # Errors
///
/// As [`read_block`], but for the roots.
pub fn read_pending_block(asked: BlockAt, json: &str) -> Result<Option<PendingBlock>, VerifyError> {
    let header = read_header(asked, json)?;
    header
        .map(|header| read_pending(header, parse_body(json)?.transactions))
        .transpose()
}

/// Reads transactions and withdrawals of a block whose header was read from the same JSON.
pub(crate) fn read_body(header: CheckedHeader, json: &str) -> Result<BlockRead, VerifyError> {
    let body = parse_body(json)?;
    check_root(
        header.id(),
        "withdrawals",
        header.header.withdrawals_root,
        body.withdrawals
            .as_deref()
            .map(proofs::calculate_withdrawals_root),
    )?;
    let pending = read_pending(header, body.transactions)?;
    if pending.lacking.is_empty() {
        pending.complete(Vec::new()).map(BlockRead::Whole)
    } else {
        Ok(BlockRead::NeedsBytes(pending))
    }
}

fn parse_body(json: &str) -> Result<BodyJson<'_>, VerifyError> {
    serde_json::from_str(json).map_err(|error| VerifyError::Json {
        what: "the L1 block",
        error,
    })
}

fn read_pending(header: CheckedHeader, body: Vec<&RawValue>) -> Result<PendingBlock, VerifyError> {
    let block = header.id();
    let mut transactions = Vec::with_capacity(body.len());
    let mut lacking = Vec::new();
    for (index, json) in body.into_iter().enumerate() {
        match read_transaction(json.get()) {
            Ok(TransactionRead::Known(transaction, bytes)) => {
                transactions.push(Some((transaction, bytes)));
            }
            Ok(TransactionRead::Unknown(hash)) => {
                lacking.push((index, hash));
                transactions.push(None);
            }
            Err(reason) => {
                return Err(VerifyError::Transaction {
                    block,
                    index,
                    reason,
                });
            }
        }
    }
    Ok(PendingBlock {
        header,
        transactions,
        lacking,
    })
}

pub(super) fn check_root(
    block: BlockId,
    list: &'static str,
    expected: Option<B256>,
    found: Option<B256>,
) -> Result<(), VerifyError> {
    if expected == found {
        return Ok(());
    }
    Err(VerifyError::Root {
        block,
        list,
        expected: Maybe(expected),
        found: Maybe(found),
    })
}

/// Names of fields that neither the header as this release knows it has, nor what stands beside it.
fn fields_unknown(header: &Header, json: &str) -> Vec<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
    // A header with every field says by itself which names it has.
    let complete = Header {
        base_fee_per_gas: Some(0),
        withdrawals_root: Some(B256::ZERO),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(B256::ZERO),
        block_access_list_hash: Some(B256::ZERO),
        slot_number: Some(0),
        ..header.clone()
    };
    let known = serde_json::to_value(complete).unwrap_or_default();
    fields
        .into_keys()
        .filter(|name| known.get(name).is_none() && !BESIDE_HEADER.contains(&name.as_str()))
        .collect()
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly every transaction is of the large variant"
)]
enum TransactionRead {
    /// With its canonical encoding.
    Known(L1Transaction, Vec<u8>),
    /// Its hash, by the endpoint's word.
    Unknown(B256),
}

#[derive(Deserialize)]
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

fn read_transaction(json: &str) -> Result<TransactionRead, String> {
    #[derive(Deserialize)]
    struct Outline {
        #[serde(default, rename = "type")]
        tx_type: Option<Quantity>,
        hash: B256,
    }
    let outline: Outline = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let tx_type = outline.tx_type.map_or(0, |tx_type| tx_type.0);
    let (transaction, bytes) = match tx_type {
        0..=4 => {
            let envelope: TxEnvelope =
                serde_json::from_str(json).map_err(|error| error.to_string())?;
            if u64::from(envelope.ty()) != tx_type {
                return Err(format!("it says type {tx_type}, and has another's fields"));
            }
            // The envelope keeps the hash that the JSON says.
            let bytes = envelope.encoded_2718();
            if *envelope.tx_hash() != keccak256(&bytes) {
                return Err(format!("it does not hash to {}", outline.hash));
            }
            (L1Transaction::Signed(envelope), bytes)
        }
        tx_type if tx_type == u64::from(DEPOSIT_TX_TYPE) => {
            let json: DepositJson =
                serde_json::from_str(json).map_err(|error| error.to_string())?;
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
            let bytes = deposit.encode().to_vec();
            let DepositTx {
                from,
                to,
                data: input,
                ..
            } = deposit;
            (L1Transaction::Deposit { from, to, input }, bytes)
        }
        // EIP-2718: beyond are legacy transactions' first bytes
        5..=0x7f => return Ok(TransactionRead::Unknown(outline.hash)),
        _ => return Err(format!("{tx_type} is no transaction type")),
    };
    Ok(TransactionRead::Known(transaction, bytes))
}

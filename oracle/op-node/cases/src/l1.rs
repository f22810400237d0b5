//! The L1: accounts, transactions, blocks, and their JSON.

use crate::random::Random;
use alloy_consensus::{
    SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxEnvelope, TxLegacy,
    crypto::secp256k1::sign_message,
};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256, address, hex, keccak256};
use doppio_protocol::{
    blob::Blob,
    config::ChainConfig,
    l1::{L1Block, L1Header, L1Receipt, L1Transaction},
};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};

pub(crate) const L1_CHAIN_ID: u64 = 900;
pub(crate) const L2_CHAIN_ID: u64 = 901;
pub(crate) const INBOX: Address = address!("ff00000000000000000000000000000000000901");
pub(crate) const PORTAL: Address = address!("0000000000000000000000000000000000001001");
pub(crate) const SYSTEM_CONFIG: Address = address!("0000000000000000000000000000000000001002");
/// Number of the L1 block where the rollup starts.
pub(crate) const FIRST_L1: u64 = 100;
/// First time at which L1 headers have blob fields.
const CANCUN: u64 = 1_710_338_135;

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u8);

/// The account that posts batches at first, the one that may follow it, and somebody else.
pub(crate) const KEYS: [Key; 3] = [Key(1), Key(2), Key(3)];

impl Key {
    pub(crate) fn address(self) -> Address {
        let tx = L1Transaction::Signed(self.sign(TxLegacy {
            chain_id: Some(L1_CHAIN_ID),
            ..TxLegacy::default()
        }));
        tx.sender(L1_CHAIN_ID).expect("signed a line above")
    }

    pub(crate) fn sign<T>(self, tx: T) -> TxEnvelope
    where
        T: SignableTransaction<alloy_primitives::Signature>,
        TxEnvelope: From<alloy_consensus::Signed<T>>,
    {
        let secret = B256::repeat_byte(self.0);
        let signature = sign_message(secret, tx.signature_hash()).expect("a good key");
        tx.into_signed(signature).into()
    }
}

/// An L1 transaction and its outcome.
#[derive(Clone, Debug)]
pub(crate) struct L1Tx {
    pub(crate) envelope: TxEnvelope,
    pub(crate) success: bool,
    pub(crate) logs: Vec<Log>,
}

impl L1Tx {
    /// A transaction of a random type with calldata.
    pub(crate) fn call(random: &mut Random, key: Key, to: TxKind, input: Bytes) -> Self {
        let chain_id = L1_CHAIN_ID;
        let recipient = to.to().copied().unwrap_or_default();
        let envelope = match random.weighted(&[60, 10, 5, 1, 10, 4, 3]) {
            0 => key.sign(TxEip1559 {
                chain_id,
                to,
                input,
                ..TxEip1559::default()
            }),
            kind @ 1..=3 => key.sign(TxLegacy {
                chain_id: [Some(chain_id), None, Some(chain_id + 7)][kind - 1],
                to,
                input,
                ..TxLegacy::default()
            }),
            4 => key.sign(TxEip2930 {
                chain_id,
                to,
                input,
                ..TxEip2930::default()
            }),
            5 => key.sign(TxEip7702 {
                chain_id,
                to: recipient,
                input,
                ..TxEip7702::default()
            }),
            _ => key.sign(TxEip1559 {
                chain_id: chain_id + 1,
                to,
                input,
                ..TxEip1559::default()
            }),
        };
        Self::of(envelope)
    }

    /// A blob transaction.
    pub(crate) fn blobs(random: &mut Random, key: Key, to: Address, hashes: Vec<B256>) -> Self {
        let length = random.pick(&[0, 0, 40]);
        Self::of(key.sign(TxEip4844 {
            chain_id: L1_CHAIN_ID,
            to,
            blob_versioned_hashes: hashes,
            input: random.bytes(length).into(),
            ..TxEip4844::default()
        }))
    }

    /// A transaction that only emits logs.
    pub(crate) fn with_logs(random: &mut Random, logs: Vec<Log>) -> Self {
        Self {
            logs,
            ..Self::call(
                random,
                KEYS[2],
                TxKind::Call(Address::repeat_byte(9)),
                Bytes::new(),
            )
        }
    }

    const fn of(envelope: TxEnvelope) -> Self {
        Self {
            envelope,
            success: true,
            logs: Vec::new(),
        }
    }
}

/// The L1 blocks, canonical and not.
#[derive(Clone, Debug)]
pub(crate) struct L1 {
    chain: Arc<ChainConfig>,
    blocks: HashMap<B256, L1Block>,
    /// The canonical chain, from the block where the rollup starts.
    canonical: Vec<B256>,
    pub(crate) blobs: HashMap<B256, Box<Blob>>,
    /// The JSON of all blocks in order of creation.
    pub(crate) json: Vec<Value>,
}

/// The header of the block where the rollup starts.
pub(crate) fn genesis_header(time: u64) -> L1Header {
    let cancun = time >= CANCUN;
    L1Header {
        hash: B256::repeat_byte(0x10),
        number: FIRST_L1,
        parent_hash: B256::repeat_byte(0x0f),
        timestamp: time,
        mix_hash: B256::repeat_byte(0x33),
        base_fee: U256::from(1_000_000_000),
        excess_blob_gas: cancun.then_some(0),
        parent_beacon_block_root: cancun.then_some(B256::repeat_byte(0x44)),
    }
}

impl L1 {
    pub(crate) fn new(chain: &Arc<ChainConfig>, time: u64) -> Self {
        let mut l1 = Self {
            chain: Arc::clone(chain),
            blocks: HashMap::new(),
            canonical: Vec::new(),
            blobs: HashMap::new(),
            json: Vec::new(),
        };
        l1.push(genesis_header(time), Vec::new());
        l1
    }

    /// Adds a block to the canonical chain.
    pub(crate) fn add(&mut self, random: &mut Random, after: u64, transactions: Vec<L1Tx>) {
        let parent = self.head().header;
        let timestamp = parent.timestamp + after;
        let cancun = timestamp >= CANCUN;
        let base_fee = U256::from(random.next() >> random.below(64));
        let header = L1Header {
            hash: random.word(),
            number: parent.number + 1,
            parent_hash: parent.hash,
            timestamp,
            mix_hash: random.word(),
            base_fee: if random.percent(5) {
                base_fee << 36
            } else {
                base_fee
            },
            excess_blob_gas: cancun.then(|| random.range(0, 100_000_000)),
            parent_beacon_block_root: cancun.then(|| random.word()),
        };
        self.push(header, transactions);
    }

    fn push(&mut self, header: L1Header, transactions: Vec<L1Tx>) {
        self.json.push(json!({
            "hash": header.hash,
            "number": header.number,
            "parent": header.parent_hash,
            "time": header.timestamp,
            "mix": header.mix_hash,
            "baseFee": header.base_fee.to_string(),
            "excessBlobGas": header.excess_blob_gas,
            "beaconRoot": header.parent_beacon_block_root,
            "txs": transactions
                .iter()
                .map(|tx| hex::encode_prefixed(tx.envelope.encoded_2718()))
                .collect::<Vec<_>>(),
            "receipts": transactions
                .iter()
                .map(|tx| {
                    json!({
                        "success": tx.success,
                        "logs": tx
                            .logs
                            .iter()
                            .map(|log| {
                                json!({
                                    "address": log.address,
                                    "topics": log.topics(),
                                    "data": log.data.data,
                                })
                            })
                            .collect::<Vec<_>>(),
                    })
                })
                .collect::<Vec<_>>(),
        }));
        let (transactions, receipts): (Vec<_>, Vec<_>) = transactions
            .into_iter()
            .map(|tx| {
                let receipt = L1Receipt {
                    success: tx.success,
                    logs: tx.logs,
                };
                (L1Transaction::Signed(tx.envelope), receipt)
            })
            .unzip();
        let block = L1Block::new(&self.chain.rollup, header, transactions, receipts);
        self.blocks.insert(header.hash, block);
        self.canonical.push(header.hash);
    }

    /// Takes the newest blocks off the canonical chain; the first one stays.
    pub(crate) fn reorganise(&mut self, depth: usize) {
        let length = self.canonical.len().saturating_sub(depth).max(1);
        self.canonical.truncate(length);
    }

    pub(crate) fn head(&self) -> &L1Block {
        let head = self.canonical.last().expect("the first block stays");
        &self.blocks[head]
    }

    pub(crate) fn by_hash(&self, hash: &B256) -> Option<&L1Block> {
        self.blocks.get(hash)
    }

    pub(crate) fn by_number(&self, number: u64) -> Option<&L1Block> {
        let index = usize::try_from(number.checked_sub(FIRST_L1)?).ok()?;
        self.blocks.get(self.canonical.get(index)?)
    }

    /// Keeps a blob; says what it is named by. The hash is of the right form, and nobody computes
    /// it.
    pub(crate) fn keep_blob(&mut self, blob: Box<Blob>) -> B256 {
        let mut hash = keccak256(blob.as_slice());
        hash.0[0] = 1;
        self.blobs.insert(hash, blob);
        hash
    }
}

//! A long chain that is made here: L1 blocks as large as those of Ethereum's mainnet, each with a blob
//! transaction that holds a span of L2 blocks full of users' transactions.
//!
//! The L2 blocks are those that derivation must give: attributes of their L1 origin, executed by the
//! engine in memory. What fills the L1 blocks is nobody's business: transactions and receipts with logs,
//! in a few variants, so that the chain can be held in memory here. Its reader cannot tell.

use crate::Failure;
use alloy_consensus::{
    Eip658Value, Header, Receipt, ReceiptEnvelope, SignableTransaction, TxEip1559, TxEip4844,
    TxEnvelope, constants::EMPTY_ROOT_HASH, crypto::secp256k1::sign_message,
    proofs::ordered_trie_root_encoded,
};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bloom, Bytes, Log, Signature, TxKind, U256, hex, keccak256};
use doppio_derive::{Epoch, EpochUpdates, build_attributes};
use doppio_devnet::{
    Account,
    testing::{BatchOptions, encode_channel},
};
use doppio_engine::{Genesis, MemoryChain};
use doppio_l1::verify::versioned_hash;
use doppio_protocol::{
    L2BlockRef,
    blob::encode_blob,
    config::{BlobSchedule, ChainConfig, Fork, Overrides, RollupConfig},
    frame::{ChannelId, encode_frames, split_channel},
    l1::L1Header,
    l2::L2Block,
    system_config::SystemConfig,
};
use doppio_test_vectors::Vectors;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};

/// The recorded chain whose configuration and genesis it has.
const LIKE: &str = "blobs-span-brotli-jovian";
/// Seconds of an L1 slot.
pub(crate) const SLOT: u64 = 6;
/// Transactions of others in each L1 block, with two logs each: about 1 MB of JSON.
const OTHERS: u64 = 350;
/// Different fillings of L1 blocks.
const VARIANTS: u64 = 8;
/// Transactions of users in each L2 block, and bytes of their data.
const USERS: u64 = 20;
const DATA: usize = 1000;
/// L1 blocks between an L2 block's origin and the L1 block that has its batch.
const POSTED_AFTER: usize = 2;

/// A chain.
pub(crate) struct Made {
    pub(crate) rollup: Value,
    pub(crate) l1_chain_config: String,
    pub(crate) genesis: String,
    pub(crate) alloc: String,
    pub(crate) blocks: Vec<MadeBlock>,
    /// In hexadecimal, by versioned hash.
    pub(crate) blobs: HashMap<B256, String>,
    /// The newest L2 block whose batch is in L1.
    pub(crate) safe: L2BlockRef,
    variants: Vec<Filling>,
}

/// An L1 block, without what fills it.
pub(crate) struct MadeBlock {
    pub(crate) hash: B256,
    pub(crate) header: Header,
    header_json: String,
    variant: usize,
    /// The batcher's transaction and its receipt.
    batch: Option<(String, String)>,
    pub(crate) blobs: Vec<B256>,
}

/// What fills an L1 block.
struct Filling {
    encoded: Vec<Vec<u8>>,
    encoded_receipts: Vec<Vec<u8>>,
    json: String,
    receipts_json: String,
}

/// Bytes that cannot be compressed.
fn noise(seed: u64, length: usize) -> Bytes {
    let words = (0..).map(|word: u64| {
        let mut from = [0; 16];
        from[..8].copy_from_slice(&seed.to_be_bytes());
        from[8..].copy_from_slice(&word.to_be_bytes());
        keccak256(from)
    });
    let bytes: Vec<u8> = words.take(length.div_ceil(32)).flatten().collect();
    bytes[..length].to_vec().into()
}

fn receipt_of(logs: Vec<Log>, gas: u64, is_blob: bool) -> ReceiptEnvelope {
    let receipt = Receipt {
        status: Eip658Value::Eip658(true),
        cumulative_gas_used: gas,
        logs,
    };
    if is_blob {
        ReceiptEnvelope::Eip4844(receipt.into())
    } else {
        ReceiptEnvelope::Eip1559(receipt.into())
    }
}

/// A receipt as nodes give it, with what they add.
fn receipt_json(receipt: &ReceiptEnvelope, transaction: B256, index: u64) -> Value {
    let place = json!({
        "blockHash": B256::repeat_byte(0xaa), "blockNumber": "0xffffff",
        "transactionHash": transaction, "transactionIndex": format!("{index:#x}"),
    });
    let logs = receipt.logs().iter().map(|log| {
        let mut json = place.clone();
        json["address"] = json!(log.address);
        json["topics"] = json!(log.topics());
        json["data"] = json!(log.data.data);
        json["logIndex"] = json!("0x1");
        json["removed"] = json!(false);
        json
    });
    let mut json = place.clone();
    json["logs"] = logs.collect();
    json["type"] = json!(format!("{:#x}", receipt.tx_type() as u8));
    json["status"] = json!("0x1");
    json["cumulativeGasUsed"] = json!(format!("{:#x}", receipt.cumulative_gas_used()));
    json["gasUsed"] = json!("0xc350");
    json["effectiveGasPrice"] = json!("0x3b9aca00");
    json["from"] = json!(Address::repeat_byte(0xbb));
    json["to"] = json!(Address::repeat_byte(0xcc));
    json["contractAddress"] = Value::Null;
    json["logsBloom"] = json!(receipt.logs_bloom());
    json
}

impl Filling {
    /// Calls of a token, each with two events.
    fn new(variant: u64) -> Result<Self, Failure> {
        let (mut encoded, mut encoded_receipts) = (Vec::new(), Vec::new());
        let (mut json, mut receipts_json) = (Vec::new(), Vec::new());
        for index in 0..OTHERS {
            let seed = variant * OTHERS + index;
            let address = |salt: u64| Address::from_slice(&noise(seed ^ (salt << 32), 20));
            let transaction = TxEip1559 {
                chain_id: 900,
                nonce: seed,
                gas_limit: 60_000,
                max_fee_per_gas: 2_000_000_000,
                to: TxKind::Call(address(1)),
                input: noise(seed, 260),
                ..TxEip1559::default()
            };
            let signature = Signature::new(
                U256::from_be_slice(&noise(seed, 31)),
                U256::from_be_slice(&noise(seed + 1, 31)),
                false,
            );
            let transaction = TxEnvelope::from(transaction.into_signed(signature));
            let log = |salt| {
                let topics = (0..3).map(|topic| keccak256([salt, topic])).collect();
                Log::new_unchecked(address(1), topics, noise(seed + u64::from(salt), 96))
            };
            let receipt = receipt_of(vec![log(2), log(3)], 50_000 * (index + 1), false);
            json.push(serde_json::to_string(&transaction)?);
            receipts_json.push(receipt_json(&receipt, *transaction.tx_hash(), index).to_string());
            encoded.push(transaction.encoded_2718());
            encoded_receipts.push(receipt.encoded_2718());
        }
        Ok(Self {
            encoded,
            encoded_receipts,
            json: json.join(","),
            receipts_json: receipts_json.join(","),
        })
    }
}

/// Users' transactions, and the L2 chain that has them.
struct L2 {
    chain: ChainConfig,
    engine: MemoryChain,
    head: L2BlockRef,
    config: SystemConfig,
    users: Vec<Account>,
    nonce: u64,
}

impl L2 {
    /// The transactions of the next block.
    fn transactions(&mut self) -> Result<Vec<Bytes>, Failure> {
        let mut transactions = Vec::new();
        for _ in 0..USERS / self.users.len() as u64 {
            for (index, user) in self.users.iter().enumerate() {
                let transaction = TxEip1559 {
                    chain_id: self.chain.rollup.l2_chain_id,
                    nonce: self.nonce,
                    gas_limit: 100_000,
                    max_fee_per_gas: 100_000_000_000,
                    max_priority_fee_per_gas: 1,
                    to: TxKind::Call(user.address),
                    input: noise(self.nonce * 1000 + index as u64, DATA),
                    ..TxEip1559::default()
                };
                let key = user.key_hex().parse()?;
                let signature = sign_message(key, transaction.signature_hash())?;
                let signed = transaction.into_signed(signature);
                transactions.push(signed.encoded_2718().into());
            }
            self.nonce += 1;
        }
        Ok(transactions)
    }

    /// Makes the next block.
    fn next(&mut self, epoch: Epoch<'_>) -> Result<L2Block, Failure> {
        // a block that activates a fork has no users' transactions
        let time = self.head.timestamp + self.chain.rollup.block_time;
        let transactions = match self.chain.rollup.forks.time(Fork::Jovian) {
            Some(activation) if activation == time => Vec::new(),
            _ => self.transactions()?,
        };
        let built = build_attributes(&self.chain, &self.head, &self.config, epoch)?;
        let mut attributes = built.attributes;
        attributes.transactions = transactions.iter().map(AsRef::as_ref).collect();
        let made = self.engine.execute(&attributes)?;
        let all = attributes.all_transactions().map(Bytes::copy_from_slice);
        let block = L2Block {
            hash: made.hash,
            header: made.header,
            transactions: all.collect(),
        };
        self.head = block.block_ref(&self.chain)?;
        self.config = block.system_config(&self.chain)?;
        Ok(block)
    }
}

/// The batcher's transaction for a channel: its JSON, bytes, and blobs.
fn batch_transaction(
    chain: &ChainConfig,
    batcher: &Account,
    nonce: u64,
    channel: &Bytes,
) -> Result<(TxEnvelope, Vec<(B256, String)>), Failure> {
    let options = BatchOptions::default();
    let id = ChannelId::from_slice(&keccak256(channel)[..16]);
    let frames = split_channel(id, channel, options.max_frame_size)?;
    let mut blobs = Vec::new();
    for frame in &frames {
        let blob = encode_blob(&encode_frames([frame]))?;
        blobs.push((versioned_hash(&blob)?, hex::encode_prefixed(*blob)));
    }
    let transaction = TxEip4844 {
        chain_id: chain.rollup.l1_chain_id,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        to: chain.rollup.batch_inbox_address,
        blob_versioned_hashes: blobs.iter().map(|(hash, _)| *hash).collect(),
        max_fee_per_blob_gas: 1_000,
        ..TxEip4844::default()
    };
    let signature = sign_message(batcher.key_hex().parse()?, transaction.signature_hash())?;
    let transaction = TxEnvelope::from(transaction.into_signed(signature));
    Ok((transaction, blobs))
}

impl Made {
    /// Makes a chain of so many L1 blocks.
    pub(crate) fn new(vectors: &Vectors, length: u64) -> Result<Self, Failure> {
        let genesis = vectors.text(format!("{LIKE}/genesis.json"));
        let alloc = vectors.text("alloc-901.json.gz");
        let l1_chain_config = vectors.text(format!("{LIKE}/l1-chain-config.json"));
        let mut rollup = vectors.json(format!("{LIKE}/rollup.json"));
        let batcher = Account::user(9)?;
        let mut made = Self {
            rollup: Value::Null,
            l1_chain_config,
            genesis,
            alloc,
            blocks: Vec::new(),
            blobs: HashMap::new(),
            safe: L2BlockRef::default(),
            variants: (0..VARIANTS).map(Filling::new).collect::<Result<_, _>>()?,
        };
        let time = rollup["genesis"]["l2_time"].as_u64().ok_or("no l2_time")?;
        made.push(time, None)?;
        rollup["genesis"]["l1"] = json!({"hash": made.blocks[0].hash, "number": 0});
        rollup["genesis"]["system_config"]["batcherAddr"] = json!(batcher.address);
        made.rollup = rollup;
        let mut l2 = made.l2()?;
        let per_slot = SLOT / l2.chain.rollup.block_time;
        let mut waiting: VecDeque<Vec<L2Block>> = VecDeque::new();
        let mut waiting_refs = VecDeque::new();
        for number in 0..length {
            // the L2 blocks of the newest L1 block's epoch
            let block = &made.blocks[made.blocks.len() - 1];
            let header = L1Header::from_consensus(block.hash, &block.header);
            let nothing = EpochUpdates {
                deposits: Ok(Vec::new()),
                config_updates: Vec::new(),
            };
            let mut blocks = Vec::new();
            for index in 0..per_slot {
                // the genesis block is the first of its epoch
                let epoch = if index == 0 && number > 0 {
                    Epoch::Next(&header, &nothing)
                } else {
                    Epoch::Same(&header)
                };
                if number == 0 && index == 0 {
                    continue;
                }
                blocks.push(l2.next(epoch)?);
            }
            waiting.push_back(blocks);
            waiting_refs.push_back(l2.head);
            let mut batch = None;
            if waiting.len() > POSTED_AFTER
                && let Some(blocks) = waiting.pop_front()
            {
                let channel = encode_channel(&l2.chain, &blocks, &BatchOptions::default())?;
                batch = Some(batch_transaction(&l2.chain, &batcher, number, &channel)?);
                made.safe = waiting_refs.pop_front().unwrap_or_default();
            }
            made.push(time + (number + 1) * SLOT, batch)?;
        }
        Ok(made)
    }

    fn l2(&self) -> Result<L2, Failure> {
        let rollup = RollupConfig::parse(&self.rollup.to_string(), false)?.config;
        let overrides = Overrides {
            l1_blob_schedule: Some(BlobSchedule::from_l1_chain_config(&self.l1_chain_config)?),
            ..Overrides::default()
        };
        let chain = ChainConfig::new(rollup, overrides)?;
        let genesis = Genesis::parse(&self.genesis, Some(&self.alloc))?;
        let rollup = &chain.rollup;
        Ok(L2 {
            head: L2BlockRef {
                hash: rollup.genesis.l2.hash,
                number: rollup.genesis.l2.number,
                parent_hash: genesis.header.parent_hash,
                timestamp: rollup.genesis.l2_time,
                l1_origin: rollup.genesis.l1,
                sequence_number: 0,
            },
            config: rollup.genesis.system_config,
            engine: MemoryChain::new(genesis)?,
            users: (0..5).map(Account::user).collect::<Result<_, _>>()?,
            nonce: 0,
            chain,
        })
    }

    /// Appends an L1 block.
    fn push(
        &mut self,
        timestamp: u64,
        batch: Option<(TxEnvelope, Vec<(B256, String)>)>,
    ) -> Result<(), Failure> {
        let number = self.blocks.len();
        let variant = number % self.variants.len();
        let filling = &self.variants[variant];
        let mut encoded = filling.encoded.clone();
        let mut receipts = filling.encoded_receipts.clone();
        let mut hashes = Vec::new();
        let mut batch_json = None;
        if let Some((transaction, blobs)) = batch {
            let receipt = receipt_of(Vec::new(), 50_000 * OTHERS + 21_000, true);
            encoded.push(transaction.encoded_2718());
            receipts.push(receipt.encoded_2718());
            let json = receipt_json(&receipt, *transaction.tx_hash(), OTHERS);
            batch_json = Some((serde_json::to_string(&transaction)?, json.to_string()));
            for (hash, blob) in blobs {
                hashes.push(hash);
                self.blobs.insert(hash, blob);
            }
        }
        let parent = self.blocks.last();
        let header = Header {
            parent_hash: parent.map(|parent| parent.hash).unwrap_or_default(),
            number: number as u64,
            timestamp,
            gas_limit: 36_000_000,
            gas_used: 17_500_000,
            base_fee_per_gas: Some(1_000_000_000),
            transactions_root: ordered_trie_root_encoded(&encoded),
            receipts_root: ordered_trie_root_encoded(&receipts),
            withdrawals_root: Some(EMPTY_ROOT_HASH),
            blob_gas_used: Some(131_072 * hashes.len() as u64),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::repeat_byte(1)),
            logs_bloom: Bloom::repeat_byte(0x5a),
            ..Header::default()
        };
        let hash = header.hash_slow();
        let mut json = serde_json::to_value(&header)?;
        json["hash"] = json!(hash);
        json["withdrawals"] = json!([]);
        // the transactions follow
        let header_json = json.to_string().trim_end_matches('}').to_owned();
        self.blocks.push(MadeBlock {
            hash,
            header,
            header_json,
            variant,
            batch: batch_json,
            blobs: hashes,
        });
        Ok(())
    }

    /// A block as `eth_getBlockByNumber` gives it.
    pub(crate) fn block_json(&self, number: usize, with_transactions: bool) -> Option<String> {
        let block = self.blocks.get(number)?;
        let header = &block.header_json;
        if !with_transactions {
            return Some(format!("{header},\"transactions\":[]}}"));
        }
        let others = &self.variants[block.variant].json;
        Some(match &block.batch {
            None => format!("{header},\"transactions\":[{others}]}}"),
            Some((batch, _)) => format!("{header},\"transactions\":[{others},{batch}]}}"),
        })
    }

    /// As `eth_getBlockReceipts` gives them.
    pub(crate) fn receipts_json(&self, number: usize) -> Option<String> {
        let block = self.blocks.get(number)?;
        let others = &self.variants[block.variant].receipts_json;
        Some(match &block.batch {
            None => format!("[{others}]"),
            Some((_, batch)) => format!("[{others},{batch}]"),
        })
    }
}

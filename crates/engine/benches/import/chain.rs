//! Chains to import: recorded ones, and three that are made here.
//!
//! A made chain begins with the genuine OP Stack contracts, 20,000 users with ether and tokens, and
//! 100,000 used slots of a contract that writes storage. Block 1 activates Jovian. Each block after
//! it begins with the L1-info deposit of its place, and uses about 30 Mgas.

use crate::{
    Failure,
    contracts::{self, TOKEN, WRITER},
};
use alloy_consensus::{
    Header, SignableTransaction, TxEip1559, TxReceipt, crypto::secp256k1::sign_message,
};
use alloy_eips::Encodable2718;
use alloy_primitives::{
    Address, B64, B256, Bytes, TxKind, U256, hex, keccak256,
    map::{HashMap, HashSet},
};
use doppio_engine::{Attributes, Genesis, MemoryStore, StateAt, build_block};
use doppio_protocol::{
    attributes::SEQUENCER_FEE_VAULT,
    config::{Fork, IsthmusL1Block},
    deposit::{DepositSource, DepositTx, L1_ATTRIBUTES_DEPOSITOR},
    l1_info::{L1_BLOCK, L1BlockInfo, L1InfoLayout, REGOLITH_SYSTEM_TX_GAS},
    l2::L2Block,
    upgrades::upgrade,
};
use doppio_test_vectors::Vectors;
use op_alloy_consensus::OpTxEnvelope;
use serde_json::{Map, Value, json};

const CHAIN_ID: u64 = 901;
const GENESIS_TIME: u64 = 1_700_000_000;
const BLOCK_TIME: u64 = 2;
const USERS: u64 = 20_000;
/// Slots of the storage writer that are used at genesis.
const OLD_SLOTS: u64 = 100_000;
/// Its other slots begin here.
const NEW_SLOTS: u64 = 1 << 32;
/// Tokens that each user has at first.
const TOKENS: u64 = 1_000_000_000;

/// A block to import.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) hash: B256,
    pub(crate) header: Header,
    pub(crate) transactions: Vec<Bytes>,
}

/// A chain to import.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) name: String,
    pub(crate) genesis: Genesis,
    /// `genesis.json` with all accounts.
    pub(crate) genesis_json: String,
    /// From block 1 on.
    pub(crate) blocks: Vec<Block>,
    /// How many of the first blocks are not in the figures.
    pub(crate) unmeasured: usize,
}

impl Chain {
    /// The blocks that count.
    pub(crate) fn measured(&self) -> &[Block] {
        &self.blocks[self.unmeasured..]
    }

    /// Gas of the blocks that count, in millions.
    pub(crate) fn mgas(&self) -> f64 {
        let gas: u64 = self
            .measured()
            .iter()
            .map(|block| block.header.gas_used)
            .sum();
        gas as f64 / 1e6
    }

    /// A recorded chain.
    pub(crate) fn recorded(vectors: &Vectors, name: &str) -> Result<Self, Failure> {
        let mut json = vectors.json(format!("{name}/genesis.json"));
        json["alloc"] = vectors.json("alloc-901.json.gz");
        let genesis_json = json.to_string();
        let genesis = Genesis::parse(&genesis_json, None)?;
        let blocks = vectors
            .text(format!("{name}/l2.jsonl.gz"))
            .lines()
            .skip(1)
            .map(|line| {
                let line: Value = serde_json::from_str(line)?;
                let raw: Bytes = line["raw"].as_str().unwrap_or_default().parse()?;
                let block = L2Block::decode(&raw)?;
                Ok(Block {
                    hash: block.hash,
                    header: block.header,
                    transactions: block.transactions,
                })
            })
            .collect::<Result<_, Failure>>()?;
        Ok(Self {
            name: name.to_owned(),
            genesis,
            genesis_json,
            blocks,
            unmeasured: 0,
        })
    }
}

/// What the transactions of a made chain do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Ether to users and, one in four, to new accounts.
    Transfers,
    /// Tokens to users and, one in four, to new holders.
    Tokens,
    /// Writes of 50 slots: used ones and new ones in turn.
    Storage,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Transfers, Self::Tokens, Self::Storage];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Transfers => "transfers",
            Self::Tokens => "token-transfers",
            Self::Storage => "storage-writes",
        }
    }

    /// Transactions that use about 30 Mgas.
    const fn per_block(self) -> usize {
        match self {
            Self::Transfers => 1425,
            Self::Tokens => 790,
            Self::Storage => 43,
        }
    }
}

/// A user's key and what is known of it.
#[derive(Clone, Debug)]
struct User {
    key: B256,
    address: Address,
    nonce: u64,
}

/// What the chain must come to, by a count of our own.
#[derive(Debug, Default)]
struct Expected {
    ether: HashMap<Address, U256>,
    tokens: HashMap<Address, U256>,
    slots: HashMap<u64, u64>,
}

/// Makes transactions, always the same ones.
#[derive(Debug)]
struct Maker {
    kind: Kind,
    users: Vec<User>,
    addresses: HashSet<Address>,
    random: u64,
    /// Transactions so far.
    made: u64,
    /// New accounts, holders or slots so far.
    new: u64,
    expected: Expected,
}

fn users() -> Result<Vec<User>, Failure> {
    // the address is found as the sender of what the key signs
    let hash = B256::repeat_byte(1);
    (0..USERS)
        .map(|index| {
            let key = keccak256(format!("a user of the benchmark: {index}"));
            let address = sign_message(key, hash)?.recover_address_from_prehash(&hash)?;
            Ok(User {
                key,
                address,
                nonce: 0,
            })
        })
        .collect()
}

impl Maker {
    fn random(&mut self, below: u64) -> u64 {
        // splitmix64
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.random;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % below
    }

    /// Who gets something.
    fn recipient(&mut self) -> Address {
        if self.random(4) > 0 {
            let user = self.random(USERS);
            return self.users[usize::try_from(user).unwrap_or_default()].address;
        }
        self.new += 1;
        Address::from_word(keccak256(format!("a new account: {}", self.new)))
    }

    /// The next transaction with its signer's key.
    fn next(&mut self, block: u64) -> (B256, TxEip1559) {
        let sender = usize::try_from(self.random(USERS)).unwrap_or_default();
        let from = self.users[sender].address;
        let mut transaction = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: self.users[sender].nonce,
            max_fee_per_gas: 1_000_000_000_000,
            max_priority_fee_per_gas: 1_000_000,
            ..TxEip1559::default()
        };
        match self.kind {
            Kind::Transfers => {
                let to = self.recipient();
                let value = U256::from(1 + self.random(1_000_000));
                *self.expected.ether.entry(to).or_default() += value;
                transaction.gas_limit = 21_000;
                transaction.to = TxKind::Call(to);
                transaction.value = value;
            }
            Kind::Tokens => {
                let to = self.recipient();
                let amount = 1 + self.random(1_000);
                *self.tokens(from) -= U256::from(amount);
                *self.tokens(to) += U256::from(amount);
                transaction.gas_limit = 60_000;
                transaction.to = TxKind::Call(TOKEN);
                transaction.input = contracts::transfer(to, amount).into();
            }
            Kind::Storage => {
                const NUMBER: u64 = 50;
                let first = if self.made.is_multiple_of(2) {
                    self.random(OLD_SLOTS - NUMBER)
                } else {
                    self.new += NUMBER;
                    NEW_SLOTS + self.new
                };
                for slot in first..first + NUMBER {
                    self.expected.slots.insert(slot, block);
                }
                transaction.gas_limit = 1_400_000;
                transaction.to = TxKind::Call(WRITER);
                transaction.input = contracts::write(first, NUMBER, block).into();
            }
        }
        self.users[sender].nonce += 1;
        self.made += 1;
        (self.users[sender].key, transaction)
    }

    fn tokens(&mut self, holder: Address) -> &mut U256 {
        let first = || {
            let is_user = self.addresses.contains(&holder);
            U256::from(if is_user { TOKENS } else { 0 })
        };
        self.expected.tokens.entry(holder).or_insert_with(first)
    }
}

fn sign(key: B256, transaction: TxEip1559) -> Result<Bytes, Failure> {
    let signature = sign_message(key, transaction.signature_hash())?;
    let signed = OpTxEnvelope::from(transaction.into_signed(signature));
    Ok(signed.encoded_2718().into())
}

/// Signs on both cores.
fn sign_all(transactions: Vec<(B256, TxEip1559)>) -> Result<Vec<Bytes>, Failure> {
    let signed = |part: &[(B256, TxEip1559)]| -> Result<Vec<Bytes>, String> {
        part.iter()
            .map(|(key, transaction)| sign(*key, transaction.clone()).map_err(|e| e.to_string()))
            .collect()
    };
    let (one, two) = transactions.split_at(transactions.len() / 2);
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| signed(one));
        (one.join(), signed(two))
    });
    let mut all = one.map_err(|_| "a thread panicked")??;
    all.extend(two?);
    Ok(all)
}

fn genesis_json(vectors: &Vectors, users: &[User]) -> Result<String, Failure> {
    let mut json = vectors.json("blobs-span-brotli-jovian/genesis.json");
    json["timestamp"] = json!(format!("{GENESIS_TIME:#x}"));
    json["config"]["jovianTime"] = json!(GENESIS_TIME + BLOCK_TIME);
    let Value::Object(mut alloc) = vectors.json("alloc-901.json.gz") else {
        return Err("the recorded alloc is no object".into());
    };
    let word = |value: u64| json!(B256::from(U256::from(value)));
    let mut balances = Map::new();
    for user in users {
        let balance = json!({ "balance": "0xffffffffffffffffffffffff" });
        alloc.insert(user.address.to_string(), balance);
        let slot = contracts::balance_slot(user.address);
        balances.insert(slot.to_string(), word(TOKENS));
    }
    let slots = (0..OLD_SLOTS).map(|slot| {
        let name = B256::from(U256::from(slot)).to_string();
        (name, word(1))
    });
    for (address, code, storage) in [
        (TOKEN, contracts::token(), balances),
        (WRITER, contracts::writer(), slots.collect()),
    ] {
        let code = hex::encode_prefixed(code);
        let account = json!({ "balance": "0x0", "nonce": "0x1", "code": code, "storage": storage });
        alloc.insert(address.to_string(), account);
    }
    json["alloc"] = Value::Object(alloc);
    Ok(json.to_string())
}

/// The first transactions of a block: its L1 info and, in block 1, those of the upgrade.
fn deposits(number: u64) -> Vec<Bytes> {
    const BLOCKS_OF_AN_EPOCH: u64 = 6;
    let epoch = number / BLOCKS_OF_AN_EPOCH;
    let info = L1BlockInfo {
        number: epoch,
        time: GENESIS_TIME + epoch * BLOCKS_OF_AN_EPOCH * BLOCK_TIME,
        base_fee: U256::from(1_000_000_000),
        block_hash: keccak256(format!("L1 block {epoch}")),
        sequence_number: number % BLOCKS_OF_AN_EPOCH,
        batcher: Address::repeat_byte(0xba),
        blob_base_fee: U256::from(1),
        base_fee_scalar: 1368,
        blob_base_fee_scalar: 810_949,
        da_footprint_gas_scalar: 100,
        ..L1BlockInfo::default()
    };
    let (layout, upgrades) = match number {
        1 => {
            let upgrade = upgrade(Fork::Jovian, IsthmusL1Block::Upstream);
            (L1InfoLayout::Isthmus, &upgrade.transactions[..])
        }
        _ => (L1InfoLayout::Jovian, &[][..]),
    };
    let source = DepositSource::L1Info {
        l1_block_hash: info.block_hash,
        sequence_number: info.sequence_number,
    };
    let deposit = DepositTx {
        source_hash: source.hash(),
        from: L1_ATTRIBUTES_DEPOSITOR,
        to: Some(L1_BLOCK),
        gas: REGOLITH_SYSTEM_TX_GAS,
        data: info.encode(layout),
        ..DepositTx::default()
    };
    let mut deposits = vec![deposit.encode()];
    deposits.extend_from_slice(upgrades);
    deposits
}

/// Makes a chain whose last `number` blocks are full, and checks that it does what it should.
pub(crate) fn make(vectors: &Vectors, kind: Kind, number: usize) -> Result<Chain, Failure> {
    let users = users()?;
    let genesis_json = genesis_json(vectors, &users)?;
    let genesis = Genesis::parse(&genesis_json, None)?;
    let mut maker = Maker {
        kind,
        addresses: users.iter().map(|user| user.address).collect(),
        users,
        random: 1,
        made: 0,
        new: 0,
        expected: Expected::default(),
    };
    let mut store = MemoryStore::with_genesis(&genesis)?;
    let mut parent = (genesis.header.clone(), genesis.hash);
    let mut blocks: Vec<Block> = Vec::new();
    for height in 1..=number as u64 + 1 {
        let mut transactions = deposits(height);
        let first = transactions.len();
        if height > 1 {
            let signed = sign_all((0..kind.per_block()).map(|_| maker.next(height)).collect())?;
            transactions.extend(signed);
        }
        let attributes = Attributes {
            timestamp: parent.0.timestamp + BLOCK_TIME,
            fee_recipient: SEQUENCER_FEE_VAULT,
            prev_randao: keccak256(height.to_be_bytes()),
            gas_limit: parent.0.gas_limit,
            parent_beacon_block_root: Some(keccak256(format!("beacon {height}"))),
            eip1559_params: Some(B64::ZERO),
            min_base_fee: Some(0),
        };
        let above = (&parent.0, parent.1);
        let block = build_block(&genesis.spec, &store, above, &attributes, &transactions)?;
        let receipts = &block.executed.receipts;
        if !receipts.iter().all(TxReceipt::status) {
            return Err(format!("a transaction of block {height} failed").into());
        }
        let logs = usize::from(kind == Kind::Tokens);
        if receipts[first..].iter().any(|r| r.logs().len() != logs) {
            return Err(format!("block {height} has other logs than it should").into());
        }
        if height > 1 && !(29_000_000..31_000_000).contains(&block.header.gas_used) {
            return Err(format!("block {height} uses {} gas", block.header.gas_used).into());
        }
        store.add(&block.executed.state)?;
        store.set_block_hash(height, block.hash);
        parent = (block.header.clone(), block.hash);
        blocks.push(Block {
            hash: block.hash,
            header: block.header,
            transactions: block.transactions,
        });
    }
    maker.check(&StateAt::new(&store, parent.0.state_root))?;
    Ok(Chain {
        name: kind.name().to_owned(),
        genesis,
        genesis_json,
        blocks,
        unmeasured: 1,
    })
}

impl Maker {
    /// Compares the state with what the transactions should have made.
    fn check(&self, state: &StateAt<&MemoryStore>) -> Result<(), Failure> {
        let same = |what: &str, found: U256, expected: U256| {
            if found == expected {
                Ok(())
            } else {
                Err(format!("{what}: {found} instead of {expected}"))
            }
        };
        for (address, balance) in &self.expected.ether {
            // users also pay fees
            if !self.addresses.contains(address) {
                let found = state.account(*address)?.map(|account| account.balance);
                same("ether", found.unwrap_or_default(), *balance)?;
            }
        }
        for (address, balance) in &self.expected.tokens {
            let slot = contracts::balance_slot(*address);
            same("tokens", state.storage(TOKEN, slot.into())?, *balance)?;
        }
        for (slot, value) in &self.expected.slots {
            let found = state.storage(WRITER, U256::from(*slot))?;
            same("slot", found, U256::from(*value))?;
        }
        Ok(())
    }
}

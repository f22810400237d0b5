//! The database: one redb file.
//!
//! Blocks and code are stored under their hash and never changed; only the names that point to them
//! are: which block of a height is canonical, where a transaction is, and the labels. Trie nodes are
//! numbered as they come, and each says at which numbers those are that it refers to; only the roots
//! of states are looked up by hash. So a block's nodes lie side by side, and what a block costs does
//! not grow with the database. Nodes are never taken away: the state of every stored block can be
//! read.
//!
//! What is durable when: a block comes in by one transaction, with all that it made, and so does a
//! change of the chain. A block alone is not forced to the disk; a change of the chain is, with
//! every block before it. So when `forkchoiceUpdated` has answered, its head survives the death of
//! the process and of the machine; a block that never became part of the chain may be gone, and is
//! sent again by the rollup node. After a crash the database is at the last change of the chain that
//! reached the disk, as a whole, and opens at once: each such change carries the list of free pages,
//! which would otherwise have to be gathered from the whole file.

use crate::{
    block::ExecutedBlock,
    genesis::Genesis,
    state::StateSource,
    trie::{NEW, NO_PLACE, NewNode, Node, NodeSource, SourceError, decode_prefix},
};
use alloy_consensus::Header;
use alloy_eips::{Decodable2718, Encodable2718};
use alloy_primitives::{B256, Bytes, keccak256, map::HashMap};
use alloy_rlp::{Decodable, Encodable};
use core::fmt;
use op_alloy_consensus::OpReceiptEnvelope;
use redb::{
    Database, DatabaseError, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase,
    ReadableTable, TableDefinition, WriteTransaction, backends::InMemoryBackend,
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};
use thiserror::Error;

type Hash = [u8; 32];

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const HEADERS: TableDefinition<'_, &Hash, &[u8]> = TableDefinition::new("headers");
const BODIES: TableDefinition<'_, &Hash, &[u8]> = TableDefinition::new("bodies");
const RECEIPTS: TableDefinition<'_, &Hash, &[u8]> = TableDefinition::new("receipts");
const CANONICAL: TableDefinition<'_, u64, &Hash> = TableDefinition::new("canonical");
const TRANSACTIONS: TableDefinition<'_, &Hash, (u64, u32)> = TableDefinition::new("transactions");
/// Trie nodes by their place: their encoding, and then the places of what they refer to.
const NODES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("nodes");
/// The places of the roots of states.
const ROOTS: TableDefinition<'_, &Hash, u64> = TableDefinition::new("roots");
const CODES: TableDefinition<'_, &Hash, &[u8]> = TableDefinition::new("codes");

/// Changes whenever the tables do.
const SCHEMA: u32 = 2;
/// Trie nodes that are kept decoded, at most twice as many.
const CACHED_NODES: usize = 100_000;
/// Bytes of a place in a stored node: enough for 2^48 nodes.
const PLACE_BYTES: usize = 6;

/// Why the database cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("{0} is in use: another engine runs on this database")]
    InUse(PathBuf),
    /// Not a database, or a damaged one.
    #[error(
        "{path} is no database of this engine, or it is damaged: {error}. Restore a copy, or delete it and let the node derive the chain again"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: DatabaseError,
    },
    /// A database of another program, or of another version of this one.
    #[error("{path} holds a database of schema {found:?}; this release reads schema {SCHEMA}")]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        found: Option<u32>,
    },
    /// The database of another chain.
    #[error(
        "{path} holds the chain that begins with {found}, and not the one that begins with {expected}"
    )]
    Genesis {
        /// The file.
        path: PathBuf,
        /// Its first block.
        found: B256,
        /// The genesis of the configuration.
        expected: B256,
    },
    /// An entry that cannot be read, although it was written here.
    #[error("the database is damaged: {what} {key} is malformed")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// Under which key.
        key: String,
    },
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] Box<redb::Error>),
}

macro_rules! database_errors {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        })*
    };
}

database_errors!(
    CommitError,
    SetDurabilityError,
    StorageError,
    TableError,
    TransactionError
);

impl From<StoreError> for SourceError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

/// The labels of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The newest block.
    pub head: B256,
    /// The newest block that was derived from L1; zero before there is one.
    pub safe: B256,
    /// The newest block that cannot be replaced any more; zero before there is one.
    pub finalized: B256,
}

/// Where a transaction of the canonical chain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionPlace {
    /// Height of its block.
    pub block: u64,
    /// Position in the block.
    pub index: u32,
}

/// How the canonical chain changes: all at once.
#[derive(Clone, Debug)]
pub struct ChainUpdate {
    /// Blocks that are canonical no more, by height.
    pub removed: Vec<(u64, B256)>,
    /// Blocks that become canonical, by height.
    pub added: Vec<(u64, B256)>,
    /// The labels from now on.
    pub labels: Labels,
}

/// The database.
#[derive(Debug)]
pub struct Store {
    // before the database, which must be dropped last
    state: RwLock<StateTables>,
    database: Database,
    cache: Mutex<NodeCache>,
    labels: RwLock<Labels>,
}

/// What execution reads, as of the newest block: to open a table for a trie node takes longer than
/// to read the node.
struct StateTables {
    nodes: ReadOnlyTable<u64, &'static [u8]>,
    roots: ReadOnlyTable<&'static Hash, u64>,
    codes: ReadOnlyTable<&'static Hash, &'static [u8]>,
}

impl fmt::Debug for StateTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateTables").finish_non_exhaustive()
    }
}

impl StateTables {
    fn open(database: &Database) -> Result<Self, StoreError> {
        let read = database.begin_read()?;
        Ok(Self {
            nodes: read.open_table(NODES)?,
            roots: read.open_table(ROOTS)?,
            codes: read.open_table(CODES)?,
        })
    }
}

impl Store {
    /// Opens the database of a chain, or makes it. `cache_bytes` is what redb may hold in memory.
    pub fn open(path: &Path, genesis: &Genesis, cache_bytes: usize) -> Result<Self, StoreError> {
        let database = Database::builder()
            .set_cache_size(cache_bytes)
            .create(path)
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
                error => StoreError::Open {
                    path: path.to_owned(),
                    error,
                },
            })?;
        Self::with_database(database, path, genesis)
    }

    /// A database of a chain that is gone when it is dropped.
    pub fn in_memory(genesis: &Genesis) -> Result<Self, StoreError> {
        let path = Path::new("memory");
        let database = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .map_err(|error| StoreError::Open {
                path: path.to_owned(),
                error,
            })?;
        Self::with_database(database, path, genesis)
    }

    fn with_database(
        database: Database,
        path: &Path,
        genesis: &Genesis,
    ) -> Result<Self, StoreError> {
        check(&database, path, genesis)?;
        let labels = read_labels(&database.begin_read()?)?;
        Ok(Self {
            state: RwLock::new(StateTables::open(&database)?),
            database,
            cache: Mutex::default(),
            labels: RwLock::new(labels),
        })
    }

    /// Keeps a block and what its execution made, on a state of this database.
    pub fn add_block(&self, block: &ExecutedBlock) -> Result<(), StoreError> {
        let mut write = self.database.begin_write()?;
        write.set_durability(Durability::None)?;
        put_header(&write, block.hash, &block.header)?;
        let body = alloy_rlp::encode(&block.transactions);
        write.open_table(BODIES)?.insert(&block.hash.0, &body[..])?;
        let receipts: Vec<Bytes> = block
            .executed
            .receipts
            .iter()
            .map(|receipt| receipt.encoded_2718().into())
            .collect();
        let receipts = alloy_rlp::encode(&receipts);
        write
            .open_table(RECEIPTS)?
            .insert(&block.hash.0, &receipts[..])?;
        let state = &block.executed.state;
        put_state(&write, state.root, &state.nodes, &state.codes)?;
        write.commit()?;
        let state = StateTables::open(&self.database)?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        Ok(())
    }

    /// Changes the canonical chain and the labels.
    pub fn update_chain(&self, update: &ChainUpdate) -> Result<(), StoreError> {
        let mut write = self.database.begin_write()?;
        write.set_quick_repair(true);
        {
            let bodies = write.open_table(BODIES)?;
            let mut canonical = write.open_table(CANONICAL)?;
            let mut transactions = write.open_table(TRANSACTIONS)?;
            for (number, hash) in &update.removed {
                canonical.remove(number)?;
                for transaction in body(&bodies, hash)?.unwrap_or_default() {
                    transactions.remove(&keccak256(&transaction).0)?;
                }
            }
            for (number, hash) in &update.added {
                canonical.insert(number, &hash.0)?;
                let body = body(&bodies, hash)?.unwrap_or_default();
                for (index, transaction) in (0..).zip(&body) {
                    transactions.insert(&keccak256(transaction).0, (*number, index))?;
                }
            }
        }
        put_labels(&write, &update.labels)?;
        write.commit()?;
        *self.labels.write().unwrap_or_else(PoisonError::into_inner) = update.labels;
        Ok(())
    }

    /// The labels.
    pub fn labels(&self) -> Labels {
        *self.labels.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A header by its hash.
    pub fn header(&self, hash: B256) -> Result<Option<Header>, StoreError> {
        let headers = self.read()?.open_table(HEADERS)?;
        let Some(rlp) = headers.get(&hash.0)? else {
            return Ok(None);
        };
        Header::decode(&mut rlp.value())
            .map(Some)
            .map_err(|_| malformed("header", hash))
    }

    /// The EIP-2718 encoded transactions of a block.
    pub fn transactions(&self, hash: B256) -> Result<Option<Vec<Bytes>>, StoreError> {
        body(&self.read()?.open_table(BODIES)?, &hash)
    }

    /// The receipts of a block.
    pub fn receipts(&self, hash: B256) -> Result<Option<Vec<OpReceiptEnvelope>>, StoreError> {
        let receipts = self.read()?.open_table(RECEIPTS)?;
        let Some(rlp) = receipts.get(&hash.0)? else {
            return Ok(None);
        };
        let encoded = Vec::<Bytes>::decode(&mut rlp.value())
            .map_err(|_| malformed("receipts of block", hash))?;
        encoded
            .iter()
            .map(|receipt| OpReceiptEnvelope::decode_2718(&mut &receipt[..]))
            .collect::<Result<_, _>>()
            .map(Some)
            .map_err(|_| malformed("receipts of block", hash))
    }

    /// The hash of the canonical block of a height.
    pub fn canonical(&self, number: u64) -> Result<Option<B256>, StoreError> {
        let canonical = self.read()?.open_table(CANONICAL)?;
        let hash = canonical.get(number)?;
        Ok(hash.map(|hash| B256::from(*hash.value())))
    }

    /// Where a transaction of the canonical chain is.
    pub fn transaction(&self, hash: B256) -> Result<Option<TransactionPlace>, StoreError> {
        let transactions = self.read()?.open_table(TRANSACTIONS)?;
        let place = transactions.get(&hash.0)?;
        Ok(place.map(|place| {
            let (block, index) = place.value();
            TransactionPlace { block, index }
        }))
    }

    fn read(&self) -> Result<ReadTransaction, StoreError> {
        Ok(self.database.begin_read()?)
    }

    /// The place of the root of a state.
    fn root_place(&self, hash: &B256) -> Result<Option<u64>, StoreError> {
        if let Some((known, place)) = self.cache().root
            && known == *hash
        {
            return Ok(Some(place));
        }
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let place = state.roots.get(&hash.0)?.map(|place| place.value());
        self.cache().root = place.map(|place| (*hash, place));
        Ok(place)
    }

    fn read_node(&self, hash: &B256, place: u64) -> Result<Option<Arc<Node>>, StoreError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let Some(stored) = state.nodes.get(place)? else {
            return Ok(None);
        };
        let malformed = || malformed("trie node", hash);
        let mut rest = stored.value();
        let node = decode_prefix(*hash, &mut rest).map_err(|_| malformed())?;
        let (places, []) = rest.as_chunks::<PLACE_BYTES>() else {
            return Err(malformed());
        };
        let places = places.iter().map(|bytes| {
            let mut place = [0; 8];
            place[8 - PLACE_BYTES..].copy_from_slice(bytes);
            u64::from_be_bytes(place)
        });
        let places = places.collect();
        Ok(Some(Arc::new(Node { node, places })))
    }

    fn cache(&self) -> MutexGuard<'_, NodeCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_code(&self, hash: &B256) -> Result<Option<Bytes>, StoreError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let code = state.codes.get(&hash.0)?;
        Ok(code.map(|code| Bytes::copy_from_slice(code.value())))
    }
}

/// Checks that the database is this chain's, and fills it if it is new.
fn check(database: &Database, path: &Path, genesis: &Genesis) -> Result<(), StoreError> {
    let write = database.begin_write()?;
    let (schema, first, is_new) = {
        let meta = write.open_table(META)?;
        let schema = meta.get("schema")?.map(|value| value.value().to_vec());
        let first = meta.get("genesis")?.map(|value| value.value().to_vec());
        let is_new = meta.first()?.is_none();
        (schema, first, is_new)
    };
    if is_new {
        write_genesis(&write, genesis)?;
        return Ok(write.commit()?);
    }
    write.abort()?;
    let found = schema.and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
    if found != Some(SCHEMA) {
        let path = path.to_owned();
        return Err(StoreError::Schema { path, found });
    }
    let found = first.map_or(B256::ZERO, |bytes| B256::left_padding_from(&bytes));
    if found != genesis.hash {
        return Err(StoreError::Genesis {
            path: path.to_owned(),
            found,
            expected: genesis.hash,
        });
    }
    Ok(())
}

fn write_genesis(write: &WriteTransaction, genesis: &Genesis) -> Result<(), StoreError> {
    put_header(write, genesis.hash, &genesis.header)?;
    let empty = alloy_rlp::encode(Vec::<Bytes>::new());
    write
        .open_table(BODIES)?
        .insert(&genesis.hash.0, &empty[..])?;
    write
        .open_table(RECEIPTS)?
        .insert(&genesis.hash.0, &empty[..])?;
    put_state(
        write,
        genesis.header.state_root,
        &genesis.nodes,
        &genesis.codes,
    )?;
    write
        .open_table(CANONICAL)?
        .insert(genesis.header.number, &genesis.hash.0)?;
    put_labels(
        write,
        &Labels {
            head: genesis.hash,
            safe: B256::ZERO,
            finalized: B256::ZERO,
        },
    )?;
    let mut meta = write.open_table(META)?;
    meta.insert("schema", &SCHEMA.to_be_bytes()[..])?;
    meta.insert("genesis", &genesis.hash.0[..])?;
    Ok(())
}

fn read_labels(read: &ReadTransaction) -> Result<Labels, StoreError> {
    let meta = read.open_table(META)?;
    let label = |name: &'static str| -> Result<B256, StoreError> {
        let value = meta.get(name)?.ok_or_else(|| malformed("label", name))?;
        let bytes: Hash = value
            .value()
            .try_into()
            .map_err(|_| malformed("label", name))?;
        Ok(bytes.into())
    };
    Ok(Labels {
        head: label("head")?,
        safe: label("safe")?,
        finalized: label("finalized")?,
    })
}

fn malformed(what: &'static str, key: impl ToString) -> StoreError {
    StoreError::Malformed {
        what,
        key: key.to_string(),
    }
}

fn body(
    bodies: &impl ReadableTable<&'static Hash, &'static [u8]>,
    hash: &B256,
) -> Result<Option<Vec<Bytes>>, StoreError> {
    let Some(rlp) = bodies.get(&hash.0)? else {
        return Ok(None);
    };
    Vec::<Bytes>::decode(&mut rlp.value())
        .map(Some)
        .map_err(|_| malformed("body of block", hash))
}

fn put_header(write: &WriteTransaction, hash: B256, header: &Header) -> Result<(), StoreError> {
    let mut rlp = Vec::with_capacity(header.length());
    header.encode(&mut rlp);
    write.open_table(HEADERS)?.insert(&hash.0, &rlp[..])?;
    Ok(())
}

fn put_state(
    write: &WriteTransaction,
    root: B256,
    nodes: &[NewNode],
    codes: &[(B256, Bytes)],
) -> Result<(), StoreError> {
    let mut table = write.open_table(NODES)?;
    let last = table.last()?.map(|(place, _)| place.value());
    let first = last.unwrap_or(NO_PLACE) + 1;
    let mut bytes = Vec::new();
    for (place, node) in (first..).zip(nodes) {
        bytes.clear();
        bytes.extend_from_slice(&node.rlp);
        for &place in &node.places {
            let place = match place & NEW {
                0 => place,
                _ => first + (place ^ NEW),
            };
            bytes.extend_from_slice(&place.to_be_bytes()[8 - PLACE_BYTES..]);
        }
        table.insert(place, &bytes[..])?;
    }
    // a root is made after all that it refers to; if it is not new, it is known
    let mut roots = write.open_table(ROOTS)?;
    if nodes.last().is_some_and(|node| node.hash == root) {
        roots.insert(&root.0, first + (nodes.len() as u64 - 1))?;
    }
    let mut table = write.open_table(CODES)?;
    for (hash, code) in codes {
        table.insert(&hash.0, &code[..])?;
    }
    Ok(())
}

fn put_labels(write: &WriteTransaction, labels: &Labels) -> Result<(), StoreError> {
    let mut meta = write.open_table(META)?;
    for (name, hash) in [
        ("head", labels.head),
        ("safe", labels.safe),
        ("finalized", labels.finalized),
    ] {
        meta.insert(name, &hash.0[..])?;
    }
    Ok(())
}

/// Decoded trie nodes: those that were used since the last time that the cache was full, and those
/// that were used in the round before.
#[derive(Debug, Default)]
struct NodeCache {
    young: HashMap<u64, Arc<Node>>,
    old: HashMap<u64, Arc<Node>>,
    /// The root that was looked up last, and its place.
    root: Option<(B256, u64)>,
}

impl NodeCache {
    fn get(&mut self, place: u64) -> Option<Arc<Node>> {
        if let Some(node) = self.young.get(&place) {
            return Some(Arc::clone(node));
        }
        let node = self.old.remove(&place)?;
        self.put(place, Arc::clone(&node));
        Some(node)
    }

    fn put(&mut self, place: u64, node: Arc<Node>) {
        if self.young.len() >= CACHED_NODES {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(place, node);
    }
}

impl NodeSource for Store {
    fn node(&self, hash: &B256, place: u64) -> Result<Option<Arc<Node>>, SourceError> {
        let place = match place {
            NO_PLACE => match self.root_place(hash)? {
                Some(place) => place,
                None => return Ok(None),
            },
            place => place,
        };
        let cached = self.cache().get(place);
        if cached.is_some() {
            return Ok(cached);
        }
        let node = self.read_node(hash, place)?;
        if let Some(node) = &node {
            self.cache().put(place, Arc::clone(node));
        }
        Ok(node)
    }
}

/// The state of a block whose ancestors are looked for along its parents.
#[derive(Clone, Debug)]
pub struct BranchOf {
    store: Arc<Store>,
    /// Height and hash of the block whose child is executed.
    tip: (u64, B256),
}

impl BranchOf {
    /// What the child of a block sees.
    pub const fn new(store: Arc<Store>, tip: (u64, B256)) -> Self {
        Self { store, tip }
    }
}

impl NodeSource for BranchOf {
    fn node(&self, hash: &B256, place: u64) -> Result<Option<Arc<Node>>, SourceError> {
        self.store.node(hash, place)
    }
}

impl StateSource for BranchOf {
    fn code(&self, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(self.store.read_code(hash)?)
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError> {
        let (mut height, mut hash) = self.tip;
        while height > number {
            // once the branch meets the canonical chain, that knows the rest
            if self.store.canonical(height)? == Some(hash) {
                return Ok(self.store.canonical(number)?);
            }
            let Some(header) = self.store.header(hash)? else {
                return Ok(None);
            };
            (height, hash) = (height - 1, header.parent_hash);
        }
        Ok((height == number).then_some(hash))
    }
}

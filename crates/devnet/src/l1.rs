//! An L1 on one machine.

use crate::{
    Account, Call, Chain, ChainOptions, DevnetError, Faults, L1_CHAIN_ID, L1Hardfork, Mining,
    Programs, Receipt, Reorg, Rpc, SignedTransaction, Supersim, Wallet,
    anvil::{Anvil, Origin},
    blobs::BlobStore,
    chain::ChainSource,
    folder::{self, Folder},
    front::{Front, Times},
    hardforks,
    miner::{self, Miner},
    service::Service,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use doppio_protocol::L1BlockRef;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::{
    fs,
    io::Read,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Height of the L1 block that rollups begin after: block 1, for anvil gives block 0 a false state
/// root. So every block that a node may want a proof of (of its contracts, of the unsafe signer) has a
/// true one.
pub const ROLLUP_START: u64 = 1;

/// File of the time of block 0 of a chain that is kept: after a second start from a kept state, anvil
/// has another block 0.
const KEPT_GENESIS_TIME: &str = "genesis-time";
/// Folder of the blobs of a chain that is kept.
const KEPT_BLOBS: &str = "blobs";
/// Longest state that is written to a file.
const MAX_STATE: u64 = 4 << 30;
/// How long a transaction may take into a block, and a block to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most blocks that are made on demand for one transaction.
const BLOCKS_FOR_A_TRANSACTION: usize = 20;
/// Time between two questions whether it is there.
const POLL: Duration = Duration::from_millis(50);

/// What an L1 is to be like.
#[derive(Clone, Debug)]
pub struct DevL1Options {
    /// anvil and supersim; none for those that npm installed.
    pub programs: Option<Programs>,
    /// Where anvil writes what it has no memory for; none for a temporary folder.
    pub folder: Option<PathBuf>,
    /// Ethereum's fork, from the first block on.
    pub hardfork: L1Hardfork,
    /// Seconds of a slot.
    pub block_time: u64,
    /// Blocks from the head to the safe block, and from there to the finalized one.
    pub slots_per_epoch: u64,
    /// When blocks are made.
    pub mining: Mining,
    /// How long ago block [`ROLLUP_START`] was made, in seconds. With [`Mining::Clock`] the blocks
    /// since are made at once.
    pub behind: u64,
    /// Goes on with a chain that [`DevL1::dump_state`] wrote, instead of a new one. `behind` means
    /// nothing then; `block_time` must be that chain's.
    pub state: Option<PathBuf>,
    /// Where [`DevL1::save`] keeps the chain, and its blobs are. If there is one already, it goes on,
    /// as with `state`. A block is final only once it is kept.
    pub kept_in: Option<PathBuf>,
    /// Port that nodes ask on; 0 for a free one.
    pub port: u16,
}

impl Default for DevL1Options {
    fn default() -> Self {
        Self {
            programs: None,
            folder: None,
            hardfork: L1Hardfork::default(),
            block_time: 2,
            slots_per_epoch: 4,
            mining: Mining::default(),
            behind: 0,
            state: None,
            kept_in: None,
            port: 0,
        }
    }
}

/// An L1 while it runs: anvil with the contracts of five OP chains, and a server in front of it that
/// is its beacon node as well. It ends when dropped.
#[derive(Debug)]
pub struct DevL1 {
    url: String,
    /// The server without faults.
    rpc: Rpc,
    /// anvil itself.
    anvil_rpc: Rpc,
    blobs: BlobStore,
    miner: Arc<Miner>,
    faults: Faults,
    options: DevL1Options,
    genesis_time: u64,
    supersim: PathBuf,
    chain_config: Value,
    // in this order: whoever asks anvil ends before it, and it before its folder
    _service: Service,
    anvil: Mutex<Anvil>,
    _folder: Folder,
}

impl DevL1 {
    /// Starts an L1, and waits until it has block [`ROLLUP_START`].
    ///
    /// # Errors
    ///
    /// If a program is missing or does not start.
    pub async fn start(options: DevL1Options) -> Result<Self, DevnetError> {
        if options.block_time == 0 || options.slots_per_epoch == 0 {
            return Err(DevnetError::Options(
                "an L1 needs a block time and slots in an epoch",
            ));
        }
        let mut options = options;
        if let Some(kept) = options.kept_in.as_deref().map(kept_state)
            && kept.exists()
        {
            options.state = Some(kept);
        }
        let programs = match &options.programs {
            Some(programs) => programs.clone(),
            None => Programs::find()?,
        };
        let folder = Folder::new(options.folder.clone())?;
        let genesis_time = (miner::now().as_secs())
            .saturating_sub(options.behind)
            .saturating_sub(options.block_time.saturating_mul(ROLLUP_START));
        let genesis = Supersim::open(&programs.supersim)?.genesis(L1_CHAIN_ID)?;
        let genesis = hardforks::l1_genesis(genesis, options.hardfork, genesis_time);
        let chain_config = genesis.get("config").cloned().unwrap_or_default();
        let origin = match &options.state {
            None => Origin::Genesis(folder::write(
                folder.path(),
                "l1-genesis.json",
                &genesis.to_string(),
            )?),
            Some(state) => Origin::State(state.clone()),
        };
        let anvil = Anvil::start(
            &programs,
            &folder,
            &origin,
            options.hardfork,
            options.slots_per_epoch,
        )
        .await?;
        let anvil_rpc = Rpc::new(anvil.url())?;
        // Otherwise the blocks of a reorganisation would all have one time.
        let interval = json!([options.block_time]);
        anvil_rpc
            .call("anvil_setBlockTimestampInterval", interval)
            .await?;
        let blobs = match (&options.kept_in, &options.state) {
            (Some(folder), _) => BlobStore::in_folder(&folder.join(KEPT_BLOBS))?,
            (None, Some(state)) if blobs_of(state).exists() => BlobStore::read(&blobs_of(state))?,
            _ => BlobStore::default(),
        };
        let miner = Arc::new(Miner::new(options.block_time, blobs.clone()));
        begin(&anvil_rpc, &miner, &options).await?;
        // of a chain that goes on, it is what it was
        let genesis_time = match options.kept_in.as_deref().and_then(kept_genesis_time) {
            Some(time) => time,
            None => anvil_rpc.block(0).await?.timestamp,
        };
        if let Some(folder) = &options.kept_in {
            let time = genesis_time.to_string();
            folder::replace(&folder.join(KEPT_GENESIS_TIME), time.as_bytes())?;
            save(&anvil_rpc, &miner, folder).await?;
        }
        let times = Times {
            genesis_time,
            block_time: options.block_time,
            slots_per_epoch: options.slots_per_epoch,
        };
        let faults = Faults::default();
        let front = Front::new(anvil.url(), times, &miner, blobs.clone(), faults.clone())?;
        let (listener, url) = listen(options.port)?;
        let (listener_without_faults, url_without_faults) = listen(0)?;
        let clock = (options.mining != Mining::OnDemand).then(|| Arc::clone(&miner));
        let service = Service::start("devnet-l1", move || {
            serve(front, listener, listener_without_faults, clock)
        })
        .map_err(DevnetError::Listen)?;
        Ok(Self {
            url,
            rpc: Rpc::new(&url_without_faults)?,
            anvil_rpc,
            blobs,
            miner,
            faults,
            options,
            genesis_time: times.genesis_time,
            supersim: programs.supersim,
            chain_config,
            _service: service,
            anvil: Mutex::new(anvil),
            _folder: folder,
        })
    }

    /// The URL of JSON-RPC, for nodes: it is subject to [`DevL1::faults`].
    pub fn rpc_url(&self) -> &str {
        &self.url
    }

    /// The URL of the beacon node.
    pub fn beacon_url(&self) -> &str {
        &self.url
    }

    /// JSON-RPC for tests: the same, but for the faults. anvil's own methods (`anvil_*`, `evm_*`) are
    /// there too; [`DevL1`]'s methods take care of what must go along with them.
    pub const fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Switches for what goes wrong between this L1 and whoever asks it.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What it was started with.
    pub const fn options(&self) -> &DevL1Options {
        &self.options
    }

    /// Time of block 0, which slots are counted from.
    pub const fn genesis_time(&self) -> u64 {
        self.genesis_time
    }

    /// The L1's chain configuration as go-ethereum writes it: what `--rollup.l1-chain-config` wants.
    pub const fn chain_config(&self) -> &Value {
        &self.chain_config
    }

    /// anvil's process.
    pub fn process_id(&self) -> u32 {
        let anvil = self.anvil.lock().unwrap_or_else(PoisonError::into_inner);
        anvil.id()
    }

    /// An error if anvil has ended by itself, with the end of what it printed.
    ///
    /// # Errors
    ///
    /// [`DevnetError::Ended`].
    pub fn check(&self) -> Result<(), DevnetError> {
        let mut anvil = self.anvil.lock().unwrap_or_else(PoisonError::into_inner);
        anvil.check()
    }

    /// An account on this L1.
    pub fn wallet(&self, account: Account) -> Wallet {
        Wallet::new(self.rpc.clone(), L1_CHAIN_ID, account)
    }

    /// Writes the files of the first L2 chain (901) with these options into a folder.
    ///
    /// # Errors
    ///
    /// If the options make no chain, or a file cannot be written.
    pub async fn chain(&self, folder: &Path, options: ChainOptions) -> Result<Chain, DevnetError> {
        let source = ChainSource {
            l1: &self.rpc,
            supersim: Supersim::open(&self.supersim)?,
            l1_config: &self.chain_config,
        };
        Chain::write(source, folder, options).await
    }

    /// The newest block.
    ///
    /// # Errors
    ///
    /// If anvil does not answer.
    pub async fn head(&self) -> Result<L1BlockRef, DevnetError> {
        self.rpc.block_at("latest").await
    }

    /// Waits until there is a block of this height.
    ///
    /// # Errors
    ///
    /// [`DevnetError::NoBlock`] if there is none in a minute.
    pub async fn wait_for_block(&self, number: u64) -> Result<L1BlockRef, DevnetError> {
        let start = Instant::now();
        while self.head().await?.number < number {
            if start.elapsed() >= PATIENCE {
                return Err(self.rpc.no_block(number));
            }
            tokio::time::sleep(POLL).await;
        }
        self.rpc.block(number).await
    }

    /// Makes blocks, one slot after the other; the last of them. The first one has all transactions
    /// that wait. With a clock, the chain's time so runs ahead of it, and the clock waits.
    ///
    /// # Errors
    ///
    /// If anvil does not answer.
    pub async fn mine(&self, count: u64) -> Result<L1BlockRef, DevnetError> {
        self.miner.mine(&self.anvil_rpc, count).await
    }

    /// Lets slots go by without a block, before the next block.
    pub async fn skip_slots(&self, slots: u64) {
        self.miner.skip(slots).await;
    }

    /// Stops the clock: there are no blocks until [`DevL1::resume`], but by [`DevL1::mine`].
    pub async fn pause(&self) {
        self.miner.pause().await;
    }

    /// Starts the clock again. The slots that went by have no block.
    ///
    /// # Errors
    ///
    /// If anvil does not answer.
    pub async fn resume(&self) -> Result<(), DevnetError> {
        self.miner.resume(&self.anvil_rpc).await
    }

    /// Replaces the newest blocks by as many others, however final they are; the new head.
    ///
    /// # Errors
    ///
    /// [`DevnetError::TooDeep`] if the block that rollups begin after would be one of them.
    pub async fn reorg(&self, depth: u64, content: Reorg) -> Result<L1BlockRef, DevnetError> {
        self.miner.reorg(&self.anvil_rpc, depth, content).await
    }

    /// Takes the newest blocks away, and their transactions; the new head.
    ///
    /// # Errors
    ///
    /// [`DevnetError::TooDeep`] if the block that rollups begin after would be one of them.
    pub async fn rollback(&self, depth: u64) -> Result<L1BlockRef, DevnetError> {
        self.miner.rollback(&self.anvil_rpc, depth).await
    }

    /// Sets what an account has, in wei.
    ///
    /// # Errors
    ///
    /// If anvil does not answer.
    pub async fn set_balance(&self, account: Address, wei: U256) -> Result<(), DevnetError> {
        let params = json!([account, wei]);
        self.rpc.call("anvil_setBalance", params).await?;
        Ok(())
    }

    /// Sets the code of an account.
    ///
    /// # Errors
    ///
    /// If anvil does not answer.
    pub async fn set_code(&self, account: Address, code: &Bytes) -> Result<(), DevnetError> {
        let params = json!([account, code]);
        self.rpc.call("anvil_setCode", params).await?;
        Ok(())
    }

    /// The code of an account.
    ///
    /// # Errors
    ///
    /// If anvil does not answer.
    pub async fn code(&self, account: Address) -> Result<Bytes, DevnetError> {
        self.rpc
            .get("eth_getCode", json!([account, "latest"]))
            .await
    }

    /// Waits until transactions are in blocks; their receipts. Where blocks are made on demand only,
    /// as many are made as it takes: one, unless there are too many blobs.
    ///
    /// # Errors
    ///
    /// [`DevnetError::NotIncluded`] if one is in none within a minute, or within 20 blocks that are
    /// made for it; [`DevnetError::Reverted`] if one fails.
    pub async fn include(&self, hashes: &[B256]) -> Result<Vec<Receipt>, DevnetError> {
        let mut receipts = Vec::new();
        for hash in hashes {
            let receipt = match self.options.mining {
                Mining::OnDemand => self.mine_for(*hash).await?,
                Mining::Clock | Mining::Mixed => self.rpc.wait_for(*hash, PATIENCE).await?,
            };
            receipts.push(receipt.succeeded()?);
        }
        Ok(receipts)
    }

    /// Makes blocks until a transaction is in one.
    async fn mine_for(&self, hash: B256) -> Result<Receipt, DevnetError> {
        let start = Instant::now();
        for _ in 0..BLOCKS_FOR_A_TRANSACTION {
            if let Some(receipt) = self.rpc.receipt(hash).await? {
                return Ok(receipt);
            }
            self.mine(1).await?;
        }
        let receipt = self.rpc.receipt(hash).await?;
        receipt.ok_or_else(|| DevnetError::NotIncluded {
            hash,
            after: start.elapsed(),
        })
    }

    /// Sends a transaction and waits until it is in a block; its receipt.
    ///
    /// # Errors
    ///
    /// As [`DevL1::include`], or if anvil refuses it.
    pub async fn execute(&self, from: Account, call: &Call) -> Result<Receipt, DevnetError> {
        let hash = self.wallet(from).send(call).await?;
        let receipts = self.include(&[hash]).await?;
        let receipt = receipts.into_iter().next();
        receipt.ok_or_else(|| self.rpc.unexpected("eth_getTransactionReceipt", "nothing"))
    }

    /// Signs a transaction for an L1 block that is yet to be, such as one of a [`Reorg::With`].
    ///
    /// # Errors
    ///
    /// If the account's key is none.
    pub fn sign(
        &self,
        from: Account,
        call: &Call,
        nonce: u64,
    ) -> Result<SignedTransaction, DevnetError> {
        self.wallet(from).sign(call, nonce)
    }

    /// Writes the whole chain into a file, for [`DevL1Options::state`], and its blobs into one of the
    /// same name that ends in `.blobs`. anvil keeps the state of every
    /// block: a chain of hundreds of blocks takes long and makes a large file.
    ///
    /// # Errors
    ///
    /// If anvil does not answer, or the file cannot be written.
    pub async fn dump_state(&self, file: &Path) -> Result<(), DevnetError> {
        let _alone = self.miner.alone().await;
        let state = dump(&self.anvil_rpc, true).await?;
        fs::write(file, state).map_err(DevnetError::io(file))?;
        self.blobs.write(&blobs_of(file))
    }

    /// Keeps the chain as it is now in [`DevL1Options::kept_in`]; does nothing without it. Of L1's
    /// states only the newest is kept: that takes some tenths of a second, however long the chain is.
    ///
    /// # Errors
    ///
    /// If anvil does not answer, or the file cannot be written.
    pub async fn save(&self) -> Result<(), DevnetError> {
        match &self.options.kept_in {
            Some(folder) => save(&self.anvil_rpc, &self.miner, folder).await,
            None => Ok(()),
        }
    }
}

/// anvil's state: the blocks, and of their states all or the newest.
async fn dump(anvil: &Rpc, with_old_states: bool) -> Result<Vec<u8>, DevnetError> {
    const METHOD: &str = "anvil_dumpState";
    let packed: Bytes = anvil.get(METHOD, json!([with_old_states])).await?;
    let mut plain = Vec::new();
    GzDecoder::new(packed.as_ref())
        .take(MAX_STATE)
        .read_to_end(&mut plain)
        .map_err(|error| anvil.unexpected(METHOD, error))?;
    Ok(plain)
}

async fn save(anvil: &Rpc, miner: &Miner, folder: &Path) -> Result<(), DevnetError> {
    let mut alone = miner.alone().await;
    let head = anvil.block_number().await?;
    folder::replace(&kept_state(folder), &dump(anvil, false).await?)?;
    alone.set_kept(head);
    Ok(())
}

/// Where the chain is kept.
fn kept_state(folder: &Path) -> PathBuf {
    folder.join("state.json")
}

/// The time of block 0 of a chain that is kept; none if none is.
fn kept_genesis_time(folder: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(folder.join(KEPT_GENESIS_TIME)).ok()?;
    text.parse().ok().filter(|_| kept_state(folder).exists())
}

/// Brings a chain to where it can be used from.
async fn begin(anvil: &Rpc, miner: &Miner, options: &DevL1Options) -> Result<(), DevnetError> {
    let head = anvil.block_at("latest").await?;
    if options.state.is_some() {
        // anvil's time would go on with the clock's.
        anvil.call("evm_setTime", json!([head.timestamp])).await?;
        if options.mining != Mining::OnDemand {
            // The slots since then were missed.
            miner.pause().await;
            miner.resume(anvil).await?;
        }
    }
    miner
        .mine(anvil, ROLLUP_START.saturating_sub(head.number))
        .await?;
    if options.mining == Mining::Mixed {
        anvil.call("evm_setAutomine", json!([true])).await?;
    }
    Ok(())
}

/// A port of this machine, and its URL.
fn listen(port: u16) -> Result<(TcpListener, String), DevnetError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(DevnetError::Listen)?;
    let address = listener.local_addr().map_err(DevnetError::Listen)?;
    Ok((listener, format!("http://{address}")))
}

/// What stands around anvil.
async fn serve(
    front: Front,
    listener: TcpListener,
    listener_without_faults: TcpListener,
    clock: Option<Arc<Miner>>,
) {
    let front = Arc::new(front);
    let anvil = front.anvil().clone();
    let clock = async {
        if let Some(clock) = clock {
            clock.run(anvil).await;
        }
    };
    tokio::join!(
        Arc::clone(&front).run(listener, true),
        Arc::clone(&front).run(listener_without_faults, false),
        clock,
    );
}

/// Where the blobs of a state are.
fn blobs_of(state: &Path) -> PathBuf {
    state.with_added_extension("blobs")
}

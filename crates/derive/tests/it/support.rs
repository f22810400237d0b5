//! A small world for the pipeline: an L1 that can be written to and reorganised, a batcher, an
//! engine that executes nothing, and a driver that answers requests.
//!
//! Hashes are of the right kind but of made-up contents. Signatures, frames, channels, batches,
//! deposits and logs are genuine.

use alloy_consensus::{
    SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxEnvelope, TxLegacy,
    crypto::secp256k1::sign_message,
};
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B64, B256, Bytes, Log, LogData, TxKind, U256, address, keccak256};
use doppio_derive::{
    DerivedAttributes, Drop, DropReason, InboxVerdict, Outcome, PayloadAnswer, Pipeline,
    PipelineError, Request, ResetPoint, Response, Step,
};
use doppio_protocol::{
    BlockId, L1BlockRef, L2BlockRef,
    batch::{SingularBatch, SpanBatchWriter, SpanParams, TransactionList},
    blob::{Blob, encode_blob},
    config::{
        AltDaConfig, BlobSchedule, ChainConfig, CommitmentType, Fork, ForkTimes, Genesis,
        Overrides, RollupConfig,
    },
    extra_data::{Eip1559Params, HeaderParams},
    frame::{ChannelId, Frame, encode_frames, split_channel},
    l1::{L1Block, L1Header, L1Receipt, L1Transaction},
    l2::L2Block,
    rlp,
    system_config::SystemConfig,
};
use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    sync::Arc,
};

pub(crate) const L1_CHAIN_ID: u64 = 900;
pub(crate) const L2_CHAIN_ID: u64 = 901;
pub(crate) const INBOX: Address = address!("ff00000000000000000000000000000000000901");
pub(crate) const PORTAL: Address = address!("0000000000000000000000000000000000001001");
pub(crate) const SYSTEM_CONFIG: Address = address!("0000000000000000000000000000000000001002");
pub(crate) const AUTHENTICATOR: Address = address!("0000000000000000000000000000000000001003");
pub(crate) const CHALLENGES: Address = address!("0000000000000000000000000000000000001004");

/// Seconds between L1 blocks.
pub(crate) const L1_BLOCK_TIME: u64 = 12;
/// Time of the block where the rollup starts, on L1 and on L2.
pub(crate) const GENESIS_TIME: u64 = 1_800_000_000;

/// An account of the tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(u8);

pub(crate) const BATCHER: Key = Key(1);
pub(crate) const STRANGER: Key = Key(2);

impl Key {
    fn secret(self) -> B256 {
        B256::repeat_byte(self.0)
    }

    pub(crate) fn address(self) -> Address {
        let tx = L1Transaction::Signed(self.sign(TxLegacy {
            chain_id: Some(L1_CHAIN_ID),
            ..TxLegacy::default()
        }));
        tx.sender(L1_CHAIN_ID).unwrap()
    }

    pub(crate) fn sign<T>(self, tx: T) -> TxEnvelope
    where
        T: SignableTransaction<alloy_primitives::Signature>,
        TxEnvelope: From<alloy_consensus::Signed<T>>,
    {
        let signature = sign_message(self.secret(), tx.signature_hash()).unwrap();
        tx.into_signed(signature).into()
    }
}

/// A configuration with every fork up to `last` active from genesis on.
pub(crate) fn rollup(last: Fork) -> RollupConfig {
    let genesis = L1::genesis_header();
    RollupConfig {
        genesis: Genesis {
            l1: genesis.id(),
            l2: BlockId {
                hash: B256::repeat_byte(0xa0),
                number: 0,
            },
            l2_time: GENESIS_TIME,
            system_config: SystemConfig {
                batcher: BATCHER.address(),
                overhead: B256::ZERO,
                scalar: ecotone_scalar(),
                gas_limit: 30_000_000,
                eip1559_params: B64::ZERO,
                operator_fee_params: B256::ZERO,
                min_base_fee: 0,
                da_footprint_gas_scalar: 0,
            },
        },
        block_time: 2,
        max_sequencer_drift: 600,
        seq_window_size: 20,
        channel_timeout: 10,
        l1_chain_id: L1_CHAIN_ID,
        l2_chain_id: L2_CHAIN_ID,
        forks: ForkTimes::all_until(last),
        keep_karst_upgrade_gas: false,
        batch_inbox_address: INBOX,
        deposit_contract_address: PORTAL,
        l1_system_config_address: SYSTEM_CONFIG,
        chain_op_config: None,
        alt_da: None,
        pectra_blob_schedule_time: None,
        cel2_time: None,
        espresso_enforcement_time: None,
        espresso_time: None,
        batch_authenticator_address: None,
        batch_auth_lookback_window: None,
        fjord_max_sequencer_drift: None,
    }
}

fn ecotone_scalar() -> B256 {
    let mut scalar = B256::with_last_byte(7);
    scalar.0[0] = 1;
    scalar
}

/// Alt-DA with commitments that can be challenged within 3 blocks, and answered within 4.
pub(crate) const KECCAK_DA: AltDaConfig = AltDaConfig {
    da_challenge_contract_address: CHALLENGES,
    da_commitment_type: CommitmentType::Keccak,
    da_max_input_size: None,
    da_challenge_window: 3,
    da_resolve_window: 4,
};

/// Alt-DA as EigenDA has it.
pub(crate) const GENERIC_DA: AltDaConfig = AltDaConfig {
    da_challenge_contract_address: Address::ZERO,
    da_commitment_type: CommitmentType::Generic,
    da_max_input_size: None,
    da_challenge_window: 1,
    da_resolve_window: 1,
};

/// The configuration, complete.
pub(crate) fn chain(rollup: RollupConfig) -> Arc<ChainConfig> {
    chain_with(rollup, Overrides::default())
}

pub(crate) fn chain_with(rollup: RollupConfig, overrides: Overrides) -> Arc<ChainConfig> {
    let overrides = Overrides {
        l1_blob_schedule: BlobSchedule::of_public_l1(1),
        ..overrides
    };
    Arc::new(ChainConfig::new(rollup, overrides).unwrap())
}

/// An L1 transaction with its outcome.
#[derive(Clone, Debug)]
pub(crate) struct L1Tx {
    pub(crate) transaction: L1Transaction,
    pub(crate) success: bool,
    pub(crate) logs: Vec<Log>,
}

impl L1Tx {
    /// A type-2 transaction.
    pub(crate) fn to(key: Key, to: Address, input: impl Into<Bytes>) -> Self {
        Self::signed(key.sign(TxEip1559 {
            chain_id: L1_CHAIN_ID,
            to: TxKind::Call(to),
            input: input.into(),
            ..TxEip1559::default()
        }))
    }

    pub(crate) fn signed(envelope: TxEnvelope) -> Self {
        Self {
            transaction: L1Transaction::Signed(envelope),
            success: true,
            logs: Vec::new(),
        }
    }

    /// Inbox data by the batcher, as calldata.
    pub(crate) fn inbox(data: impl Into<Bytes>) -> Self {
        Self::to(BATCHER, INBOX, data)
    }

    /// Inbox data as blobs.
    pub(crate) fn blobs(key: Key, to: Address, blobs: &[(B256, Box<Blob>)]) -> Self {
        Self::signed(key.sign(TxEip4844 {
            chain_id: L1_CHAIN_ID,
            to,
            blob_versioned_hashes: blobs.iter().map(|(hash, _)| *hash).collect(),
            input: Bytes::from_static(b"calldata of a blob transaction"),
            ..TxEip4844::default()
        }))
    }

    pub(crate) fn legacy(
        key: Key,
        to: Address,
        input: impl Into<Bytes>,
        chain_id: Option<u64>,
    ) -> Self {
        Self::signed(key.sign(TxLegacy {
            chain_id,
            to: TxKind::Call(to),
            input: input.into(),
            ..TxLegacy::default()
        }))
    }

    pub(crate) fn access_list(key: Key, to: Address, input: impl Into<Bytes>) -> Self {
        Self::signed(key.sign(TxEip2930 {
            chain_id: L1_CHAIN_ID,
            to: TxKind::Call(to),
            input: input.into(),
            access_list: AccessList::default(),
            ..TxEip2930::default()
        }))
    }

    pub(crate) fn set_code(key: Key, to: Address, input: impl Into<Bytes>) -> Self {
        Self::signed(key.sign(TxEip7702 {
            chain_id: L1_CHAIN_ID,
            to,
            input: input.into(),
            ..TxEip7702::default()
        }))
    }

    /// A transaction that only emits logs.
    pub(crate) fn with_logs(logs: Vec<Log>) -> Self {
        Self {
            logs,
            ..Self::to(STRANGER, Address::repeat_byte(9), Bytes::new())
        }
    }

    pub(crate) fn reverted(self) -> Self {
        Self {
            success: false,
            ..self
        }
    }
}

/// A log with indexed topics and data.
pub(crate) fn log(address: Address, topics: Vec<B256>, data: impl Into<Bytes>) -> Log {
    Log {
        address,
        data: LogData::new_unchecked(topics, data.into()),
    }
}

/// A blob and what it is named by. The hash is of the right form; no pipeline computes it.
pub(crate) fn blob(data: &[u8]) -> (B256, Box<Blob>) {
    let mut hash = keccak256(data);
    hash.0[0] = 1;
    (hash, encode_blob(data).unwrap())
}

/// The L1 chain.
#[derive(Clone, Debug)]
pub(crate) struct L1 {
    pub(crate) chain: Arc<ChainConfig>,
    /// From the block where the rollup starts on.
    pub(crate) blocks: Vec<L1Block>,
    /// Tells apart the blocks of two forks.
    salt: u8,
}

impl L1 {
    fn genesis_header() -> L1Header {
        L1Header {
            hash: B256::repeat_byte(0x10),
            number: 100,
            parent_hash: Self::hash_before(99),
            timestamp: GENESIS_TIME,
            mix_hash: B256::repeat_byte(0x33),
            base_fee: U256::from(1_000_000_000),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::repeat_byte(0x44)),
        }
    }

    /// The hash of a block from before the rollup, where nothing happens.
    fn hash_before(number: u64) -> B256 {
        keccak256(number.to_be_bytes())
    }

    /// A block from before the rollup, by its hash.
    fn before(&self, hash: B256) -> Option<L1Block> {
        let number = (0..100).find(|number| Self::hash_before(*number) == hash)?;
        let header = L1Header {
            hash,
            number,
            parent_hash: Self::hash_before(number.wrapping_sub(1)),
            timestamp: GENESIS_TIME - L1_BLOCK_TIME * (100 - number),
            ..Self::genesis_header()
        };
        Some(L1Block::new(&self.chain.rollup, header, [], Vec::new()))
    }

    pub(crate) fn new(chain: &Arc<ChainConfig>) -> Self {
        let header = Self::genesis_header();
        Self {
            chain: Arc::clone(chain),
            blocks: vec![L1Block::new(&chain.rollup, header, [], Vec::new())],
            salt: 0,
        }
    }

    pub(crate) fn head(&self) -> &L1Block {
        self.blocks.last().unwrap()
    }

    /// The reference of the `index`-th block after genesis.
    pub(crate) fn at(&self, index: usize) -> L1BlockRef {
        self.blocks[index].header.block_ref()
    }

    pub(crate) fn next_header(&self) -> L1Header {
        let parent = self.head().header;
        let number = parent.number + 1;
        let preimage = [parent.hash.as_slice(), &number.to_be_bytes(), &[self.salt]];
        let hash = keccak256(preimage.concat());
        L1Header {
            hash,
            number,
            parent_hash: parent.hash,
            timestamp: parent.timestamp + L1_BLOCK_TIME,
            mix_hash: keccak256(hash),
            ..parent
        }
    }

    /// Adds a block.
    pub(crate) fn add(&mut self, transactions: impl IntoIterator<Item = L1Tx>) -> L1BlockRef {
        let header = self.next_header();
        self.add_with(header, transactions)
    }

    pub(crate) fn add_with(
        &mut self,
        header: L1Header,
        transactions: impl IntoIterator<Item = L1Tx>,
    ) -> L1BlockRef {
        let (transactions, receipts): (Vec<_>, Vec<_>) = transactions
            .into_iter()
            .map(|tx| {
                let receipt = L1Receipt {
                    success: tx.success,
                    logs: tx.logs,
                };
                (tx.transaction, receipt)
            })
            .unzip();
        let block = L1Block::new(&self.chain.rollup, header, transactions, receipts);
        self.blocks.push(block);
        header.block_ref()
    }

    pub(crate) fn add_empty(&mut self, count: usize) {
        for _ in 0..count {
            self.add([]);
        }
    }

    /// Another chain that shares the first `shared` blocks after genesis with this one.
    pub(crate) fn reorganised(&self, shared: usize) -> Self {
        Self {
            blocks: self.blocks[..=shared].to_vec(),
            salt: self.salt + 1,
            chain: Arc::clone(&self.chain),
        }
    }

    pub(crate) fn by_hash(&self, hash: B256) -> Option<L1Block> {
        let known = self.blocks.iter().find(|block| block.header.hash == hash);
        known.cloned().or_else(|| self.before(hash))
    }

    pub(crate) fn by_number(&self, number: u64) -> Option<&L1Block> {
        let index = number.checked_sub(self.blocks[0].header.number)?;
        self.blocks.get(usize::try_from(index).unwrap())
    }
}

/// An engine that accepts every block but those it is told not to.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    chain: Arc<ChainConfig>,
    /// Blocks by number.
    pub(crate) blocks: BTreeMap<u64, L2Block>,
    /// Refuses attributes that hold this transaction.
    pub(crate) refuses: Option<Bytes>,
}

impl Engine {
    pub(crate) fn new(chain: &Arc<ChainConfig>) -> Self {
        let genesis = &chain.rollup.genesis;
        let mut block = L2Block {
            hash: genesis.l2.hash,
            ..L2Block::default()
        };
        block.header.number = genesis.l2.number;
        block.header.timestamp = genesis.l2_time;
        block.header.gas_limit = genesis.system_config.gas_limit;
        Self {
            chain: Arc::clone(chain),
            blocks: BTreeMap::from([(genesis.l2.number, block)]),
            refuses: None,
        }
    }

    pub(crate) fn execute(&mut self, derived: &DerivedAttributes) -> Outcome {
        let attributes = &derived.attributes;
        let transactions: Vec<Bytes> = attributes
            .deposits
            .iter()
            .cloned()
            .chain(attributes.transactions.iter())
            .collect();
        if let Some(refused) = &self.refuses
            && transactions.contains(refused)
        {
            return Outcome::Invalid;
        }
        let params = attributes.eip1559.unwrap_or_default();
        let eip1559 = if params.is_zero() {
            Eip1559Params {
                denominator: 250,
                elasticity: 6,
            }
        } else {
            params
        };
        let extra_data = HeaderParams {
            eip1559,
            min_base_fee: attributes.min_base_fee.unwrap_or_default(),
        }
        .encode(&self.chain, attributes.timestamp);
        let mut block = L2Block {
            hash: keccak256(format!("{} {attributes:?}", derived.parent.hash)),
            transactions,
            ..L2Block::default()
        };
        block.header.number = derived.parent.number + 1;
        block.header.parent_hash = derived.parent.hash;
        block.header.timestamp = attributes.timestamp;
        block.header.gas_limit = attributes.gas_limit;
        block.header.extra_data = extra_data.clone();
        let hash = block.hash;
        self.blocks.insert(block.header.number, block);
        Outcome::Accepted { hash, extra_data }
    }

    /// The reference of a block.
    pub(crate) fn at(&self, number: u64) -> L2BlockRef {
        self.blocks[&number].block_ref(&self.chain).unwrap()
    }
}

/// The start of the rollup.
pub(crate) fn genesis_point(chain: &ChainConfig) -> ResetPoint {
    ResetPoint::genesis(&chain.rollup)
}

/// A pipeline, and everything that it asks.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) pipeline: Pipeline,
    pub(crate) l1: L1,
    pub(crate) engine: Engine,
    pub(crate) blobs: HashMap<B256, Box<Blob>>,
    /// Answers by encoded commitment.
    pub(crate) payloads: HashMap<Bytes, PayloadAnswer>,
    /// What was derived, in order.
    pub(crate) derived: Vec<Arc<DerivedAttributes>>,
    pub(crate) drops: Vec<Drop>,
    pub(crate) verdicts: Vec<InboxVerdict>,
    pub(crate) requests: Vec<Request>,
}

/// Where a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All L1 blocks were read.
    Exhausted,
    /// The world cannot answer.
    Unanswered(Request),
    Failed(PipelineError),
}

impl Node {
    pub(crate) fn new(l1: &L1) -> Self {
        let chain = &l1.chain;
        Self {
            pipeline: Pipeline::new(Arc::clone(chain), genesis_point(chain)),
            l1: l1.clone(),
            engine: Engine::new(chain),
            blobs: HashMap::new(),
            payloads: HashMap::new(),
            derived: Vec::new(),
            drops: Vec::new(),
            verdicts: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Derives until L1 ends, or something is lacking.
    pub(crate) fn run(&mut self) -> End {
        loop {
            match self.pipeline.step() {
                Err(error) => {
                    self.collect();
                    return End::Failed(error);
                }
                Ok(Step::Attributes(derived)) => {
                    let outcome = self.engine.execute(&derived);
                    self.pipeline.executed(outcome).unwrap();
                    self.derived.push(derived);
                }
                Ok(Step::Exhausted(origin)) => {
                    self.collect();
                    let Some(next) = self.l1.by_number(origin.number + 1) else {
                        return End::Exhausted;
                    };
                    let next = next.clone();
                    self.pipeline.supply(Response::NextL1Block(next)).unwrap();
                }
                Ok(Step::Need(request)) => {
                    self.requests.push(request.clone());
                    match self.answer(&request) {
                        Some(response) => self.pipeline.supply(response).unwrap(),
                        None => {
                            self.collect();
                            return End::Unanswered(request);
                        }
                    }
                }
            }
        }
    }

    /// Runs to the end of L1.
    #[track_caller]
    pub(crate) fn run_to_end(&mut self) {
        assert_eq!(self.run(), End::Exhausted);
    }

    fn collect(&mut self) {
        self.drops.extend(self.pipeline.drops().take());
        self.verdicts.extend(self.pipeline.drops().take_verdicts());
    }

    pub(crate) fn answer(&self, request: &Request) -> Option<Response> {
        match request {
            Request::L1Block(hash) | Request::AuthBlock(hash) => {
                self.l1.by_hash(*hash).map(Response::L1Block)
            }
            Request::LaterL1Block(number) => {
                self.l1.by_number(*number).cloned().map(Response::L1Block)
            }
            Request::Blobs { blobs, .. } => blobs
                .iter()
                .map(|blob| self.blobs.get(&blob.versioned_hash).cloned())
                .collect::<Option<_>>()
                .map(Response::Blobs),
            Request::Payload(payload) => {
                let answer = self.payloads.get(&payload.commitment.encode())?.clone();
                // asked again at once, an answer that changes nothing would never end
                match answer {
                    PayloadAnswer::Later => None,
                    PayloadAnswer::NotFound if payload.lost => None,
                    answer => Some(Response::Payload {
                        id: payload.id,
                        answer,
                    }),
                }
            }
            Request::L2Block(number) => self
                .engine
                .blocks
                .get(number)
                .cloned()
                .map(|block| Response::L2Block(Box::new(block))),
        }
    }

    /// The reasons of what was dropped, in order.
    pub(crate) fn reasons(&self) -> Vec<DropReason> {
        self.drops.iter().map(|drop| drop.reason.clone()).collect()
    }

    /// The names of what was dropped, in order.
    pub(crate) fn reason_names(&self) -> Vec<&'static str> {
        self.drops.iter().map(|drop| drop.reason.name()).collect()
    }

    /// The batch transactions of each derived block.
    pub(crate) fn derived_transactions(&self) -> Vec<Vec<Bytes>> {
        self.derived
            .iter()
            .map(|derived| derived.attributes.transactions.iter().collect())
            .collect()
    }

    pub(crate) fn safe_number(&self) -> u64 {
        self.pipeline.safe_head().number
    }
}

/// An L2 transaction; different numbers give different ones.
pub(crate) fn l2_tx(number: u64) -> Bytes {
    use alloy_eips::eip2718::Encodable2718;
    STRANGER
        .sign(TxEip1559 {
            chain_id: L2_CHAIN_ID,
            nonce: number,
            to: TxKind::Call(Address::repeat_byte(7)),
            ..TxEip1559::default()
        })
        .encoded_2718()
        .into()
}

/// Says what the sequencer would: which blocks follow, before any of them is derived.
///
/// Blocks are made by the same engine, so their hashes are those that derivation will find.
#[derive(Debug)]
pub(crate) struct Sequencer {
    pub(crate) engine: Engine,
    pub(crate) head: L2BlockRef,
    pub(crate) config: SystemConfig,
    l1: L1,
}

impl Sequencer {
    pub(crate) fn new(l1: &L1) -> Self {
        let point = genesis_point(&l1.chain);
        Self {
            engine: Engine::new(&l1.chain),
            head: point.safe_head,
            config: point.safe_config,
            l1: l1.clone(),
        }
    }

    /// Lets the sequencer see a longer L1.
    pub(crate) fn sees(&mut self, l1: &L1) {
        self.l1 = l1.clone();
    }

    /// Makes a block on the head, with the newest L1 origin that it may have.
    pub(crate) fn block(&mut self, transactions: impl IntoIterator<Item = Bytes>) -> SingularBatch {
        let time = self.head.timestamp + self.l1.chain.rollup.block_time;
        let current = self.l1.by_number(self.head.l1_origin.number).unwrap();
        let next = self.l1.by_number(self.head.l1_origin.number + 1);
        let advances = next.is_some_and(|next| next.header.timestamp <= time);
        let origin = match next {
            Some(next) if advances => next.clone(),
            _ => current.clone(),
        };
        self.block_at(&origin, transactions)
    }

    /// Makes a block on the head, with an L1 origin.
    pub(crate) fn block_at(
        &mut self,
        origin: &L1Block,
        transactions: impl IntoIterator<Item = Bytes>,
    ) -> SingularBatch {
        use doppio_derive::{Epoch, EpochUpdates, build_attributes};
        let chain = Arc::clone(&self.l1.chain);
        let transactions: TransactionList = transactions.into_iter().collect();
        let header = origin.header;
        let updates = EpochUpdates::of_block(&chain, origin);
        let epoch = if header.number == self.head.l1_origin.number {
            Epoch::Same(&header)
        } else {
            Epoch::Next(&header, &updates)
        };
        let mut built = build_attributes(&chain, &self.head, &self.config, epoch).unwrap();
        built.attributes.transactions = transactions.clone();
        let batch = SingularBatch {
            parent_hash: self.head.hash,
            epoch_num: header.number,
            epoch_hash: header.hash,
            timestamp: built.attributes.timestamp,
            transactions,
        };
        let derived = DerivedAttributes {
            attributes: built.attributes,
            parent: self.head,
            l1_origin: header.id(),
            sequence_number: built.info.sequence_number,
            derived_from: header.block_ref(),
            concluding: true,
        };
        let Outcome::Accepted { .. } = self.engine.execute(&derived) else {
            panic!("the sequencer's engine accepts everything");
        };
        self.head = self.engine.at(self.head.number + 1);
        self.config = self.engine.blocks[&self.head.number]
            .system_config(&chain)
            .unwrap();
        batch
    }
}

/// How a channel's batches are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchForm {
    Singular,
    Span,
}

/// One span batch of consecutive blocks. `parent_origin` is the L1 origin of the block before.
pub(crate) fn span(chain: &ChainConfig, parent_origin: u64, batches: &[SingularBatch]) -> Vec<u8> {
    let mut writer = SpanBatchWriter::new(SpanParams::of_chain(chain));
    let mut previous = parent_origin;
    for batch in batches {
        let sequence_number = u64::from(batch.epoch_num == previous);
        writer.push(batch, sequence_number).unwrap();
        previous = batch.epoch_num;
    }
    writer.encode().unwrap()
}

/// A channel of byte strings, compressed with zlib.
pub(crate) fn channel(strings: &[Vec<u8>]) -> Bytes {
    let mut plain = Vec::new();
    for string in strings {
        rlp::put_string(string, &mut plain);
    }
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&plain).unwrap();
    encoder.finish().unwrap().into()
}

/// A channel id.
pub(crate) fn id(letter: u8) -> ChannelId {
    ChannelId::repeat_byte(letter)
}

/// A channel cut into `count` frames of about the same size.
pub(crate) fn frames(letter: u8, channel: &Bytes, count: usize) -> Vec<Frame> {
    let size = channel.len().div_ceil(count) + 23;
    let frames = split_channel(id(letter), channel, size).unwrap();
    assert_eq!(frames.len(), count);
    frames
}

/// A data item of one channel in one frame.
pub(crate) fn item(letter: u8, strings: &[Vec<u8>]) -> Bytes {
    encode_frames(&frames(letter, &channel(strings), 1))
}

/// The data item of singular batches.
pub(crate) fn singular_item(letter: u8, batches: &[SingularBatch]) -> Bytes {
    let strings: Vec<Vec<u8>> = batches.iter().map(SingularBatch::encode).collect();
    item(letter, &strings)
}

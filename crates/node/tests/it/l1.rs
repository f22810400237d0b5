//! A made-up chain: its configuration, its L1, and a batcher.

use crate::engines::TestEngine;
use alloy_primitives::{Address, B64, B256, Bytes, Log, LogData, U256, address, keccak256};
use doppio_compression::{Algorithm, compress};
use doppio_protocol::{
    L2BlockRef,
    batch::{SingularBatch, SpanBatchWriter, SpanParams},
    block::BlockId,
    config::{
        BlobSchedule, ChainConfig, ChainOpConfig, Fork, ForkTimes, Genesis, Overrides, RollupConfig,
    },
    deposit::DEPOSIT_TX_TYPE,
    frame::{ChannelId, encode_frames, split_channel},
    l1::{InboxTransaction, L1Block, L1Header, L1Receipt, L1Transaction},
    l2::L2Block,
    rlp,
    system_config::{CONFIG_UPDATE, SystemConfig},
};
use std::{collections::VecDeque, sync::Arc};

pub(crate) const L2_CHAIN_ID: u64 = 901;
/// Time of the block where the rollup starts, on L1 and on L2.
pub(crate) const GENESIS_TIME: u64 = 1_800_000_000;
/// Its height on L1.
pub(crate) const GENESIS_L1: u64 = 100;
const BATCHER: Address = address!("00000000000000000000000000000000000000ba");

/// A configuration with every fork up to `last` active from genesis on.
pub(crate) fn chain(last: Fork, edit: impl FnOnce(&mut RollupConfig)) -> Arc<ChainConfig> {
    let mut scalar = B256::with_last_byte(7);
    scalar.0[0] = 1;
    let mut rollup = RollupConfig {
        genesis: Genesis {
            l1: genesis_header().id(),
            l2: BlockId {
                hash: B256::repeat_byte(0xa0),
                number: 0,
            },
            l2_time: GENESIS_TIME,
            system_config: SystemConfig {
                batcher: BATCHER,
                overhead: B256::ZERO,
                scalar,
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
        channel_timeout: 50,
        l1_chain_id: 900,
        l2_chain_id: L2_CHAIN_ID,
        forks: ForkTimes::all_until(last),
        keep_karst_upgrade_gas: false,
        batch_inbox_address: address!("ff00000000000000000000000000000000000901"),
        deposit_contract_address: address!("0000000000000000000000000000000000001001"),
        l1_system_config_address: address!("0000000000000000000000000000000000001002"),
        chain_op_config: Some(ChainOpConfig {
            eip1559_elasticity: 6,
            eip1559_denominator: 50,
            eip1559_denominator_canyon: Some(250),
        }),
        alt_da: None,
        pectra_blob_schedule_time: None,
        cel2_time: None,
        espresso_enforcement_time: None,
        espresso_time: None,
        batch_authenticator_address: None,
        batch_auth_lookback_window: None,
        fjord_max_sequencer_drift: None,
    };
    edit(&mut rollup);
    let overrides = Overrides {
        l1_blob_schedule: BlobSchedule::of_public_l1(1),
        ..Overrides::default()
    };
    Arc::new(ChainConfig::new(rollup, overrides).unwrap())
}

fn genesis_header() -> L1Header {
    L1Header {
        hash: B256::repeat_byte(0x10),
        number: GENESIS_L1,
        parent_hash: B256::repeat_byte(0x0f),
        timestamp: GENESIS_TIME,
        mix_hash: B256::repeat_byte(0x33),
        base_fee: U256::from(1_000_000_000),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::repeat_byte(0x44)),
    }
}

/// An L1 without transactions, from where the rollup starts; each block so many seconds after the one
/// before it.
pub(crate) fn l1(gaps: impl IntoIterator<Item = u64>) -> Vec<L1Block> {
    let mut blocks = vec![L1Block {
        header: genesis_header(),
        ..L1Block::default()
    }];
    extend(&mut blocks, 0, gaps);
    blocks
}

/// Goes on with an L1. Another salt gives other blocks.
pub(crate) fn extend(blocks: &mut Vec<L1Block>, salt: u8, gaps: impl IntoIterator<Item = u64>) {
    for gap in gaps {
        let parent = blocks.last().unwrap().header;
        let number = parent.number + 1;
        let hash = keccak256([parent.hash.as_slice(), &number.to_be_bytes(), &[salt]].concat());
        let header = L1Header {
            hash,
            number,
            parent_hash: parent.hash,
            timestamp: parent.timestamp + gap,
            mix_hash: keccak256(hash),
            ..parent
        };
        blocks.push(L1Block {
            header,
            ..L1Block::default()
        });
    }
}

/// Puts data of the batcher into an L1 block.
pub(crate) fn post(chain: &ChainConfig, block: &mut L1Block, data: Bytes) {
    post_as(
        chain,
        block,
        chain.rollup.genesis.system_config.batcher,
        data,
    );
}

/// Puts data of somebody into an L1 block.
pub(crate) fn post_as(chain: &ChainConfig, block: &mut L1Block, from: Address, data: Bytes) {
    let index = u32::try_from(block.receipts.len()).unwrap();
    block.receipts.push(L1Receipt {
        success: true,
        logs: Vec::new(),
    });
    let transaction = L1Transaction::Deposit {
        from,
        to: Some(chain.rollup.batch_inbox_address),
        input: data,
    };
    block.inbox.push(InboxTransaction {
        index,
        first_blob_index: 0,
        transaction,
    });
}

/// Lets an L1 block change the system configuration: a kind of update, and its value.
pub(crate) fn update(chain: &ChainConfig, block: &mut L1Block, kind: u8, value: &[B256]) {
    let length = U256::from(value.len() * 32);
    let words = [B256::with_last_byte(32), B256::from(length)];
    let data: Vec<u8> = words.iter().chain(value).flat_map(|word| word.0).collect();
    let topics = vec![CONFIG_UPDATE, B256::ZERO, B256::with_last_byte(kind)];
    let log = Log {
        address: chain.rollup.l1_system_config_address,
        data: LogData::new_unchecked(topics, data.into()),
    };
    block.receipts.push(L1Receipt {
        success: true,
        logs: vec![log],
    });
}

/// How a batcher writes blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A batch for each block.
    Singular,
    /// A span for the blocks of each L1 origin.
    SpanPerEpoch,
    /// One span for all.
    Span,
}

/// The batch of a block.
pub(crate) fn batch_of(chain: &ChainConfig, block: &L2Block) -> (SingularBatch, u64) {
    let block_ref = block.block_ref(chain).unwrap();
    let transactions = block
        .transactions
        .iter()
        .filter(|tx| tx.first() != Some(&DEPOSIT_TX_TYPE))
        .collect();
    let batch = SingularBatch {
        parent_hash: block_ref.parent_hash,
        epoch_num: block_ref.l1_origin.number,
        epoch_hash: block_ref.l1_origin.hash,
        timestamp: block_ref.timestamp,
        transactions,
    };
    (batch, block_ref.sequence_number)
}

/// The strings of a channel with these blocks.
pub(crate) fn strings(chain: &ChainConfig, form: Form, blocks: &[L2Block]) -> Vec<Vec<u8>> {
    let batches: Vec<_> = blocks.iter().map(|block| batch_of(chain, block)).collect();
    let span = |batches: &[(SingularBatch, u64)]| {
        let mut writer = SpanBatchWriter::new(SpanParams::of_chain(chain));
        for (batch, sequence_number) in batches {
            writer.push(batch, *sequence_number).unwrap();
        }
        writer.encode().unwrap()
    };
    match form {
        _ if batches.is_empty() => Vec::new(),
        Form::Singular => batches.iter().map(|(batch, _)| batch.encode()).collect(),
        Form::SpanPerEpoch => batches
            .chunk_by(|(one, _), (other, _)| one.epoch_num == other.epoch_num)
            .map(span)
            .collect(),
        Form::Span => vec![span(&batches)],
    }
}

/// A data item of one channel in one frame; different numbers name different channels.
pub(crate) fn item(number: u64, strings: &[Vec<u8>]) -> Bytes {
    let mut plain = Vec::new();
    for string in strings {
        rlp::put_string(string, &mut plain);
    }
    let channel = compress(Algorithm::Zlib, 6, &plain).into();
    let mut id = ChannelId::ZERO;
    id[..8].copy_from_slice(&number.to_be_bytes());
    encode_frames(&split_channel(id, &channel, 1 << 20).unwrap())
}

/// Posts what is not safe yet with every L1 block.
#[derive(Debug)]
pub(crate) struct Batcher {
    pub(crate) form: Form,
    /// Whether it works.
    pub(crate) works: bool,
    /// Its address; the one of the rollup's configuration if none.
    pub(crate) address: Option<Address>,
    /// What is on its way to L1, the oldest first; as many L1 blocks as it takes.
    on_its_way: VecDeque<Option<Bytes>>,
    channels: u64,
}

impl Batcher {
    /// A batcher whose data comes to L1 so many blocks after the next.
    pub(crate) fn new(form: Form, delay: usize) -> Self {
        Self {
            form,
            works: true,
            address: None,
            on_its_way: std::iter::repeat_n(None, delay).collect(),
            channels: 0,
        }
    }

    /// The data of the next L1 block.
    pub(crate) fn next(
        &mut self,
        chain: &ChainConfig,
        engine: &impl TestEngine,
        safe: &L2BlockRef,
        head: &L2BlockRef,
    ) -> Option<Bytes> {
        let blocks: Vec<L2Block> = (safe.number + 1..=head.number)
            .map_while(|number| engine.block(engine.canonical(number)?))
            .collect();
        let data = (self.works && !blocks.is_empty()).then(|| {
            self.channels += 1;
            item(self.channels, &strings(chain, self.form, &blocks))
        });
        self.on_its_way.push_back(data);
        self.on_its_way.pop_front().flatten()
    }
}

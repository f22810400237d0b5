//! A batcher that posts what it is told, when it is told.

use crate::{Call, DevnetError, Rpc, SidecarForm, Wallet};
use alloy_primitives::{B256, Bytes, keccak256};
use doppio_compression::{Algorithm, compress};
use doppio_protocol::{
    batch::{SingularBatch, SpanBatchWriter, SpanParams},
    blob::{MAX_BLOB_DATA_SIZE, encode_blob},
    config::ChainConfig,
    deposit::DEPOSIT_TX_TYPE,
    frame::{ChannelId, Frame, encode_frames, split_channel},
    l2::L2Block,
    rlp,
};
use serde_json::json;
use std::ops::RangeInclusive;

/// How blocks become batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchForm {
    /// One batch for each block.
    Singular,
    /// One batch for all blocks, from Delta on.
    #[default]
    Span,
}

/// Where data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchTarget {
    /// Calldata: all frames of a transaction are one item of data.
    Calldata,
    /// Blobs, from Ecotone on: each frame has its own.
    Blobs(SidecarForm),
}

/// How blocks are posted.
#[derive(Clone, Debug)]
pub struct BatchOptions {
    /// How blocks become batches.
    pub form: BatchForm,
    /// How the channel is compressed; brotli from Fjord on.
    pub algorithm: Algorithm,
    /// How hard: 0 to 9 for zlib, 0 to 11 for brotli.
    pub quality: u32,
    /// Where the frames go.
    pub target: BatchTarget,
    /// Largest frame in bytes, all of it counted. In a blob 130,043 are the most.
    pub max_frame_size: usize,
    /// Most frames of one transaction.
    pub frames_per_transaction: usize,
    /// The channel's id; none for one that follows from its bytes.
    pub channel: Option<ChannelId>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            form: BatchForm::default(),
            algorithm: Algorithm::Brotli,
            quality: 5,
            target: BatchTarget::Blobs(SidecarForm::default()),
            max_frame_size: MAX_BLOB_DATA_SIZE - 1,
            frames_per_transaction: 6,
            channel: None,
        }
    }
}

/// A batcher for tests. It posts a range of blocks when it is told to, whatever L1 has of them
/// already, and waits for nothing.
#[derive(Clone, Debug)]
pub struct TestBatcher {
    l2: Rpc,
    wallet: Wallet,
    config: ChainConfig,
}

impl TestBatcher {
    /// A batcher of the blocks that `l2` has (`debug_getRawBlock`), which sends from `wallet`.
    pub const fn new(l2: Rpc, wallet: Wallet, config: ChainConfig) -> Self {
        Self { l2, wallet, config }
    }

    /// Posts blocks as one channel; the hashes of the L1 transactions, which are in no block yet.
    ///
    /// # Errors
    ///
    /// If a block is not there, cannot be written as a batch, or L1 refuses a transaction.
    pub async fn post(
        &self,
        blocks: RangeInclusive<u64>,
        options: &BatchOptions,
    ) -> Result<Vec<B256>, DevnetError> {
        let frames = self.frames(blocks, options).await?;
        self.post_frames(&frames, options).await
    }

    /// The frames of the channel that [`TestBatcher::post`] would post.
    ///
    /// # Errors
    ///
    /// If a block is not there, or cannot be written as a batch.
    pub async fn frames(
        &self,
        blocks: RangeInclusive<u64>,
        options: &BatchOptions,
    ) -> Result<Vec<Frame>, DevnetError> {
        let channel = encode_channel(&self.config, &self.blocks(blocks).await?, options)?;
        let id = match options.channel {
            Some(id) => id,
            None => ChannelId::from_slice(&keccak256(&channel)[..16]),
        };
        Ok(split_channel(id, &channel, options.max_frame_size)?)
    }

    /// Blocks of L2.
    ///
    /// # Errors
    ///
    /// If one is not there.
    pub async fn blocks(&self, range: RangeInclusive<u64>) -> Result<Vec<L2Block>, DevnetError> {
        let mut blocks = Vec::new();
        for number in range {
            let params = json!([format!("{number:#x}")]);
            let raw: Bytes = self.l2.get("debug_getRawBlock", params).await?;
            // Engines answer with nothing for what they do not have.
            if raw.is_empty() {
                return Err(DevnetError::NoL2Block(number));
            }
            blocks.push(L2Block::decode(&raw)?);
        }
        Ok(blocks)
    }

    /// Posts frames as they are, in this order: whole channels, parts of them, or what is no channel
    /// at all.
    ///
    /// # Errors
    ///
    /// If a frame is too large, or L1 refuses a transaction.
    pub async fn post_frames(
        &self,
        frames: &[Frame],
        options: &BatchOptions,
    ) -> Result<Vec<B256>, DevnetError> {
        let mut hashes = Vec::new();
        for frames in frames.chunks(options.frames_per_transaction.max(1)) {
            let items: Vec<Bytes> = match options.target {
                BatchTarget::Calldata => vec![encode_frames(frames)],
                BatchTarget::Blobs(_) => {
                    frames.iter().map(|frame| encode_frames([frame])).collect()
                }
            };
            hashes.extend(self.post_data(&items, options.target).await?);
        }
        Ok(hashes)
    }

    /// Sends data to the inbox as it is: as calldata, each item in a transaction of its own; as blobs,
    /// all in one transaction.
    ///
    /// # Errors
    ///
    /// If an item does not fit into a blob, or L1 refuses a transaction.
    pub async fn post_data(
        &self,
        items: &[Bytes],
        target: BatchTarget,
    ) -> Result<Vec<B256>, DevnetError> {
        let inbox = self.config.rollup.batch_inbox_address;
        let mut hashes = Vec::new();
        match target {
            BatchTarget::Calldata => {
                for item in items {
                    let call = Call::data(inbox, item.clone());
                    hashes.push(self.wallet.send(&call).await?);
                }
            }
            BatchTarget::Blobs(form) => {
                let blobs = items.iter().map(|item| encode_blob(item));
                let blobs = blobs.collect::<Result<_, _>>()?;
                hashes.push(self.wallet.send_blobs(inbox, blobs, form).await?);
            }
        }
        Ok(hashes)
    }
}

/// Writes consecutive L2 blocks, not genesis, as a channel.
///
/// # Errors
///
/// If a block has no L1 information, or is none that a span batch can have.
pub fn encode_channel(
    config: &ChainConfig,
    blocks: &[L2Block],
    options: &BatchOptions,
) -> Result<Bytes, DevnetError> {
    let mut strings = Vec::new();
    let mut span = SpanBatchWriter::new(SpanParams::of_chain(config));
    for block in blocks {
        let info = block
            .l1_info(config)?
            .ok_or(DevnetError::NoBatch(block.header.number))?;
        let transactions = block.transactions.iter();
        let batch = SingularBatch {
            parent_hash: block.header.parent_hash,
            epoch_num: info.number,
            epoch_hash: info.block_hash,
            timestamp: block.header.timestamp,
            transactions: transactions
                .filter(|transaction| transaction.first() != Some(&DEPOSIT_TX_TYPE))
                .map(AsRef::as_ref)
                .collect(),
        };
        match options.form {
            BatchForm::Singular => rlp::put_string(&batch.encode(), &mut strings),
            BatchForm::Span => span.push(&batch, info.sequence_number)?,
        }
    }
    if options.form == BatchForm::Span {
        rlp::put_string(&span.encode()?, &mut strings);
    }
    Ok(compress(options.algorithm, options.quality, &strings).into())
}

//! The batcher for tests, on recorded L2 blocks: what it posts is read back from L1 by the decoders
//! of derivation.

use crate::support::{block, on_demand, source};
use alloy_primitives::{B256, Bytes};
use doppio_compression::{Algorithm, ChannelReader, Limits};
use doppio_devnet::{
    DevL1, Rpc, SidecarForm, Wallet,
    testing::{BatchForm, BatchOptions, BatchTarget, TestBatcher},
};
use doppio_l1::L1Source;
use doppio_protocol::{
    batch::{Batch, SingularBatch, SpanCursor, SpanParams},
    blob::decode_blob,
    config::ChainConfig,
    frame::{Frame, parse_frames},
};
use doppio_recorded::{OpenOptions, RecordedChain};
use doppio_rpc::{Listen, MethodSet, RpcError, Server};
use doppio_test_vectors::Vectors;
use serde_json::{Value, json};
use std::{net::Ipv4Addr, sync::Arc};

/// An L2 that has recorded blocks.
struct Recorded(Arc<RecordedChain>);

impl MethodSet for Recorded {
    fn names(&self) -> Vec<&'static str> {
        vec!["debug_getRawBlock"]
    }

    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        let number = params[0].as_str().and_then(|text| text.strip_prefix("0x"));
        let number = number.and_then(|text| u64::from_str_radix(text, 16).ok());
        let block = number.and_then(|number| self.0.l2_block(number));
        let block = block.ok_or_else(|| RpcError::method_not_found(method))?;
        Ok(json!(block.raw))
    }
}

struct World {
    recorded: Arc<RecordedChain>,
    l1: DevL1,
    source: L1Source,
    batcher: TestBatcher,
    _l2: Server,
}

impl World {
    async fn new() -> Option<Self> {
        let vectors = Vectors::find("recorded")?;
        let folder = vectors.path("blobs-span-brotli-jovian");
        let recorded = RecordedChain::open(&folder, OpenOptions::default()).unwrap();
        let recorded = Arc::new(recorded);
        let set: Arc<dyn MethodSet> = Arc::new(Recorded(Arc::clone(&recorded)));
        let listen = Listen::at((Ipv4Addr::LOCALHOST, 0).into());
        let l2 = Server::start(&listen, &[set]).await.unwrap();
        let l1 = on_demand().await;
        let keys = doppio_devnet::ChainKeys::of(901).unwrap();
        let wallet: Wallet = l1.wallet(keys.batcher);
        let rpc = Rpc::new(&format!("http://{}", l2.address())).unwrap();
        let config = ChainConfig::clone(&recorded.chain);
        Some(Self {
            source: source(&l1, &config.rollup),
            batcher: TestBatcher::new(rpc, wallet, config),
            recorded,
            l1,
            _l2: l2,
        })
    }

    fn config(&self) -> &ChainConfig {
        &self.recorded.chain
    }

    /// The inbox data of transactions that are in blocks.
    async fn items(&self, hashes: &[B256]) -> Vec<Bytes> {
        let mut items = Vec::new();
        for receipt in self.l1.include(hashes).await.unwrap() {
            let block = block(&self.source, receipt.block_hash).await;
            let mut inbox = block.inbox.iter();
            let found = inbox.find(|found| u64::from(found.index) == receipt.transaction_index);
            let transaction = &found.unwrap().transaction;
            let batcher = self.config().rollup.genesis.system_config.batcher;
            assert_eq!(transaction.sender(900), Some(batcher));
            let hashes = transaction.blob_versioned_hashes();
            if hashes.is_empty() {
                items.push(transaction.input());
            }
            let blobs = self.source.blobs(&block.header.block_ref(), hashes).await;
            for blob in blobs.unwrap() {
                items.push(decode_blob(&blob).unwrap().into());
            }
        }
        items
    }

    /// The blocks of one channel: time, epoch, transactions.
    fn read(&self, frames: &[Frame]) -> Vec<(u64, u64, Vec<Bytes>)> {
        assert!(
            frames
                .iter()
                .enumerate()
                .all(|(index, frame)| usize::from(frame.number) == index
                    && frame.id == frames[0].id
                    && frame.is_last == (index + 1 == frames.len()))
        );
        let channel: Vec<u8> = frames.iter().flat_map(|frame| frame.data.clone()).collect();
        let mut reader = ChannelReader::open(channel, Limits::FJORD).unwrap();
        let mut blocks = Vec::new();
        while let Some(string) = reader.next_string().unwrap() {
            match Batch::decode(&string.into()).unwrap() {
                Batch::Singular(batch) => blocks.push(of_singular(&batch)),
                Batch::Span(span) => {
                    let mut epoch = span.start_epoch_num() - u64::from(span.first_origin_bit());
                    let mut cursor =
                        SpanCursor::new(Arc::new(span), SpanParams::of_chain(self.config()));
                    while let Some(block) = cursor.next_block() {
                        let block = block.unwrap();
                        epoch = block.epoch_num.max(epoch);
                        blocks.push((
                            block.timestamp,
                            block.epoch_num,
                            block.transactions.iter().collect(),
                        ));
                    }
                }
            }
        }
        blocks
    }

    /// The same of the recorded blocks.
    fn expected(&self, range: std::ops::RangeInclusive<u64>) -> Vec<(u64, u64, Vec<Bytes>)> {
        range
            .map(|number| {
                let block = self.recorded.l2_block(number).unwrap().decode().unwrap();
                let epoch = block.l1_info(self.config()).unwrap().unwrap().number;
                let transactions = block.transactions.iter();
                let users = transactions.filter(|transaction| transaction[0] != 0x7e);
                (block.header.timestamp, epoch, users.cloned().collect())
            })
            .collect()
    }
}

fn of_singular(batch: &SingularBatch) -> (u64, u64, Vec<Bytes>) {
    (
        batch.timestamp,
        batch.epoch_num,
        batch.transactions.iter().collect(),
    )
}

#[tokio::test]
async fn what_is_posted_in_any_form_is_the_blocks_again() {
    let Some(world) = World::new().await else {
        return;
    };
    let calldata = BatchOptions {
        form: BatchForm::Singular,
        algorithm: Algorithm::Zlib,
        quality: 9,
        target: BatchTarget::Calldata,
        max_frame_size: 1000,
        frames_per_transaction: 2,
        channel: None,
    };
    let forms = [
        // one blob
        (1..=60, BatchOptions::default(), 1, 1),
        // two frames in one transaction's calldata
        (61..=149, calldata.clone(), 0, 0),
        // small blobs, in several transactions
        (
            150..=200,
            BatchOptions {
                target: BatchTarget::Blobs(SidecarForm::Cells),
                max_frame_size: 10_000,
                frames_per_transaction: 3,
                channel: Some([7; 16].into()),
                ..BatchOptions::default()
            },
            0,
            0,
        ),
    ];
    for (range, options, transactions, items) in forms {
        let hashes = world.batcher.post(range.clone(), &options).await.unwrap();
        let found = world.items(&hashes).await;
        let frames: Vec<Frame> = found
            .iter()
            .flat_map(|item| parse_frames(item, 1_000_000).unwrap())
            .collect();
        assert_eq!(world.read(&frames), world.expected(range.clone()));
        if transactions == 1 {
            assert_eq!((hashes.len(), found.len()), (transactions, items));
        } else {
            assert!(hashes.len() > 1, "{range:?}");
            assert_eq!(
                hashes.len(),
                frames.len().div_ceil(options.frames_per_transaction)
            );
        }
        if let Some(id) = options.channel {
            assert_eq!(frames[0].id, id);
        }
    }
}

#[tokio::test]
async fn garbage_is_posted_as_it_is() {
    let Some(world) = World::new().await else {
        return;
    };
    let garbage = [
        Bytes::from_static(&[0xff; 3]),
        Bytes::new(),
        Bytes::from_static(&[0]),
    ];
    let sent = world
        .batcher
        .post_data(&garbage, BatchTarget::Calldata)
        .await
        .unwrap();
    assert_eq!(sent.len(), 3);
    assert_eq!(world.items(&sent).await, garbage);
    let target = BatchTarget::Blobs(SidecarForm::Blob);
    let sent = world
        .batcher
        .post_data(&garbage[..1], target)
        .await
        .unwrap();
    assert_eq!(world.items(&sent).await, garbage[..1]);

    let options = BatchOptions::default();
    let mut frames = world.batcher.frames(1..=5, &options).await.unwrap();
    frames[0].number = 9;
    let sent = world.batcher.post_frames(&frames, &options).await.unwrap();
    let items = world.items(&sent).await;
    assert_eq!(parse_frames(&items[0], 1_000_000).unwrap(), frames);
}

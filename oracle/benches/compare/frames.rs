//! Blocks to frames: batches, compression, and cutting.
//!
//! Both programs get the blocks of a recorded channel and make inbox data of them again.
//!
//! kona-comp's `ChannelOut` compresses everything from the beginning whenever a batch is added, and
//! the frames that it gives out are empty, because it reads into a buffer of length 0. So it stands
//! here twice: as it is, and with its compressor called once for each channel. Its compressed bytes
//! are cut into frames here, and encoded by kona-protocol.

use crate::{
    Failure,
    rounds::{self, Competitor, measure},
    table::{Table, milliseconds, ratio},
};
use alloy_primitives::Bytes;
use alloy_rlp::Encodable;
use doppio_compression::{Algorithm, Limits, compress};
use doppio_oracle::{
    Batch, BatchBlock, Chain, Channel, Reach, channels,
    kona::{self, RollupConfig},
    our_batches,
};
use doppio_protocol::{
    batch::{SingularBatch, SpanBatchWriter, SpanParams},
    block::L2BlockRef,
    frame::{encode_frames, parse_frames, split_channel},
};
use kona_comp::{BrotliCompressor, BrotliLevel, ChannelCompressor, ChannelOut, ZlibCompressor};
use std::{cell::RefCell, collections::HashMap};

/// Compression is dear: so many times fewer rounds than elsewhere.
const FEWER: usize = 6;

const ID: [u8; 16] = [7; 16];

/// What both programs start from.
#[derive(Clone, Debug)]
struct Block {
    place: L2BlockRef,
    transactions: Vec<Bytes>,
}

/// The blocks of a recorded channel, and how its data was cut.
#[derive(Debug)]
struct Group {
    blocks: Vec<Block>,
    frame_size: usize,
}

/// How the channels are written.
#[derive(Clone, Copy, Debug)]
enum Format {
    SingularZlib,
    /// With brotli's quality.
    SpanBrotli(BrotliLevel),
}

/// Measures a chain of each format.
pub(crate) fn run(chains: &[(&'static str, Chain)]) -> Result<(), Failure> {
    let table = Table::new(
        "Blocks to frames",
        &[
            "chain",
            "blocks",
            "who",
            "bytes",
            "min ms",
            "median ms",
            "of Doppio's min",
        ],
    );
    for (name, chain) in chains {
        match *name {
            "calldata-singular-zlib" => singular(name, chain, &table)?,
            "blobs-span-brotli-jovian" => span(name, chain, &table)?,
            _ => {}
        }
    }
    Ok(())
}

fn singular(name: &str, chain: &Chain, table: &Table) -> Result<(), Failure> {
    let groups = groups(chain)?;
    let config = kona::read_config(chain)?;
    let params = chain.span_params();
    check(chain, &groups, Format::SingularZlib)?;
    let last = RefCell::new(HashMap::new());
    let competitors = [
        record(&last, "Doppio, zlib 9", || {
            doppio(&groups, params, Format::SingularZlib)
        }),
        record(
            &last,
            "kona-comp, zlib 9, each channel compressed once",
            || kona_once(&groups, Format::SingularZlib, params),
        ),
        record(
            &last,
            "kona-comp, zlib 9, as its ChannelOut does it",
            || kona_channel_out(&groups, &config, params),
        ),
    ];
    print(name, &groups, competitors, &last, table);
    Ok(())
}

fn span(name: &str, chain: &Chain, table: &Table) -> Result<(), Failure> {
    let groups = groups(chain)?;
    let params = chain.span_params();
    let best = Format::SpanBrotli(BrotliLevel::Brotli10);
    let fast = Format::SpanBrotli(BrotliLevel::Brotli9);
    check(chain, &groups, best)?;
    let last = RefCell::new(HashMap::new());
    let competitors = [
        record(&last, "Doppio, brotli 10", || doppio(&groups, params, best)),
        record(&last, "Doppio, brotli 9", || doppio(&groups, params, fast)),
        // a span is one batch: ChannelOut compresses it once as well
        record(&last, "kona-comp, brotli 10", || {
            kona_once(&groups, best, params)
        }),
        record(&last, "kona-comp, brotli 9", || {
            kona_once(&groups, fast, params)
        }),
    ];
    print(name, &groups, competitors, &last, table);
    Ok(())
}

/// A competitor whose output's size is written down.
fn record<'a>(
    last: &'a RefCell<HashMap<&'static str, usize>>,
    name: &'static str,
    mut run: impl FnMut() -> usize + 'a,
) -> Competitor<'a> {
    Competitor::new(name, move || {
        let bytes = run();
        last.borrow_mut().insert(name, bytes);
        bytes
    })
}

fn print<const N: usize>(
    name: &str,
    groups: &[Group],
    mut competitors: [Competitor<'_>; N],
    last: &RefCell<HashMap<&'static str, usize>>,
    table: &Table,
) {
    let times = measure(rounds::count() / FEWER, &mut competitors);
    let blocks: usize = groups.iter().map(|group| group.blocks.len()).sum();
    for (competitor, time) in competitors.iter().zip(&times) {
        table.row(&[
            name.to_owned(),
            blocks.to_string(),
            competitor.name.to_owned(),
            last.borrow()[competitor.name].to_string(),
            milliseconds(time.min()),
            milliseconds(time.median()),
            format!("{:.2}", ratio(time.min(), times[0].min())),
        ]);
    }
}

/// The blocks of each channel of a chain.
fn groups(chain: &Chain) -> Result<Vec<Group>, Failure> {
    let config = &chain.recorded.chain;
    let mut by_time = HashMap::new();
    for recorded in &chain.recorded.l2_blocks {
        let place = recorded.decode()?.block_ref(config)?;
        by_time.insert(place.timestamp, place);
    }
    let derivation = chain.derive(Reach::WHOLE)?;
    let mut groups = Vec::new();
    for channel in channels(chain, &derivation) {
        let mut blocks = Vec::new();
        for block in blocks_of(our_batches(&channel, chain.span_params())) {
            // the last channel may hold blocks that were not recorded
            if let Some(place) = by_time.get(&block.timestamp) {
                blocks.push(Block {
                    place: *place,
                    transactions: block.transactions,
                });
            }
        }
        let frame_size = channel.frame_size;
        groups.push(Group { blocks, frame_size });
    }
    groups.retain(|group| !group.blocks.is_empty());
    Ok(groups)
}

fn blocks_of(batches: Vec<Batch>) -> Vec<BatchBlock> {
    let blocks = batches.into_iter().flat_map(|batch| match batch {
        Batch::Singular { block, .. } => vec![block],
        Batch::Span { blocks, .. } => blocks,
    });
    blocks.collect()
}

/// Makes inbox data of all groups; returns its bytes.
fn doppio(groups: &[Group], params: SpanParams, format: Format) -> usize {
    let items = groups.iter().flat_map(|group| write(group, params, format));
    items.map(|item| item.len()).sum()
}

/// The data items of a group, one for each frame.
fn write(group: &Group, params: SpanParams, format: Format) -> Vec<Bytes> {
    let mut strings = Vec::new();
    let mut span = SpanBatchWriter::new(params);
    for Block {
        place,
        transactions,
    } in &group.blocks
    {
        let batch = SingularBatch {
            parent_hash: place.parent_hash,
            epoch_num: place.l1_origin.number,
            epoch_hash: place.l1_origin.hash,
            timestamp: place.timestamp,
            transactions: transactions.iter().collect(),
        };
        match format {
            Format::SingularZlib => batch.encode().as_slice().encode(&mut strings),
            Format::SpanBrotli(_) => {
                span.push(&batch, place.sequence_number)
                    .expect("the recorded chain's blocks");
            }
        }
    }
    let channel = match format {
        Format::SingularZlib => compress(Algorithm::Zlib, 9, &strings),
        Format::SpanBrotli(level) => {
            let batch = span.encode().expect("at least one block");
            batch.as_slice().encode(&mut strings);
            compress(Algorithm::Brotli, level.into(), &strings)
        }
    };
    let frames = split_channel(ID.into(), &channel.into(), group.frame_size);
    let frames = frames.expect("frames that are large enough");
    frames.iter().map(|frame| encode_frames([frame])).collect()
}

/// What was written reads as the blocks that it was made of.
fn check(chain: &Chain, groups: &[Group], format: Format) -> Result<(), Failure> {
    for group in groups {
        let mut data = Vec::new();
        for item in write(group, chain.span_params(), format) {
            for frame in parse_frames(&item, u32::MAX)? {
                data.extend_from_slice(&frame.data);
            }
        }
        let channel = Channel {
            data,
            l1: Default::default(),
            limits: Limits::FJORD,
            frame_size: 0,
        };
        let read = blocks_of(our_batches(&channel, chain.span_params()));
        let transactions = read.iter().map(|block| &block.transactions);
        assert!(transactions.eq(group.blocks.iter().map(|block| &block.transactions)));
    }
    Ok(())
}

/// kona's batches of a group.
fn kona_batches(group: &Group, format: Format, params: SpanParams) -> Vec<kona::Batch> {
    let singular = group.blocks.iter().map(|block| kona::SingleBatch {
        parent_hash: block.place.parent_hash,
        epoch_num: block.place.l1_origin.number,
        epoch_hash: block.place.l1_origin.hash,
        timestamp: block.place.timestamp,
        transactions: block.transactions.clone(),
    });
    match format {
        Format::SingularZlib => singular.map(kona::Batch::Single).collect(),
        Format::SpanBrotli(_) => {
            let mut span = kona::SpanBatch {
                genesis_timestamp: params.genesis_time,
                chain_id: params.chain_id,
                ..kona::SpanBatch::default()
            };
            for (batch, block) in singular.zip(&group.blocks) {
                span.append_singular_batch(batch, block.place.sequence_number)
                    .expect("the recorded chain's blocks");
            }
            vec![kona::Batch::Span(span)]
        }
    }
}

/// Makes inbox data of all groups, with kona's compressor called once for each; returns its bytes.
fn kona_once(groups: &[Group], format: Format, params: SpanParams) -> usize {
    let mut bytes = 0;
    for group in groups {
        let mut strings = Vec::new();
        for batch in kona_batches(group, format, params) {
            batch
                .encode(&mut strings)
                .expect("a batch that kona can encode");
        }
        let channel = match format {
            Format::SingularZlib => compressed(ZlibCompressor::new(), &strings),
            Format::SpanBrotli(level) => compressed(BrotliCompressor::new(level), &strings),
        };
        bytes += kona_frames(&channel, group.frame_size);
    }
    bytes
}

fn compressed(mut compressor: impl ChannelCompressor, strings: &[u8]) -> Vec<u8> {
    compressor.write(strings).expect("compression into memory");
    compressor.get_compressed()
}

/// Makes inbox data of all groups with kona's `ChannelOut`; returns its bytes.
fn kona_channel_out(groups: &[Group], config: &RollupConfig, params: SpanParams) -> usize {
    let mut bytes = 0;
    for group in groups {
        let mut out = ChannelOut::new(ID, config, ZlibCompressor::new());
        for batch in kona_batches(group, Format::SingularZlib, params) {
            out.add_batch(batch).expect("a batch that kona can encode");
        }
        out.close();
        bytes += kona_frames(&out.compressor.get_compressed(), group.frame_size);
    }
    bytes
}

/// Cuts a channel; returns the bytes of the data items, one for each frame.
fn kona_frames(channel: &[u8], frame_size: usize) -> usize {
    let mut bytes = 0;
    // a frame's encoding adds 23 bytes
    let count = channel.len().div_ceil(frame_size - 23);
    for (number, data) in (0..).zip(channel.chunks(frame_size - 23)) {
        let is_last = usize::from(number) + 1 == count;
        let frame = kona::Frame::new(ID, number, data.to_vec(), is_last);
        let mut item = vec![0];
        item.extend_from_slice(&frame.encode());
        bytes += item.len();
    }
    bytes
}

//! Why the benches take kona-comp's compressed bytes and cut them themselves: what its `ChannelOut`
//! gives out is no channel that anyone could read.

use doppio_oracle::kona::{Batch, BatchReader, RollupConfig, SingleBatch};
use kona_comp::{ChannelCompressor, ChannelOut, ZlibCompressor};

fn closed_channel(config: &RollupConfig) -> ChannelOut<'_, ZlibCompressor> {
    let mut channel = ChannelOut::new([7; 16], config, ZlibCompressor::new());
    channel
        .add_batch(Batch::Single(SingleBatch::default()))
        .unwrap();
    channel.close();
    channel
}

#[test]
fn its_frames_are_empty() {
    let config = RollupConfig::default();
    let mut channel = closed_channel(&config);
    assert!(channel.ready_bytes() > 0);
    let frame = channel.output_frame(1000).unwrap();
    assert!(frame.is_last && frame.data.is_empty());
}

/// There is no zlib header, and the batches are no RLP strings.
#[test]
fn its_compressed_bytes_are_no_channel() {
    let config = RollupConfig::default();
    let bytes = closed_channel(&config).compressor.get_compressed();
    let mut reader = BatchReader::new(bytes.clone(), 1_000_000);
    assert_eq!(reader.next_batch(&config), None);
    let inflated = miniz_oxide::inflate::decompress_to_vec(&bytes).unwrap();
    let mut encoded = Vec::new();
    let batch = Batch::Single(SingleBatch::default());
    batch.encode(&mut encoded).unwrap();
    assert_eq!(inflated, encoded);
}

//! Channel bytes to batches, down to the bytes of every transaction.

use crate::{
    Failure,
    rounds::{self, Competitor, measure},
    table::{Table, milliseconds, ratio},
};
use alloy_primitives::Bytes;
use doppio_compression::{Algorithm, ChannelReader};
use doppio_oracle::{
    Chain, Channel, Reach, channels,
    kona::{self, BatchReader, RollupConfig},
    our_batches,
};
use doppio_protocol::batch::{Batch, SpanCursor, SpanParams};
use std::{
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Measures every chain.
pub(crate) fn run(chains: &[(&'static str, Chain)]) -> Result<(), Failure> {
    let table = Table::new(
        "Channels to batches",
        &[
            "chain",
            "channels",
            "bytes",
            "who",
            "min ms",
            "median ms",
            "of Doppio's min",
        ],
    );
    for (name, chain) in chains {
        let derivation = chain.derive(Reach::WHOLE)?;
        let channels = channels(chain, &derivation);
        let params = chain.span_params();
        let config = kona::read_config(chain)?;
        for channel in &channels {
            let ours = our_batches(channel, params);
            assert_eq!(ours, kona::batches(channel, &config).batches, "{name}");
        }
        let expected = doppio(&channels, params);
        assert_eq!(
            expected,
            kona_protocol(&channels, &config),
            "{name}: transactions"
        );
        let mut competitors = vec![
            Competitor::new("Doppio", || doppio(&channels, params)),
            Competitor::new("kona-protocol", || kona_protocol(&channels, &config)),
            Competitor::new("decompression alone: Doppio's", || {
                channels.iter().map(decompress).sum()
            }),
        ];
        competitors.extend(libraries(&channels));
        let times = measure(rounds::count(), &mut competitors);
        let bytes: usize = channels.iter().map(|channel| channel.data.len()).sum();
        for (competitor, time) in competitors.iter().zip(&times) {
            table.row(&[
                (*name).to_owned(),
                channels.len().to_string(),
                bytes.to_string(),
                competitor.name.to_owned(),
                milliseconds(time.min()),
                milliseconds(time.median()),
                format!("{:.2}", ratio(time.min(), times[0].min())),
            ]);
        }
    }
    Ok(())
}

/// Reads all batches; returns how many transactions they have.
fn doppio(channels: &[Channel], params: SpanParams) -> usize {
    let mut transactions = 0;
    for channel in channels {
        let Ok(mut reader) = ChannelReader::open(channel.data.clone(), channel.limits) else {
            continue;
        };
        while let Ok(Some(string)) = reader.next_string() {
            match Batch::decode(&Bytes::from(string)) {
                Ok(Batch::Singular(batch)) => transactions += batch.transactions.len(),
                Ok(Batch::Span(span)) if span.check_transactions(&params).is_ok() => {
                    let mut cursor = SpanCursor::new(Arc::new(span), params);
                    while let Some(Ok(block)) = cursor.next_block() {
                        transactions += block.transactions.len();
                    }
                }
                Ok(Batch::Span(_)) => {}
                Err(_) => break,
            }
        }
    }
    transactions
}

/// Reads all batches; returns how many transactions they have.
fn kona_protocol(channels: &[Channel], config: &RollupConfig) -> usize {
    let mut transactions = 0;
    for channel in channels {
        let limit = usize::try_from(channel.limits.max_rlp_bytes).unwrap_or(usize::MAX);
        let mut reader = BatchReader::new(channel.data.clone(), limit);
        let mut next = || catch_unwind(AssertUnwindSafe(|| reader.next_batch(config)));
        while let Ok(Some(batch)) = next() {
            match batch {
                kona::Batch::Single(batch) => transactions += batch.transactions.len(),
                kona::Batch::Span(span) => {
                    let blocks = span.batches.iter();
                    transactions += blocks.map(|block| block.transactions.len()).sum::<usize>();
                }
            }
        }
    }
    transactions
}

/// Decompresses a channel, and finds the strings in it; returns their bytes.
pub(crate) fn decompress(channel: &Channel) -> usize {
    let mut bytes = 0;
    let Ok(mut reader) = ChannelReader::open(channel.data.clone(), channel.limits) else {
        return bytes;
    };
    while let Ok(Some(string)) = reader.next_string() {
        bytes += string.len();
    }
    bytes
}

/// Other decompressors, where all channels are compressed alike. They are told how large the output
/// is, and give it in one piece.
pub(crate) fn libraries(channels: &[Channel]) -> Vec<Competitor<'_>> {
    let algorithm = |channel: &Channel| {
        let reader = ChannelReader::open(channel.data.clone(), channel.limits);
        reader.ok().map(|reader| reader.algorithm())
    };
    let sizes: Vec<usize> = channels
        .iter()
        .map(|channel| decompress(channel) * 2)
        .collect();
    let are_all = |wanted| {
        channels
            .iter()
            .all(|channel| algorithm(channel) == Some(wanted))
    };
    if are_all(Algorithm::Zlib) {
        let mut decompressor = libdeflater::Decompressor::new();
        let sizes_too = sizes.clone();
        return vec![
            Competitor::new("decompression alone: libdeflate (C)", move || {
                let mut bytes = 0;
                for (channel, size) in channels.iter().zip(&sizes_too) {
                    let mut out = vec![0; *size + 1000];
                    let written = decompressor.zlib_decompress(&channel.data, &mut out);
                    bytes += written.unwrap_or_default();
                }
                bytes
            }),
            Competitor::new("decompression alone: zlib-rs", move || {
                let mut bytes = 0;
                for (channel, size) in channels.iter().zip(&sizes) {
                    let mut out = Vec::with_capacity(*size + 1000);
                    let mut decoder = flate2::read::ZlibDecoder::new(&channel.data[..]);
                    bytes += decoder.read_to_end(&mut out).unwrap_or_default();
                }
                bytes
            }),
        ];
    }
    if are_all(Algorithm::Brotli) {
        return vec![Competitor::new(
            "decompression alone: brotli-decompressor",
            move || {
                let mut bytes = 0;
                for (channel, size) in channels.iter().zip(&sizes) {
                    let mut out = Vec::with_capacity(*size + 1000);
                    let mut data = &channel.data[1..];
                    let done = brotli_decompressor::BrotliDecompress(&mut data, &mut out);
                    bytes += done.map_or(0, |()| out.len());
                }
                bytes
            },
        )];
    }
    Vec::new()
}

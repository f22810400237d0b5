//! Reading channels, beside what other decoders need for the same bytes.
//!
//! The channels are made here; or they are those below the folder that the environment variable
//! `DOPPIO_CHANNELS` names: one folder for each chain, in it one file for each channel, with the
//! bytes as they were put together from the frames. Broken channels and bombs are left out.
//!
//! All decoders take turns, round after round, and the fastest round of each counts: other work of
//! the machine can only make a round slower. The other decoders only decompress, each in the
//! fastest way it offers, into memory that is large enough from the start. Ours also finds the
//! strings and returns each one on its own.

use doppio_compression::{Algorithm, ChannelReader, Limits, compress};
use flate2::{Decompress, FlushDecompress};
use std::hint::black_box;
use std::io::{Read, Result, Write, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

/// Rounds when it is measured. `cargo test` makes one, to see that it works.
const ROUNDS: usize = 300;

/// A channel that holds more than this is a bomb.
const LARGE: usize = 1 << 20;

/// The channels of a chain that are compressed in the same way.
struct Chain {
    name: String,
    algorithm: Algorithm,
    channels: Vec<Vec<u8>>,
}

/// Decompresses a channel. Returns how many bytes came out.
type Decode = fn(Vec<u8>) -> u64;

const ZLIB: [(&str, Decode); 3] = [
    ("doppio", read),
    ("zlib-rs (flate2)", zlib_rs),
    ("miniz_oxide", miniz_oxide),
];
const BROTLI: [(&str, Decode); 2] = [("doppio", read), ("brotli-decompressor", brotli)];

fn read(channel: Vec<u8>) -> u64 {
    let Ok(mut reader) = ChannelReader::open(channel, Limits::FJORD) else {
        return 0;
    };
    while let Ok(Some(string)) = reader.next_string() {
        black_box(string);
    }
    reader.decompressed_bytes()
}

fn zlib_rs(channel: Vec<u8>) -> u64 {
    let mut out = Vec::with_capacity(LARGE);
    let mut decoder = Decompress::new(true);
    let status = decoder.decompress_vec(&channel, &mut out, FlushDecompress::Finish);
    black_box(&out);
    status.map_or(0, |_| decoder.total_out())
}

fn miniz_oxide(channel: Vec<u8>) -> u64 {
    let mut out = vec![0; LARGE];
    let input = std::iter::once(&channel[..]);
    let size = ::miniz_oxide::inflate::decompress_slice_iter_to_slice(&mut out, input, true, false);
    black_box(&out);
    size.map_or(0, |size| size as u64)
}

fn brotli(channel: Vec<u8>) -> u64 {
    let mut out = Vec::with_capacity(LARGE);
    let mut decoder = brotli_decompressor::Decompressor::new(&channel[1..], 1 << 16);
    let result = decoder.read_to_end(&mut out);
    black_box(&out);
    result.map_or(0, |size| size as u64)
}

fn main() -> Result<()> {
    let rounds = if std::env::args().any(|argument| argument == "--bench") {
        ROUNDS
    } else {
        1
    };
    let chains = match std::env::var_os("DOPPIO_CHANNELS") {
        Some(folder) => recorded(folder.as_ref())?,
        None => made(),
    };
    let mut out = stdout().lock();
    for chain in chains {
        let decoders: &[_] = match chain.algorithm {
            Algorithm::Zlib => &ZLIB,
            Algorithm::Brotli => &BROTLI,
        };
        let size: u64 = chain.channels.iter().cloned().map(read).sum();
        writeln!(
            out,
            "{}, {}: {} channels, {size} bytes when decompressed",
            chain.name,
            chain.algorithm,
            chain.channels.len()
        )?;
        for ((name, _), best) in decoders.iter().zip(measure(&chain, size, decoders, rounds)) {
            let seconds = best.as_secs_f64();
            let speed = size as f64 / seconds / 1e6;
            writeln!(out, "    {name:22}{:8.2} ms{speed:8.0} MB/s", seconds * 1e3)?;
        }
    }
    Ok(())
}

/// The fastest round of each decoder. Each of them must bring out `size` bytes.
fn measure(chain: &Chain, size: u64, decoders: &[(&str, Decode)], rounds: usize) -> Vec<Duration> {
    let mut best = vec![Duration::MAX; decoders.len()];
    for _ in 0..rounds {
        for (best, (name, decode)) in best.iter_mut().zip(decoders) {
            let channels = chain.channels.clone();
            let start = Instant::now();
            let total: u64 = channels.into_iter().map(decode).sum();
            *best = start.elapsed().min(*best);
            assert_eq!(total, size, "{name} decodes something else");
        }
    }
    best
}

/// The channels below a folder, see the top of the file.
fn recorded(folder: &Path) -> Result<Vec<Chain>> {
    let mut chains = Vec::new();
    for chain in std::fs::read_dir(folder)? {
        let chain = chain?;
        let mut channels = Vec::new();
        for file in std::fs::read_dir(chain.path())? {
            channels.push(std::fs::read(file?.path())?);
        }
        let name = chain.file_name().to_string_lossy().into_owned();
        for algorithm in [Algorithm::Zlib, Algorithm::Brotli] {
            let is_wanted = |channel: &&Vec<u8>| is_whole(channel, algorithm);
            let channels: Vec<_> = channels.iter().filter(is_wanted).cloned().collect();
            if !channels.is_empty() {
                chains.push(Chain {
                    name: name.clone(),
                    algorithm,
                    channels,
                });
            }
        }
    }
    chains.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(chains)
}

/// Whether it is a channel with this compression that can be read to its end.
fn is_whole(channel: &[u8], algorithm: Algorithm) -> bool {
    let Ok(mut reader) = ChannelReader::open(channel.to_vec(), Limits::FJORD) else {
        return false;
    };
    while let Ok(next) = reader.next_string() {
        if next.is_none() {
            let is_usual = reader.strings() > 0 && reader.decompressed_bytes() <= LARGE as u64;
            return is_usual && reader.algorithm() == algorithm;
        }
    }
    false
}

/// Channels of 120 kB with token transfers in them: addresses and amounts that repeat, and
/// signatures that do not.
fn made() -> Vec<Chain> {
    let mut state = 1u64;
    let mut random = move |count: usize| -> Vec<u8> {
        let bytes = (0..count).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        });
        bytes.collect()
    };
    let mut strings = Vec::new();
    for _ in 0..10 {
        let addresses: Vec<_> = (0..30).map(|_| random(20)).collect();
        let mut batch = Vec::new();
        while batch.len() < 120_000 {
            let pick = random(2);
            let [from, to] = [pick[0], pick[1]].map(|at| &addresses[usize::from(at) % 30]);
            batch.extend([
                0x02, 0xf8, 0xb0, 0x83, 0x0a, 0xa0, 0x3b, 0x9a, 0xca, 0x00, 0x94,
            ]);
            batch.extend(from);
            batch.extend([0x80, 0xb8, 0x44, 0xa9, 0x05, 0x9c, 0xbb]);
            batch.extend([0; 12]);
            batch.extend(to);
            batch.extend([0; 26]);
            batch.extend(random(6 + 64));
        }
        let size = u32::try_from(batch.len())
            .expect("not that large")
            .to_be_bytes();
        strings.push([&[0xba], &size[1..], &batch].concat());
    }
    [(Algorithm::Zlib, 9), (Algorithm::Brotli, 10)]
        .map(|(algorithm, quality)| Chain {
            name: "made".to_owned(),
            algorithm,
            channels: strings
                .iter()
                .map(|string| compress(algorithm, quality, string))
                .collect(),
        })
        .into()
}

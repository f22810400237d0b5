//! Prints what comes out of each channel on stdin, one line each: the number of strings, the sum of
//! their lengths, their fingerprint, and how the channel ended.
//!
//! The input is a row of records: the length of the channel (u32, little endian), the limit on
//! decompressed bytes (u64, little endian), whether brotli is allowed (one byte), and the channel.
//! A program that reads the same records with op-node's decoders, and prints the same lines, shows
//! whether there is a difference.

#[path = "../tests/verdict/mod.rs"]
mod verdict;

use doppio_compression::Limits;
use std::io::{BufWriter, Read, Write, stdin, stdout};

fn main() -> std::io::Result<()> {
    let mut input = stdin().lock();
    let mut out = BufWriter::with_capacity(1 << 20, stdout().lock());
    let mut header = [0; 13];
    while input.read_exact(&mut header).is_ok() {
        let (length, limit, brotli) = (&header[..4], &header[4..12], header[12]);
        let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
        let max_rlp_bytes = u64::from_le_bytes(limit.try_into().expect("eight bytes"));
        let mut channel = vec![0; length as usize];
        input.read_exact(&mut channel)?;

        let limits = Limits {
            max_rlp_bytes,
            brotli: brotli != 0,
        };
        let (verdict, _) = verdict::read(channel, limits);
        let verdict::Verdict {
            strings,
            bytes,
            hash,
            end,
        } = verdict;
        writeln!(out, "{strings} {bytes} {hash} {end}")?;
    }
    out.flush()
}

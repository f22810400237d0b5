//! Reads channels whose outcome with op-node is on record in `tests/vectors`.

mod verdict;

use doppio_compression::Limits;
use serde::Deserialize;
use verdict::{Verdict, read};

#[derive(Deserialize)]
struct Vector {
    name: String,
    channel: String,
    max_rlp_bytes: u64,
    brotli: bool,
    strings: usize,
    bytes: usize,
    hash: String,
    end: String,
    lens: Option<Vec<usize>>,
}

fn base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for &digit in group {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => 0,
            };
            bits = bits << 6 | u32::from(value);
        }
        let padding = group.iter().filter(|&&digit| digit == b'=').count();
        bytes.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
    }
    bytes
}

/// Reads all vectors of a file.
fn check(file: &str) {
    // The first line describes the file.
    for line in file.lines().skip(1) {
        let vector: Vector = serde_json::from_str(line).expect("a vector");
        let limits = Limits {
            max_rlp_bytes: vector.max_rlp_bytes,
            brotli: vector.brotli,
        };
        let expected = Verdict {
            strings: vector.strings,
            bytes: vector.bytes,
            hash: vector.hash,
            end: vector.end,
        };
        let (verdict, lens) = read(base64(&vector.channel), limits);
        assert_eq!(verdict, expected, "{}", vector.name);
        if let Some(expected) = vector.lens {
            assert_eq!(lens, expected, "{}", vector.name);
        }
    }
}

#[test]
fn channels_open_as_in_op_node() {
    check(include_str!("vectors/opening.jsonl"));
}

#[test]
fn strings_are_read_as_in_op_node() {
    check(include_str!("vectors/rlp.jsonl"));
}

#[test]
fn zlib_streams_end_as_in_op_node() {
    check(include_str!("vectors/zlib-ends.jsonl"));
}

#[test]
fn deflate_streams_are_read_as_in_op_node() {
    check(include_str!("vectors/deflate.jsonl"));
}

#[test]
fn brotli_streams_are_read_as_in_op_node() {
    check(include_str!("vectors/brotli.jsonl"));
}

#[test]
fn differences_found_before_stay_fixed() {
    check(include_str!("vectors/found.jsonl"));
}

#[test]
fn random_channels_are_read_as_in_op_node() {
    check(include_str!("vectors/random.jsonl"));
}

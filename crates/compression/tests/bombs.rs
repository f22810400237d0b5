//! Small channels that decompress to a lot.

use doppio_compression::{Algorithm, ChannelReader, Limits, ReadErrorKind, compress};
use simd_adler32::Adler32;

/// Writes bits, lowest first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn put(&mut self, value: u64, count: usize) -> &mut Self {
        for at in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = u8::from(value >> at & 1 == 1);
            *self.bytes.last_mut().expect("just added") |= bit << (self.count % 8);
            self.count += 1;
        }
        self
    }

    fn align(&mut self) -> &mut Self {
        self.count = self.bytes.len() * 8;
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.align();
        self.bytes.extend_from_slice(bytes);
        self.align()
    }
}

/// RLP header of a string of this size.
fn header(size: u32) -> [u8; 5] {
    let [a, b, c, d] = size.to_be_bytes();
    [0xbb, a, b, c, d]
}

/// A brotli channel of `total` zeros, at least 1 MiB, after `start`. Each 16 MiB take some 20 bytes.
fn brotli_zeros(start: &[u8], total: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    // 24 window bits.
    bits.put(0b1111, 4);
    let length = start.len() as u64;
    bits.put(0, 1)
        .put(0, 2)
        .put(length - 1, 16)
        .put(1, 1)
        .bytes(start);
    let mut left = total as u64;
    while left > 0 {
        let length = left.min(1 << 24);
        // Not the last meta-block, six nibbles of length, not uncompressed.
        bits.put(0, 1).put(2, 2).put(length - 1, 24).put(0, 1);
        // One block type each, no postfix bits or direct codes, context mode, one tree each.
        bits.put(0, 3).put(0, 6).put(0, 2).put(0, 2);
        // Codes of one symbol: literal 0; one literal and a copy of 2118 or more; distance 1 or 2.
        bits.put(1, 2).put(0, 2).put(0, 8);
        bits.put(1, 2).put(0, 2).put(399, 10);
        bits.put(1, 2).put(0, 2).put(16, 6);
        // So all that a command takes are the extra bits of its copy length and distance.
        bits.put(length - 1 - 2118, 24).put(0, 1);
        left -= length;
    }
    bits.put(3, 2);
    [&[1], &bits.bytes[..]].concat()
}

/// A zlib channel of `total` zeros after `start`. Each 258 take two bits.
fn zlib_zeros(start: &[u8], total: usize) -> Vec<u8> {
    let mut checksum = Adler32::new();
    checksum.write(start);
    checksum.write(&vec![0; total]);
    let mut bits = Bits::default();
    bits.bytes(&[0x78, 0xda]);
    let length = u16::try_from(start.len()).expect("short");
    bits.put(0, 3)
        .bytes(&length.to_le_bytes())
        .bytes(&(!length).to_le_bytes())
        .bytes(start);
    // A dynamic block with 286 literal/length codes and one distance code.
    bits.put(1, 1).put(2, 2).put(29, 5).put(0, 5).put(14, 4);
    // Lengths of the length code: one bit for 18, two bits for 1 and 2.
    for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1] {
        bits.put(
            match symbol {
                18 => 1,
                1 | 2 => 2,
                _ => 0,
            },
            3,
        );
    }
    let (zeros, one, two) = ((0, 1), (0b01, 2), (0b11, 2));
    // Symbol 0 has two bits, 256 has two bits, 285 has one bit; the distance 1 has one bit.
    bits.put(two.0, two.1);
    bits.put(zeros.0, zeros.1)
        .put(138 - 11, 7)
        .put(zeros.0, zeros.1)
        .put(117 - 11, 7);
    bits.put(two.0, two.1);
    bits.put(zeros.0, zeros.1).put(28 - 11, 7);
    bits.put(one.0, one.1).put(one.0, one.1);
    let (literal, end, match_258) = ((0b01, 2), (0b11, 2), (0, 1));
    let literals = if total.is_multiple_of(258) {
        258
    } else {
        total % 258
    };
    for _ in 0..literals {
        bits.put(literal.0, literal.1);
    }
    for _ in 0..(total - literals) / 258 {
        bits.put(match_258.0, match_258.1).put(0, 1);
    }
    bits.put(end.0, end.1)
        .bytes(&checksum.finish().to_be_bytes());
    bits.bytes.clone()
}

const LIMIT: usize = 100_000_000;
const SIZE: u32 = 100_000_000 - 5;

/// One string as large as is allowed costs its own memory and not much more.
fn check_largest(channel: Vec<u8>, window: usize) {
    assert!(channel.len() < 100_000);
    let size = channel.len();
    let mut reader = ChannelReader::open(channel, Limits::FJORD).expect("it opens");
    let string = reader
        .next_string()
        .expect("it is allowed")
        .expect("there is one");
    assert_eq!(string.len(), LIMIT - 5);
    assert!(string.iter().all(|&byte| byte == 0));
    // While the string grew, an old and a new buffer were held; a unit test of `Sink` shows that
    // both together never have more than a sixteenth above the size of the string.
    assert_eq!(string.capacity(), string.len());
    assert!(reader.memory() <= size + window + 128 * 1024);
    assert_eq!(reader.next_string(), Ok(None));
}

#[test]
fn the_largest_string_in_zlib() {
    check_largest(zlib_zeros(&header(SIZE), LIMIT - 5), 96 * 1024);
}

#[test]
fn the_largest_string_in_brotli() {
    check_largest(brotli_zeros(&header(SIZE), LIMIT - 5), 16 << 20);
}

#[test]
fn a_string_that_is_one_byte_too_large_is_not_read_at_all() {
    for channel in [
        zlib_zeros(&header(SIZE + 1), 2_000_000),
        brotli_zeros(&header(SIZE + 1), 2_000_000),
    ] {
        let mut reader = ChannelReader::open(channel, Limits::FJORD).expect("it opens");
        let error = reader.next_string().expect_err("it is too large");
        let kind = ReadErrorKind::OverBudget {
            claimed: LIMIT as u64 - 4,
            remaining: SIZE.into(),
        };
        assert_eq!((error.offset, error.kind), (0, kind));
        assert!(reader.decompressed_bytes() <= 4096);
    }
}

#[test]
fn reading_stops_at_the_limit_however_much_follows() {
    // A string, and then zeros, which are strings of one byte, up to the limit.
    let mut start = vec![0xb9, 0x03, 0xe8];
    start.resize(1003, 7);
    let limits = Limits {
        max_rlp_bytes: 50_000,
        brotli: true,
    };
    for channel in [
        zlib_zeros(&start, 20_000_000),
        brotli_zeros(&start, 1 << 30),
    ] {
        let mut reader = ChannelReader::open(channel, limits).expect("it opens");
        while let Some(string) = reader.next_string().expect("nothing is wrong") {
            assert!(string.len() == 1000 || string == [0]);
        }
        assert_eq!(reader.strings(), 1 + 50_000 - 1003);
        assert!(reader.decompressed_bytes() <= 50_000 + 4096);
    }
}

#[test]
fn a_claim_alone_reserves_no_memory() {
    for algorithm in [Algorithm::Zlib, Algorithm::Brotli] {
        let channel = compress(algorithm, 9, &[&header(SIZE)[..], &[7; 100]].concat());
        let mut reader = ChannelReader::open(channel, Limits::FJORD).expect("it opens");
        let error = reader.next_string().expect_err("it is cut off");
        assert_eq!(error.kind, ReadErrorKind::EndsWithin);
        assert!(reader.memory() < 256 * 1024);
    }
}

//! What holds for all channels.

use doppio_compression::{Algorithm, ChannelReader, Limits, ReadErrorKind, compress};
use proptest::prelude::*;

/// Appends a string in RLP.
fn push_rlp(out: &mut Vec<u8>, string: &[u8]) {
    match string {
        [0..0x80] => {}
        _ if string.len() < 56 => out.push(0x80 + u8::try_from(string.len()).expect("below 56")),
        _ => {
            let size = string.len().to_be_bytes();
            let zeros = size.iter().take_while(|&&byte| byte == 0).count();
            let width = u8::try_from(size.len() - zeros).expect("at most 8");
            out.push(0xb7 + width);
            out.extend_from_slice(&size[zeros..]);
        }
    }
    out.extend_from_slice(string);
}

fn rlp(strings: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for string in strings {
        push_rlp(&mut out, string);
    }
    out
}

/// Reads a channel to its end. An error ends it, too.
fn read_all(channel: Vec<u8>, limits: Limits) -> (Vec<Vec<u8>>, Option<ReadErrorKind>) {
    let mut strings = Vec::new();
    let Ok(mut reader) = ChannelReader::open(channel, limits) else {
        return (strings, None);
    };
    loop {
        match reader.next_string() {
            Ok(Some(string)) => strings.push(string),
            Ok(None) => return (strings, None),
            Err(error) => return (strings, Some(error.kind)),
        }
    }
}

/// Each quality there is, and one more.
fn algorithms() -> impl Strategy<Value = (Algorithm, u32)> {
    prop_oneof![
        (0..11u32).prop_map(|quality| (Algorithm::Zlib, quality)),
        (0..13u32).prop_map(|quality| (Algorithm::Brotli, quality)),
    ]
}

/// A string that compresses more or less well, of any size and often of one near a power of two.
fn string() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![
        4 => 0..300usize,
        1 => 4000..4200usize,
        1 => 8180..8200usize,
        1 => 32_750..32_780usize,
        1 => 0..70_000usize,
    ];
    (size, 1..=255u8, any::<u64>()).prop_map(|(size, range, seed)| {
        let mut state = seed;
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < size {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let byte = state.to_be_bytes()[0] % range;
            let repeat = usize::from(state.to_be_bytes()[1] % 4) + 1;
            bytes.extend(std::iter::repeat_n(byte, repeat.min(size - bytes.len())));
        }
        bytes
    })
}

fn strings() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(string(), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_compressed_is_read_back(
        (algorithm, quality) in algorithms(),
        strings in strings(),
    ) {
        let channel = compress(algorithm, quality, &rlp(&strings));
        let size = channel.len();
        let mut reader = ChannelReader::open(channel, Limits::FJORD).expect("a good channel");
        prop_assert_eq!(reader.algorithm(), algorithm);
        prop_assert_eq!(reader.compressed_bytes(), size);
        for string in &strings {
            let read = reader.next_string().expect("a good channel");
            prop_assert_eq!(read.as_ref(), Some(string));
        }
        prop_assert_eq!(reader.next_string(), Ok(None));
        prop_assert_eq!(reader.strings(), strings.len() as u64);
        prop_assert_eq!(reader.decompressed_bytes(), rlp(&strings).len() as u64);
    }

    #[test]
    fn a_channel_that_is_cut_off_yields_some_of_the_first_strings(
        (algorithm, quality) in algorithms(),
        strings in strings(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut channel = compress(algorithm, quality, &rlp(&strings));
        channel.truncate(cut.index(channel.len()));
        let (read, _) = read_all(channel, Limits::FJORD);
        prop_assert!(strings.starts_with(&read));
    }

    #[test]
    fn the_limit_counts_strings_and_headers(
        (algorithm, quality) in algorithms(),
        strings in strings(),
        limit in 1..100_000u64,
    ) {
        let channel = compress(algorithm, quality, &rlp(&strings));
        let limits = Limits { max_rlp_bytes: limit, ..Limits::FJORD };
        let (read, error) = read_all(channel, limits);
        let mut expected = strings.clone();
        while rlp(&expected).len() as u64 > limit {
            expected.pop();
        }
        prop_assert_eq!(&read, &expected);
        let over_budget = matches!(error, Some(ReadErrorKind::OverBudget { .. }));
        // If the limit ends right where a string starts, that is the end.
        let ends_between = rlp(&read).len() as u64 == limit || read.len() == strings.len();
        prop_assert!(over_budget || ends_between);
    }

    #[test]
    fn what_follows_a_zlib_stream_does_not_matter(
        strings in strings(),
        tail in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let mut channel = compress(Algorithm::Zlib, 9, &rlp(&strings));
        channel.extend(tail);
        prop_assert_eq!(read_all(channel, Limits::FJORD), (strings, None));
    }

    #[test]
    fn a_changed_channel_is_read_twice_with_the_same_outcome_and_within_the_limit(
        (algorithm, quality) in algorithms(),
        strings in strings(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut channel = compress(algorithm, quality, &rlp(&strings));
        for (at, byte) in changes {
            let at = at.index(channel.len());
            channel[at] = byte;
        }
        let limits = Limits { max_rlp_bytes: 1_000_000, brotli: true };
        let (read, error) = read_all(channel.clone(), limits);
        prop_assert!(rlp(&read).len() <= 1_000_000);
        prop_assert_eq!(read_all(channel, limits), (read, error));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic_or_exceed_the_limit(
        start in prop_oneof![Just(vec![0x78, 0xda]), Just(vec![1]), Just(vec![])],
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        limit in 0..10_000u64,
    ) {
        let channel = [start, bytes].concat();
        let limits = Limits { max_rlp_bytes: limit, brotli: true };
        let Ok(mut reader) = ChannelReader::open(channel, limits) else { return Ok(()) };
        let mut read = 0;
        while let Ok(Some(string)) = reader.next_string() {
            read += string.len() as u64;
            prop_assert_eq!(string.capacity(), string.len());
        }
        prop_assert!(read <= limit);
        prop_assert!(reader.decompressed_bytes() <= limit + 4096);
        prop_assert_eq!(reader.next_string(), Ok(None));
    }
}

//! Frames, and the version byte in front of them.

use crate::common::vectors;
use alloy_consensus::{Transaction, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Bytes, address, hex};
use doppio_protocol::{
    commitment::DERIVATION_VERSION_0,
    config::ChainProfile,
    frame::{
        ChannelId, FRAME_OVERHEAD, Frame, FrameError, SplitError, encode_frames, parse_frames,
        split_channel,
    },
    l1::L1Transaction,
};
use proptest::prelude::*;

const LIMIT: u32 = 1_000_000;

fn frame(number: u16, data: &[u8], is_last: bool) -> Frame {
    Frame {
        id: ChannelId::repeat_byte(0xc4),
        number,
        data: Bytes::copy_from_slice(data),
        is_last,
    }
}

/// A data item of one frame whose parts are given separately.
fn item(id: &[u8], number: &[u8], length: &[u8], data: &[u8], is_last: &[u8]) -> Bytes {
    [&[0], id, number, length, data, is_last].concat().into()
}

// opstack 11 A: TestFrameMarshaling, encode_frame_roundtrip

#[test]
fn frame_marshaling_keeps_frames_of_every_length() {
    for length in [0, 1, 2, 255, 256, 65_535, 65_536, 1_000_000] {
        let frame = frame(0xabcd, &vec![7; length], length % 2 == 0);
        let item = encode_frames([&frame]);
        assert_eq!(item.len(), 1 + FRAME_OVERHEAD + length);
        assert_eq!(frame.encoded_len(), FRAME_OVERHEAD + length);
        assert_eq!(parse_frames(&item, LIMIT), Ok(vec![frame]));
    }
}

#[test]
fn frame_marshaling_has_the_layout_of_the_specification() {
    let encoded = encode_frames([&frame(0x0102, &[0xaa, 0xbb], true)]);
    let expected = hex!("00c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4010200000002aabb01");
    assert_eq!(encoded.as_ref(), expected);
}

// opstack 11 A: TestFrameUnmarshalNoData, TestFrameUnmarshalTruncated (eight places)

#[test]
fn frame_unmarshal_of_no_data_finds_no_frame() {
    assert_eq!(parse_frames(&Bytes::new(), LIMIT), Err(FrameError::Empty));
}

#[test]
fn frame_unmarshal_truncated_is_an_error_at_every_place() {
    let id = [0xc4; 16];
    let number = [0, 1];
    let length = [0, 0, 0, 4];
    let data = [1, 2, 3, 4];
    let truncated = Err(FrameError::Truncated { index: 0 });
    for (place, bytes) in [
        ("channel_id-half", item(&id[..8], &[], &[], &[], &[])),
        ("frame_number-full", item(&id, &[], &[], &[], &[])),
        ("frame_number-half", item(&id, &number[..1], &[], &[], &[])),
        ("frame_data_length-full", item(&id, &number, &[], &[], &[])),
        (
            "frame_data_length-half",
            item(&id, &number, &length[..2], &[], &[]),
        ),
        ("frame_data-full", item(&id, &number, &length, &[], &[])),
        (
            "frame_data-last-byte",
            item(&id, &number, &length, &data[..3], &[]),
        ),
        ("is_last", item(&id, &number, &length, &data, &[])),
    ] {
        assert_eq!(parse_frames(&bytes, LIMIT), truncated, "{place}");
    }
}

#[test]
fn frame_unmarshal_truncated_anywhere_refuses_the_whole_item() {
    let whole = encode_frames([&frame(0, &[1, 2, 3], false), &frame(1, &[4], true)]);
    let first_ends = 1 + FRAME_OVERHEAD + 3;
    for end in 2..whole.len() {
        let parsed = parse_frames(&whole.slice(..end), LIMIT);
        if end == first_ends {
            assert_eq!(parsed.map(|frames| frames.len()), Ok(1));
        } else {
            let index = usize::from(end > first_ends);
            assert_eq!(parsed, Err(FrameError::Truncated { index }), "cut at {end}");
        }
    }
}

// opstack 11 A: TestFrameUnmarshalInvalidIsLast; field I41 (kona took any non-zero byte for true)

#[test]
fn frame_unmarshal_invalid_is_last_refuses_every_byte_but_0_and_1() {
    for byte in 0..=u8::MAX {
        let bytes = item(&[0xc4; 16], &[0, 0], &[0, 0, 0, 0], &[], &[byte]);
        let parsed = parse_frames(&bytes, LIMIT);
        match byte {
            0 | 1 => assert_eq!(parsed.unwrap()[0].is_last, byte == 1),
            _ => assert_eq!(parsed, Err(FrameError::IsLast { index: 0, byte })),
        }
    }
}

// opstack 11 A: TestParseFramesNoData, InvalidVer, OnlyVersion, Truncated, TestParseFrames;
// kona frame_queue empty_bytes, no_frames_decoded, wrong_derivation_version, frame_too_short,
// single_frame, multiple_frames

#[test]
fn parse_frames_no_data() {
    assert_eq!(parse_frames(&Bytes::new(), LIMIT), Err(FrameError::Empty));
}

#[test]
fn parse_frames_invalid_ver() {
    let good = encode_frames([&frame(0, &[1], true)]);
    for version in 1..=u8::MAX {
        let bytes: Bytes = [&[version], &good[1..]].concat().into();
        assert_eq!(
            parse_frames(&bytes, LIMIT),
            Err(FrameError::Version(version))
        );
    }
}

#[test]
fn parse_frames_only_version() {
    let only = Bytes::from_static(&[DERIVATION_VERSION_0]);
    assert_eq!(parse_frames(&only, LIMIT), Err(FrameError::NoFrames));
}

#[test]
fn parse_frames_truncated_refuses_the_frames_before_too() {
    let whole = encode_frames([&frame(0, &[1], false), &frame(1, &[2], true)]);
    assert_eq!(
        parse_frames(&whole.slice(..whole.len() - 2), LIMIT),
        Err(FrameError::Truncated { index: 1 })
    );
}

#[test]
fn parse_frames_refuses_bytes_after_the_last_frame() {
    let whole = encode_frames([&frame(0, &[1], true)]);
    let more: Bytes = [whole.as_ref(), &[0]].concat().into();
    assert_eq!(
        parse_frames(&more, LIMIT),
        Err(FrameError::Truncated { index: 1 })
    );
}

#[test]
fn parse_frames_gives_frames_in_order() {
    for count in [1, 2, 16] {
        let frames: Vec<_> = (0..count)
            .map(|n| frame(n, &[n as u8; 9], n + 1 == count))
            .collect();
        assert_eq!(parse_frames(&encode_frames(&frames), LIMIT), Ok(frames));
    }
}

// opstack 11 A: kona test_data_too_short, test_decode_exceeds_max_data_len,
// test_decode_malicious_data_len, test_decode_many

#[test]
fn data_too_short() {
    let bytes = Bytes::from_static(&[0; 1 + FRAME_OVERHEAD - 1]);
    assert_eq!(
        parse_frames(&bytes, LIMIT),
        Err(FrameError::Truncated { index: 0 })
    );
}

#[test]
fn decode_exceeds_max_data_len_depends_on_the_profile() {
    let upstream = ChainProfile::upstream().max_frame_len;
    let celo = ChainProfile::celo().max_frame_len;
    assert_eq!((upstream, celo), (1_000_000, 16_000_000));
    let with_data = |length: u32| encode_frames([&frame(0, &vec![1; length as usize], true)]);
    for limit in [upstream, celo] {
        assert!(parse_frames(&with_data(limit), limit).is_ok());
        assert_eq!(
            parse_frames(&with_data(limit + 1), limit),
            Err(FrameError::TooLong {
                index: 0,
                length: limit + 1,
                limit
            })
        );
    }
    assert!(parse_frames(&with_data(upstream + 1), celo).is_ok());
}

#[test]
fn decode_malicious_data_len_is_refused_by_the_claim() {
    let claim = |length: u32| item(&[0; 16], &[0, 0], &length.to_be_bytes(), &[1; 10], &[1]);
    assert_eq!(
        parse_frames(&claim(u32::MAX), LIMIT),
        Err(FrameError::TooLong {
            index: 0,
            length: u32::MAX,
            limit: LIMIT
        })
    );
    assert_eq!(
        parse_frames(&claim(LIMIT), LIMIT),
        Err(FrameError::Truncated { index: 0 })
    );
}

#[test]
fn decode_many() {
    let frames: Vec<_> = (0..1_000).map(|n| frame(n, &[], false)).collect();
    assert_eq!(parse_frames(&encode_frames(&frames), LIMIT), Ok(frames));
}

/// The transaction's facts are those of the vectors' README: a real one of OP Mainnet.
#[test]
fn a_real_batcher_transaction_holds_one_frame() {
    let Some(vectors) = vectors() else { return };
    let raw = vectors.bytes("channels/raw_batcher_tx.bin");
    let envelope = TxEnvelope::decode_2718(&mut raw.as_slice()).unwrap();
    assert_eq!(
        *envelope.tx_hash(),
        hex!("e69d94330faafb4f716f7ad9b3b50ea8ff5ce57aea6d2f8be07afb7fe49cd6cf")
    );
    let input = envelope.input().clone();
    let transaction = L1Transaction::Signed(envelope);
    let batcher = address!("6887246668a3b87F54DeB3b94Ba47a6f63F32985");
    assert_eq!(transaction.sender(1), Some(batcher));
    assert_eq!(transaction.sender(10), None, "signed for another chain");
    let frames = parse_frames(&input, LIMIT).unwrap();
    let [frame] = frames.as_slice() else {
        panic!("{} frames", frames.len())
    };
    assert_eq!(frame.id, hex!("ac329933f5efdcc35ccd284232a376d3"));
    assert_eq!(
        (frame.number, frame.data.len(), frame.is_last),
        (0, 119_799, true)
    );
    assert_eq!(encode_frames(&frames), input);
}

#[test]
fn a_channel_is_cut_into_frames_that_fit_and_join_again() {
    let channel = Bytes::from((0..1_000u32).map(|n| n as u8).collect::<Vec<_>>());
    for size in [24, 25, 100, 522, 523, 1_022, 1_023, 1_024] {
        let frames = split_channel(ChannelId::ZERO, &channel, size).unwrap();
        assert_eq!(frames.len(), 1_000usize.div_ceil(size - FRAME_OVERHEAD));
        assert!(frames.iter().all(|frame| frame.encoded_len() <= size));
        let joined: Vec<u8> = frames
            .iter()
            .flat_map(|frame| frame.data.to_vec())
            .collect();
        assert_eq!(joined, channel);
        let (last, others) = frames.split_last().unwrap();
        assert!(last.is_last && others.iter().all(|frame| !frame.is_last));
        assert!((0u16..).zip(&frames).all(|(n, frame)| frame.number == n));
    }
}

#[test]
fn a_channel_without_bytes_is_one_closing_frame() {
    let frames = split_channel(ChannelId::ZERO, &Bytes::new(), 100).unwrap();
    assert_eq!(
        frames,
        [Frame {
            is_last: true,
            ..Frame::default()
        }]
    );
}

#[test]
fn a_frame_size_without_room_and_too_many_frames_are_refused() {
    let channel = Bytes::from(vec![0; 65_537]);
    let split = |size| split_channel(ChannelId::ZERO, &channel, size).map(|frames| frames.len());
    assert_eq!(
        split(FRAME_OVERHEAD),
        Err(SplitError::FrameSize(FRAME_OVERHEAD))
    );
    assert_eq!(split(0), Err(SplitError::FrameSize(0)));
    assert_eq!(
        split(FRAME_OVERHEAD + 1),
        Err(SplitError::TooManyFrames(65_537))
    );
    assert_eq!(split(FRAME_OVERHEAD + 2), Ok(32_769));
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let data = proptest::collection::vec(any::<u8>(), 0..200);
    (any::<[u8; 16]>(), any::<u16>(), data, any::<bool>()).prop_map(
        |(id, number, data, is_last)| Frame {
            id: id.into(),
            number,
            data: data.into(),
            is_last,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(frames in proptest::collection::vec(any_frame(), 1..6)) {
        prop_assert_eq!(parse_frames(&encode_frames(&frames), LIMIT), Ok(frames));
    }

    /// FuzzFrameUnmarshalBinary and FuzzParseFrames: no panic, and only one encoding of a value.
    #[test]
    fn what_is_accepted_is_written_back_unchanged(
        frames in proptest::collection::vec(any_frame(), 1..4),
        place in any::<prop::sample::Index>(),
        change in any::<u8>(),
        random in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut bytes = encode_frames(&frames).to_vec();
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        for bytes in [Bytes::from(bytes), [&[0], random.as_slice()].concat().into(), random.into()] {
            if let Ok(frames) = parse_frames(&bytes, LIMIT) {
                prop_assert_eq!(encode_frames(&frames), bytes);
            }
        }
    }
}

//! From channels to batches (opstack 2.5; opstack 11 D).

use crate::{support::*, world::*};
use doppio_compression::{
    BrotliError, DeflateError, OpenError, ReadErrorKind, StreamError, ZlibHeaderError,
};
use doppio_derive::DropReason;
use doppio_protocol::{
    batch::{BatchError, SingularBatch, SpanDecodeError, SpanField, SpanTxError, TxFieldError},
    config::Fork,
    rlp,
};

// TestBatchReader: zlib-post-fjord, zlib-pre-fjord, brotli-post-fjord. The levels of brotli are a
// matter of writing; streams of a compressor are read in the tests of the compression crate.
#[test]
fn zlib_always_and_brotli_from_fjord_on() {
    for fork in [Fork::Regolith, Fork::Ecotone, Fork::Fjord, Fork::Karst] {
        let world = World::at(fork);
        let content = plain(&world.strings(3));
        assert_eq!(world.outcome(zlib(&content)), (3, vec![]), "{fork}");
        let expected = if fork >= Fork::Fjord {
            (3, vec![])
        } else {
            // brotli-pre-fjord
            let reason = DropReason::ChannelOpen(OpenError::BrotliBeforeFjord);
            (0, vec![reason])
        };
        assert_eq!(world.outcome(brotli(&content)), expected, "{fork}");
    }
}

/// What counts is the L1 block in which the channel is completed; kona once asked the batches.
#[test]
fn brotli_is_allowed_by_the_time_of_the_l1_origin() {
    for (fjord, expected) in [(4, 3), (5, 0)] {
        let mut rollup = rollup(Fork::Ecotone);
        rollup.forks.fjord = Some(GENESIS_TIME + fjord * L1_BLOCK_TIME);
        let world = World::new(chain(rollup));
        let (derived, _) = world.outcome(brotli(&plain(&world.strings(3))));
        assert_eq!(derived, expected);
    }
}

// zstd-post-fjord
#[test]
fn zstd() {
    let world = World::at(Fork::Fjord);
    let mut channel = zlib(&plain(&world.strings(3)));
    channel[0] = 0x02;
    let reason = DropReason::ChannelOpen(OpenError::UnknownCompression(2));
    assert_eq!(world.outcome(channel), (0, vec![reason]));
}

// kona's reader_set_fails; opstack-2026-09 2 *5
#[test]
fn a_channel_that_cannot_be_opened_is_dropped_and_the_next_one_is_read() {
    for fork in FORKS {
        let world = World::at(fork);
        let good = zlib(&plain(&world.strings(3)));
        let mut bad_check = good.clone();
        bad_check[1] ^= 1;
        for (bad, error) in [
            (vec![], OpenError::Empty),
            (vec![0x02, 1, 2], OpenError::UnknownCompression(2)),
            (
                vec![0x78],
                OpenError::ZlibHeader(ZlibHeaderError::Truncated),
            ),
            (
                vec![0x7f, 0x01],
                OpenError::ZlibHeader(ZlibHeaderError::Method(15)),
            ),
            (bad_check, OpenError::ZlibHeader(ZlibHeaderError::Check)),
        ] {
            let node = world.read([bad, good.clone()]);
            assert_eq!(node.reasons(), [DropReason::ChannelOpen(error)], "{fork}");
            assert_eq!(node.safe_number(), 3, "{fork}");
        }
    }
}

/// The kind of error that ends a channel, and how many blocks were derived.
fn read_error(world: &World, channel: Vec<u8>) -> (u64, Option<ReadErrorKind>) {
    let (derived, reasons) = world.outcome(channel);
    let kind = match reasons.as_slice() {
        [] => None,
        [DropReason::ChannelRead(error)] => Some(error.kind),
        other => panic!("{other:?}"),
    };
    (derived, kind)
}

// opstack 2.5: corrupt tails only end the channel at that point
#[test]
fn a_wrong_checksum_at_the_end_takes_no_batch() {
    for fork in FORKS {
        let world = World::at(fork);
        let mut channel = zlib(&plain(&world.strings(3)));
        *channel.last_mut().unwrap() ^= 1;
        let checksum = ReadErrorKind::Stream(StreamError::Checksum);
        assert_eq!(read_error(&world, channel), (3, Some(checksum)), "{fork}");
    }
}

// opstack 2.5; field I40 and optimism 22834: kona drops the whole channel
#[test]
fn a_truncated_zlib_channel_keeps_its_earlier_batches() {
    for fork in FORKS {
        let world = World::at(fork);
        let whole = zlib(&plain(&world.strings(4)));
        let mut kept = Vec::new();
        for length in 2..whole.len() {
            let (derived, kind) = read_error(&world, whole[..length].to_vec());
            // cut off right behind a batch, a channel ends like any other
            let within = matches!(
                kind,
                None | Some(ReadErrorKind::Stream(StreamError::Deflate(
                    DeflateError::Truncated
                )))
            );
            assert!(within, "{fork}, {length}: {kind:?}");
            kept.push(derived);
        }
        assert!(kept.is_sorted());
        kept.dedup();
        assert_eq!(kept, [0, 1, 2, 3, 4], "{fork}");
    }
}

// opstack 2.5; field I40, optimism 19333
#[test]
fn a_truncated_brotli_channel_keeps_its_earlier_batches() {
    for fork in FORKS {
        let world = World::at(fork);
        let strings = world.strings(4);
        let whole = brotli(&plain(&strings));
        let mut kept = Vec::new();
        for length in 1..whole.len() {
            let (derived, kind) = read_error(&world, whole[..length].to_vec());
            let truncated = ReadErrorKind::Stream(StreamError::Brotli(BrotliError::Truncated));
            assert!(
                kind.is_none_or(|kind| kind == truncated),
                "{fork}, {length}: {kind:?}"
            );
            kept.push(derived);
        }
        kept.dedup();
        assert_eq!(kept, [0, 1, 2, 3, 4], "{fork}");
    }
}

/// Damage in the middle of a channel: what was whole before it counts.
#[test]
fn a_damaged_channel_keeps_the_batches_before_the_damage() {
    for fork in FORKS {
        let world = World::at(fork);
        let strings = world.strings(4);
        // stored, so that damage does not spread
        let mut channel = brotli(&plain(&strings));
        let third = 4 + plain(&strings[..2]).len();
        // the header of the third string becomes one of a list
        assert_eq!(channel[third], 0xb8);
        channel[third] = 0xf8;
        assert_eq!(
            read_error(&world, channel),
            (2, Some(ReadErrorKind::List)),
            "{fork}"
        );
    }
}

// opstack 2.8 |1
#[test]
fn a_string_header_above_the_remaining_budget_ends_the_channel() {
    for (fork, budget) in [(Fork::Delta, 10_000_000), (Fork::Granite, 100_000_000)] {
        let world = World::at(fork);
        let batches = plain(&world.strings(2));
        let claiming = |length: usize| {
            let mut content = batches.clone();
            rlp::put_string_header(length, &mut content);
            let remaining = budget - content.len();
            content.extend_from_slice(b"and little of it");
            (remaining, read_error(&world, zlib(&content)))
        };
        let (remaining, _) = claiming(budget);
        let (_, fits) = claiming(remaining);
        assert_eq!(fits, (2, Some(ReadErrorKind::EndsWithin)));
        let (_, too_much) = claiming(remaining + 1);
        let over = ReadErrorKind::OverBudget {
            claimed: remaining as u64 + 1,
            remaining: remaining as u64,
        };
        assert_eq!(too_much, (2, Some(over)));
    }
}

/// A string may take all that is left, and a channel that has used up everything just ends.
#[test]
fn a_channel_of_the_largest_size_is_read() {
    let world = World::at(Fork::Delta);
    let mut strings = world.strings(1);
    // the second block gets a transaction that fills the channel
    let last = |length: usize| {
        let transaction = vec![2; length];
        SingularBatch {
            transactions: [transaction].iter().collect(),
            ..world.batches[1].clone()
        }
        .encode()
    };
    let overhead = plain(&strings).len() + plain(&[last(9_000_000)]).len() - 9_000_000;
    for (beyond, derived) in [(0, 2), (1, 1)] {
        strings.push(last(10_000_000 - overhead + beyond));
        let (found, kind) = read_error(&world, zlib(&plain(&strings)));
        assert_eq!((found, kind.is_some()), (derived, beyond > 0));
        strings.pop();
    }
    // what follows the last byte of the budget is not looked at
    strings.push(last(10_000_000 - overhead));
    let mut content = plain(&strings);
    content.extend_from_slice(b"\xc0 junk");
    assert_eq!(read_error(&world, zlib(&content)), (2, None));
}

// kona's no_data
#[test]
fn an_empty_channel_is_dropped() {
    for fork in FORKS {
        let reason = DropReason::ChannelOpen(OpenError::Empty);
        let world = World::at(fork);
        assert_eq!(world.outcome(vec![]), (0, vec![reason]), "{fork}");
    }
}

// kona's not_enough_data: a channel that opens and holds nothing
#[test]
fn a_channel_without_batches_gives_nothing() {
    for fork in FORKS {
        let world = World::at(fork);
        assert_eq!(world.outcome(zlib(&[])), (0, vec![]), "{fork}");
        // an empty stream: no meta-block but the last, which is empty
        assert_eq!(world.outcome(vec![1, 6]), (0, vec![]), "{fork}");
    }
}

// kona's next_batch_succeeds
#[test]
fn a_channel_may_hold_batches_of_both_kinds() {
    for fork in FORKS {
        let world = World::at(fork);
        let mut strings = world.strings(1);
        strings.push(world.span(1..3));
        strings.push(world.batches[3].encode());
        assert_eq!(world.outcome(zlib(&plain(&strings))), (4, vec![]), "{fork}");
    }
}

#[test]
fn trailing_junk_behind_the_last_batch() {
    for fork in FORKS {
        let world = World::at(fork);
        let batches = plain(&world.strings(3));
        let with = |junk: &[u8]| world.outcome(zlib(&[&batches, junk].concat()));
        // an empty string is no batch
        let empty = DropReason::BatchDecode(BatchError::Empty);
        assert_eq!(with(&[0x80]), (3, vec![empty]), "{fork}");
        // a single byte below 0x80 is a string
        let unknown = DropReason::BatchDecode(BatchError::UnknownType(5));
        assert_eq!(with(&[5]), (3, vec![unknown]), "{fork}");
        let (derived, reasons) = with(&[0xc1, 0x05]);
        assert_eq!(derived, 3);
        assert!(matches!(
            reasons.as_slice(),
            [DropReason::ChannelRead(error)] if error.kind == ReadErrorKind::List
        ));
        // what follows the end of the compressed stream is not looked at in zlib
        let mut channel = zlib(&batches);
        channel.extend_from_slice(b"junk");
        assert_eq!(world.outcome(channel), (3, vec![]), "{fork}");
        // and in brotli is an error that takes no batch
        let mut channel = brotli(&batches);
        channel.extend_from_slice(b"junk");
        let excess = ReadErrorKind::Stream(StreamError::Brotli(BrotliError::ExcessiveInput));
        assert_eq!(read_error(&world, channel), (3, Some(excess)), "{fork}");
    }
}

// opstack 2.5: a decode error abandons the rest of the channel; opstack 11 G, malformed string
// mid-channel. kona-derive 0.4.5 panics on the unknown type (field 0.4b).
#[test]
fn a_string_that_is_no_batch_ends_the_channel() {
    for fork in FORKS {
        let world = World::at(fork);
        let truncated = SpanDecodeError::Truncated(SpanField::ParentCheck);
        for (string, error) in [
            (vec![], BatchError::Empty),
            (vec![2], BatchError::UnknownType(2)),
            (vec![0xff, 1, 2], BatchError::UnknownType(0xff)),
            (vec![1, 0, 0, 7], BatchError::Span(truncated)),
        ] {
            let mut strings = world.strings(3);
            strings.insert(1, string);
            // a second channel with the rest shows that only this one has ended
            let node = world.read([zlib(&plain(&strings)), zlib(&plain(&strings[2..]))]);
            assert_eq!(node.reasons(), [DropReason::BatchDecode(error)], "{fork}");
            assert_eq!(node.safe_number(), 3, "{fork}");
        }
        // a singular batch that is no list
        let mut strings = world.strings(3);
        strings.insert(1, vec![0, 0x05]);
        let (derived, reasons) = world.outcome(zlib(&plain(&strings)));
        assert_eq!(derived, 1, "{fork}");
        assert!(matches!(
            reasons.as_slice(),
            [DropReason::BatchDecode(BatchError::Singular(_))]
        ));
    }
}

/// A span of one block whose only transaction has a type byte that is replaced.
fn span_with_type(world: &World, tx_type: u8) -> Vec<u8> {
    let mut span = world.span(0..1);
    // the data of the transaction: its type, then a list of value, two fees, data, access list
    let data = [0x02, 0xc5, 0x80, 0x80, 0x80, 0x80, 0xc0];
    let at = span.windows(7).position(|window| window == data).unwrap();
    span[at] = tx_type;
    span
}

// opstack-2026-09 2 *7; kona drops the rest of the channel
#[test]
fn a_span_whose_transactions_cannot_be_loses_only_itself() {
    for fork in FORKS {
        let world = World::at(fork);
        // a blob transaction; a deposit; Celo's type; a type of nobody's
        for tx_type in [0x03, 0x7e, 0x7b, 0x42] {
            let mut strings = vec![span_with_type(&world, tx_type)];
            strings.extend(world.strings(2));
            strings.push(world.span(2..4));
            let error = SpanTxError {
                index: 0,
                error: TxFieldError::Type(tx_type),
            };
            assert_eq!(
                world.outcome(zlib(&plain(&strings))),
                (4, vec![DropReason::SpanTransactions(error)]),
                "{fork}"
            );
        }
    }
}

// opstack-2026-09 2 *6
#[test]
fn a_span_before_delta_loses_only_itself() {
    let mut rollup = rollup(Fork::Canyon);
    rollup.forks.delta = Some(GENESIS_TIME + 5 * L1_BLOCK_TIME);
    let world = World::new(chain(rollup));
    let mut strings = vec![world.span(0..2)];
    strings.extend(world.strings(3));
    assert_eq!(
        world.outcome(zlib(&plain(&strings))),
        (3, vec![DropReason::SpanBeforeDelta])
    );
    // structure comes first: a span that does not decode ends the channel, Delta or not
    strings[0].truncate(10);
    let (derived, reasons) = world.outcome(zlib(&plain(&strings)));
    assert_eq!(derived, 0);
    assert!(matches!(
        reasons.as_slice(),
        [DropReason::BatchDecode(BatchError::Span(_))]
    ));
}

// kona's reset: nothing of a channel is left after a reset
#[test]
fn a_reset_forgets_the_channel_that_is_read() {
    use doppio_derive::{Response, Step};
    let world = World::at(Fork::Karst);
    let node = world.read([zlib(&plain(&world.strings(3)))]);
    let mut again = Node::new(&node.l1);
    // to the first of three batches
    loop {
        match again.pipeline.step().unwrap() {
            Step::Attributes(_) => break,
            Step::Need(request) => {
                let answer = again.answer(&request).unwrap();
                again.pipeline.supply(answer).unwrap();
            }
            Step::Exhausted(origin) => {
                let next = again.l1.by_number(origin.number + 1).unwrap().clone();
                again.pipeline.supply(Response::NextL1Block(next)).unwrap();
            }
        }
    }
    again.pipeline.reset(genesis_point(&world.chain));
    again.run_to_end();
    assert_eq!(again.derived, node.derived);
    assert_eq!(again.reasons(), []);
}

//! What decoders allocate for claims that their input cannot keep.
//!
//! A binary of its own, because it counts every allocation of the process.

#![expect(
    clippy::cast_possible_truncation,
    reason = "seven bits of a number are a byte"
)]

use alloy_primitives::Bytes;
use doppio_protocol::{
    batch::{Batch, SpanBatch},
    deposit::DepositTx,
    frame::parse_frames,
    l2::L2Block,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{
    alloc::System,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time: what another one allocates would be counted too.
static RUNNING: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

const MIB: usize = 1 << 20;

/// Bytes allocated by `action`, whether freed again or not.
fn allocated(action: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    action();
    let stats = region.change();
    stats.bytes_allocated + usize::try_from(stats.bytes_reallocated.max(0)).unwrap()
}

fn uvarint(mut n: u32) -> Vec<u8> {
    let mut out = Vec::new();
    while n >= 0x80 {
        out.push(0x80 | (n & 0x7f) as u8);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

/// A span up to and without its block count: 2 numbers and 2 checks.
fn prefix() -> Vec<u8> {
    let mut out = vec![0, 0];
    out.extend([7; 40]);
    out
}

/// Checks that decoding fails, and with how little.
fn refuses(what: &str, bytes: Vec<u8>, decode: impl FnOnce(Bytes) -> bool) {
    let bytes = Bytes::from(bytes);
    let length = bytes.len();
    let mut accepted = false;
    let used = allocated(|| accepted = decode(bytes));
    assert!(!accepted, "{what} was accepted");
    assert!(
        used < MIB,
        "{what}: {length} bytes of input made it allocate {used} bytes"
    );
}

fn span(bytes: Bytes) -> bool {
    SpanBatch::decode(bytes).is_ok()
}

#[test]
fn the_counter_counts() {
    let _alone = alone();
    let used = allocated(|| drop(std::hint::black_box(vec![1u8; 3 * MIB])));
    assert!(used >= 3 * MIB, "{used}");
}

#[test]
fn a_frame_that_claims_ten_million_bytes() {
    let _alone = alone();
    for claim in [10_000_000u32, 16_000_000, u32::MAX] {
        let bytes = [&[0; 19], claim.to_be_bytes().as_slice(), &[0; 7]].concat();
        refuses("a frame", bytes, |bytes| {
            parse_frames(&bytes, 16_000_000).is_ok()
        });
    }
}

#[test]
fn a_span_that_claims_ten_million_blocks() {
    let _alone = alone();
    refuses(
        "a block count",
        [prefix(), uvarint(10_000_000)].concat(),
        span,
    );
    refuses(
        "origin bits",
        [prefix(), uvarint(10_000_000), vec![0; 30]].concat(),
        span,
    );
}

#[test]
fn a_span_that_claims_ten_million_transactions() {
    let _alone = alone();
    let counts = [prefix(), vec![1, 0], uvarint(10_000_000)].concat();
    refuses("a transaction count", counts.clone(), span);
    refuses("creation bits", [counts, vec![0; 30]].concat(), span);
}

#[test]
fn a_span_that_claims_transaction_data_of_ten_million_bytes() {
    let _alone = alone();
    let header = |claim: u32| {
        let mut span = [prefix(), vec![1, 0, 1, 1, 0]].concat();
        span.extend([0; 64]);
        span.push(0xfa);
        span.extend(&claim.to_be_bytes()[1..]);
        span
    };
    for claim in [9_999_996, 9_999_997, 10_000_000, 0xff_ffff] {
        refuses("transaction data", header(claim), span);
    }
}

/// The bits and signatures of 16 million transactions would fit no memory that was not paid for:
/// each needs its input first.
#[test]
fn a_span_whose_signatures_are_missing() {
    let _alone = alone();
    let mut bytes = [prefix(), vec![1, 0], uvarint(1_000_000)].concat();
    bytes.extend(vec![0; 2 * 125_000]);
    refuses("signatures", bytes, span);
}

#[test]
fn strings_that_claim_more_than_there_is() {
    let _alone = alone();
    let claim = [0xfa, 0x98, 0x96, 0x80];
    let singular = [&[0], claim.as_slice(), &[0; 25]].concat();
    refuses("a singular batch", singular, |bytes| {
        Batch::decode(&bytes).is_ok()
    });
    let deposit = [&[0x7e], claim.as_slice(), &[0; 25]].concat();
    refuses("a deposit", deposit, |bytes| {
        DepositTx::decode(&bytes).is_ok()
    });
    let block = [claim.as_slice(), &[0; 25]].concat();
    refuses("a block", block, |bytes| L2Block::decode(&bytes).is_ok());
}

/// What is accepted costs no more than its input either: the span keeps the bytes it came in.
#[test]
fn a_span_of_ten_million_blocks_costs_nothing_but_its_bytes() {
    let _alone = alone();
    const BLOCKS: usize = 10_000_000;
    let mut bytes = [prefix(), uvarint(10_000_000)].concat();
    bytes.resize(bytes.len() + BLOCKS / 8 + BLOCKS, 0);
    let bytes = Bytes::from(bytes);
    let mut decoded = None;
    let used = allocated(|| decoded = Some(SpanBatch::decode(bytes)));
    assert_eq!(decoded.unwrap().unwrap().block_count(), BLOCKS);
    assert!(used < MIB, "{used} bytes");
}

//! Span batches (opstack 3.7, rows span 1 to 13 and the checks behind them; opstack 11 F,
//! suffix p).
//!
//! Three of the reference's cases are no span batches on the wire and are tested as what they
//! become there: epochs that go back cannot be written; times between two blocks belong to a whole
//! span; empty and deposit transactions are refused when the span's transactions are read.

use super::{BatchDrop::*, Undecided::*, Validity::*, *};
use doppio_protocol::batch::{put_uvarint, read_uvarint};

/// Blocks A2 and A3 where A2 is safe: A2 is compared.
fn overlap() -> Case {
    span(&[A, B], A2, B, [A2, A3])
}

/// Blocks A3 and B0 where A3 is safe.
fn overlap_at_the_end_of_an_epoch() -> Case {
    span(&[A, B, C], A3, C, [A3, B0])
}

/// Sets the L1 origins of a span's blocks.
fn with_origins<const N: usize>(mut case: Case, origins: [L1BlockRef; N]) -> Case {
    for (index, origin) in origins.into_iter().enumerate() {
        case = case.edit_at(index, |batch| {
            (batch.epoch_num, batch.epoch_hash) = (origin.number, origin.hash);
        });
    }
    case
}

/// Moves all blocks of a span.
fn shifted(mut case: Case, seconds: i64) -> Case {
    if let Subject::Span(batches) = &mut case.subject {
        for batch in batches {
            batch.timestamp = batch.timestamp.checked_add_signed(seconds).unwrap();
        }
    }
    case
}

/// B0 is safe and has another origin than the span says, and so has the first new block.
fn first_new_block_in_an_old_epoch() -> Case {
    with_origins(span(&[B, C], B0, C, [B0, B1, B2]), [A, A, B])
}

cases! {
    // opstack 3.7 span #1
    missing_l1_info: span(&[], A0, B, [A1]) => Undecided(NoL1Blocks);
    // opstack 3.7 span #2
    insufficient_l1_info_for_eager_derivation: span(&[A], A3, C, [B0]) => Undecided(NextEpoch);
    // opstack 3.7 span #3
    span_batch_before_delta:
        span(&[A, B], A0, B, [A1]).fork(Fork::Delta, B.timestamp) => Drop(SpanBeforeDelta);
    span_batch_after_delta: span(&[A, B], A0, B, [A1]).fork(Fork::Delta, A.timestamp) => Accept;
    /// Delta counts by the time of the first block's L1 origin.
    span_batch_in_the_first_epoch_of_delta:
        span(&[A, B, C], A3, C, [B0]).fork(Fork::Delta, B.timestamp) => Accept;
    // opstack 3.7 span #4
    future_timestamp: shifted(span(&[A, B, C], A0, B, [A1]), 1) => Validity::Future;
    future_timestamp_with_holocene_at_inclusion:
        shifted(span(&[A, B, C], A0, B, [A1]), 1).holocene_at(B) => Drop(SpanFuture);
    // opstack 3.7 span #5
    misaligned_timestamp: shifted(span(&[A, B, C], A0, B, [A1]), -1) => Drop(SpanOld);
    fully_overlapping_batch: span(&[A, B], A2, B, [A1, A2]) => Drop(SpanOld);
    fully_overlapping_batch_with_holocene:
        span(&[A, B], A2, B, [A1, A2]).holocene_at(B) => Past;
    // opstack 3.7 span #6
    short_block_time: shifted(span(&[A, B], A0, B, [A1, A2]), -1) => Drop(SpanMisaligned);
    misaligned_batch: shifted(span(&[A, B], A0, B, [A1, A2, A3]), -3) => Drop(SpanMisaligned);
    misaligned_batch_with_holocene:
        shifted(span(&[A, B], A0, B, [A1, A2, A3]), -3).holocene_at(B) => Drop(SpanMisaligned);
    // opstack 3.7 span #7: there is no block before genesis, on any node
    overlap_from_genesis_on: {
        let mut case = span(&[A, B], A1, B, [A0, A1, A2]);
        case.chain.rollup.genesis.l2.number = A0.number;
        case
    } => Undecided(NoParent);
    overlap_whose_parent_is_no_block_of_the_rollup: {
        let mut case = overlap();
        case.safe_blocks.insert(A1.number, safe_block(None, NO_TXS));
        case
    } => Undecided(NoParent);
    // opstack 3.7 span #8
    invalid_parent_block_hash:
        span(&[A, B, C], A0, B, [A1]).edit(|batch| batch.parent_hash = B256::repeat_byte(0x77))
        => Drop(SpanParentHash);
    overlapping_batch_with_invalid_parent_hash:
        overlap().edit(|batch| batch.parent_hash = A0.hash) => Drop(SpanParentHash);
    /// Only 20 bytes are compared.
    parent_hash_that_differs_at_its_end:
        span(&[A, B, C], A0, B, [A1]).edit(|batch| batch.parent_hash.0[20..].fill(0)) => Accept;
    parent_hash_that_differs_at_byte_20:
        span(&[A, B, C], A0, B, [A1]).edit(|batch| batch.parent_hash.0[19] = 0)
        => Drop(SpanParentHash);
    /// Only the first block's parent is told.
    parent_hashes_of_the_other_blocks:
        span(&[A, B], A0, B, [A1, A2]).edit_at(1, |batch| batch.parent_hash = B256::ZERO)
        => Accept;
    // opstack 3.7 span #9
    sequence_window_expired:
        span(&[A, B, C, D, E, F], A0, F, [A1]) => Drop(SpanSequencingWindow);
    last_block_of_the_sequence_window: span(&[A, B, C, D, E], A0, E, [A1]) => Accept;
    /// The window of the first block counts, although the others are within theirs.
    sequence_window_of_the_first_block:
        span(&[A, B, C, D, E, F], A3, F, [A4, B1]) => Drop(SpanSequencingWindow);
    // opstack 3.7 span #10
    epoch_too_new:
        with_origins(span(&[A, B, C, D], A3, D, [B0]), [C]) => Drop(SpanEpochTooNew);
    // opstack 3.7 span #11
    epoch_hash_wrong:
        span(&[A, B], A3, C, [B0]).edit(|batch| batch.epoch_hash = A.hash)
        => Drop(SpanOriginHash);
    epoch_hash_wrong_long_span:
        span(&[A, B], A2, C, [A3, B0]).edit_at(1, |batch| batch.epoch_hash = A.hash)
        => Drop(SpanOriginHash);
    origin_hash_that_differs_at_its_end:
        span(&[A, B], A3, C, [B0]).edit(|batch| batch.epoch_hash.0[20..].fill(0)) => Accept;
    // opstack 3.7 span #12
    insufficient_l1_info_for_eager_derivation_long_span:
        span(&[A], A2, C, [A3, B0]) => Undecided(LastOrigin);
    last_origin_not_in_sight_with_holocene:
        with_origins(span(&[A, B], A3, C, [B0, B1]), [B, C]).holocene_at(C)
        => Undecided(LastOrigin);
    // opstack 3.7 span #13
    epoch_too_old_but_good_parent_hash_and_timestamp:
        with_origins(span(&[B, C, D], B0, C, [B1, B2]), [A, B])
        => Drop(SpanEpochTooOld);
    // opstack 3.7: remaining checks before Holocene, an epoch before the safe head's
    new_block_in_an_old_epoch: first_new_block_in_an_old_epoch() => Drop(SpanBlockEpochTooOld);
    /// Under Holocene the same span is dropped for what it says of the safe chain.
    new_block_in_an_old_epoch_with_holocene:
        first_new_block_in_an_old_epoch().holocene_at(C) => Drop(OverlapOrigin);
    // opstack 3.7: remaining checks before Holocene, an origin that is not known
    new_block_in_an_epoch_that_the_window_has_passed:
        span(&[B, C], A3, C, [A4, B1]) => Drop(SpanBlockOriginUnknown);
    // opstack 3.7: remaining checks before Holocene, as #10
    l2_time_before_l1_time:
        with_origins(span(&[A, B, C], A2, B, [A3]), [B]) => Drop(BeforeOrigin);
    l2_time_before_l1_time_long_span:
        with_origins(span(&[A, B, C], A1, B, [A2, A3]), [A, B]) => Drop(BeforeOrigin);
    // opstack 3.7: remaining checks before Holocene, as #14
    drift_on_same_epoch_with_non_empty_txs:
        span(&[A, B], A3, B, [A4]).txs([ordinary_tx(0)]) => Drop(Drift);
    drift_on_same_epoch_with_non_empty_txs_long_span:
        span(&[A, B], A2, B, [A3, A4]).txs([ordinary_tx(0)]).txs_at(1, [ordinary_tx(1)])
        => Drop(Drift);
    no_drift_on_same_epoch_with_non_empty_txs_and_fjord:
        span(&[A, B], A3, B, [A4]).txs([ordinary_tx(0)]).fork(Fork::Fjord, A.timestamp) => Accept;
    drift_on_changing_epoch_with_non_empty_txs:
        span(&[X, Y, Z], X0, Z, [Y0]).txs([ordinary_tx(0)]) => Drop(Drift);
    // opstack 3.7: remaining checks before Holocene, as #12 and #13
    drift_on_same_epoch_with_empty_txs_and_late_next_epoch:
        span(&[A, B_LATE], A3, B_LATE, [A4]) => Accept;
    drift_on_changing_epoch_with_empty_txs: span(&[X, Y, Z], X0, Z, [Y0, Z0]) => Accept;
    drift_on_same_epoch_with_empty_txs_and_no_next_epoch_in_sight_yet:
        span(&[A], A3, B, [A4]) => Undecided(NextEpoch);
    drift_on_same_epoch_with_empty_txs_and_no_next_epoch_in_sight_yet_long_span:
        span(&[A], A2, B, [A3, A4]) => Undecided(NextEpoch);
    drift_on_same_epoch_with_empty_txs_and_an_epoch_in_sight_that_invalidates_it:
        span(&[A, B, C], A3, C, [A4]) => Drop(DriftWithoutAdvance);
    drift_on_same_epoch_with_empty_txs_and_an_epoch_in_sight_that_invalidates_it_long_span:
        span(&[A, B, C], A2, C, [A3, A4]) => Drop(DriftWithoutAdvance);
    /// A block that is safe already may have begun the epoch: what counts is the block before.
    drift_after_an_overlapped_block_that_began_the_epoch: {
        let y1 = l2(0x13, 1002, 0x11, 10_033, Y);
        span(&[Y, Z], Y0, Z, [Y0, y1]).safe_block(X0, NO_TXS).safe_block(Y0, NO_TXS)
    } => Drop(DriftWithoutAdvance);
    // opstack-2026-09 3.7 *2: before Holocene spans are judged by the singular batches' rules
    set_code_tx_included_pre_isthmus:
        span(&[A, B], A0, B, [A1]).txs([set_code_tx()]) => Drop(SetCodeTransaction);
    set_code_tx_included_at_isthmus:
        span(&[A, B], A0, B, [A1]).txs([set_code_tx()]).fork(Fork::Isthmus, A1.timestamp)
        => Accept;
    post_exec_tx_included_pre_lagoon:
        span(&[A, B], A0, B, [A1]).txs([post_exec_tx()]) => Drop(PostExecTransaction);
    post_exec_tx_included_at_lagoon:
        span(&[A, B], A0, B, [A1]).txs([post_exec_tx()]).fork(Fork::Lagoon, A1.timestamp)
        => Accept;
    /// Celo's lineage judges them block by block under Holocene only.
    set_code_tx_included_pre_isthmus_by_celo_rules:
        span(&[A, B], A0, B, [A1]).txs([set_code_tx()]).rules(RuleSet::Celo) => Accept;
    /// Under Holocene the blocks of a span are judged as singular batches, when their turn comes.
    set_code_tx_included_pre_isthmus_with_holocene:
        span(&[A, B], A0, B, [A1]).txs([set_code_tx()]).holocene_at(B) => Accept;
    drift_with_non_empty_txs_and_holocene:
        span(&[X, Y, Z], X0, Z, [Y0])
            .txs([ordinary_tx(0)])
            .fork(Fork::Holocene, Z.timestamp) => Accept;
    /// Spans are not judged by #11 before Holocene: the sequencer keeps upgrade blocks empty.
    user_txs_in_an_upgrade_block:
        span(&[A, B], A0, B, [A1]).txs([ordinary_tx(0)]).fork(Fork::Jovian, A1.timestamp)
        => Accept;
    // opstack-2026-09 3.7 *4: the overlap
    valid_overlapping_batch: overlap() => Accept;
    valid_overlapping_batch_with_holocene: overlap().holocene_at(B) => Accept;
    longer_overlapping_batch: span(&[A, B], A2, B, [A1, A2, A3]) => Accept;
    overlapping_batch_with_invalid_origin_number:
        with_origins(overlap_at_the_end_of_an_epoch(), [B, B]) => Drop(OverlapOrigin);
    overlapping_batch_with_invalid_origin_number_with_holocene:
        with_origins(overlap(), [B, B]).holocene_at(B) => Drop(OverlapOrigin);
    overlapping_batch_with_invalid_tx: overlap().txs([ordinary_tx(0)]) => Drop(OverlapCount);
    overlapping_batch_without_the_safe_blocks_tx:
        overlap().safe_block(A2, [ordinary_tx(0)]) => Drop(OverlapCount);
    different_tx_overlapping_batch:
        overlap().txs([ordinary_tx(0)]).safe_block(A2, [ordinary_tx(1)])
        => Drop(OverlapTransactions);
    different_tx_overlapping_batch_with_holocene:
        overlap().txs([ordinary_tx(0)]).safe_block(A2, [ordinary_tx(1)]).holocene_at(B)
        => Drop(OverlapTransactions);
    same_tx_overlapping_batch:
        overlap().txs([ordinary_tx(0)]).safe_block(A2, [ordinary_tx(0)]) => Accept;
    invalid_tx_overlapping_batch: {
        let mut case = overlap().txs([ordinary_tx(0)]);
        case.safe_blocks.insert(A2.number, safe_block(None, [ordinary_tx(0)]));
        case
    } => Drop(OverlapL1Info);
    multi_block_overlap_early_match_late_mismatch:
        span(&[A, B], A2, B, [A1, A2, A3])
            .txs([ordinary_tx(0)])
            .safe_block(A1, [ordinary_tx(0)])
            .safe_block(A2, [ordinary_tx(1)])
            .holocene_at(B) => Drop(OverlapCount);
    /// Celo's lineage does not compare under Holocene, but does before.
    different_tx_overlapping_batch_with_holocene_by_celo_rules:
        overlap()
            .txs([ordinary_tx(0)])
            .safe_block(A2, [ordinary_tx(1)])
            .holocene_at(B)
            .rules(RuleSet::Celo) => Accept;
    different_tx_overlapping_batch_by_celo_rules:
        overlap().txs([ordinary_tx(0)]).safe_block(A2, [ordinary_tx(1)]).rules(RuleSet::Celo)
        => Drop(OverlapTransactions);
    // opstack 3.7: otherwise
    valid_batch_same_epoch: span(&[A, B], A0, B, [A1]).txs([ordinary_tx(0)]) => Accept;
    valid_batch_changing_epoch:
        span(&[A, B, C], A3, C, [B0]).txs([ordinary_tx(0)]) => Accept;
    /// What a span says of its first block's place in its epoch is not looked at.
    first_origin_bit_does_not_matter: {
        let mut case = span(&[A, B], A0, B, [A1]);
        case.first_origin_bit = false;
        case
    } => Accept;
}

/// Nothing is decided, and nothing is consumed, until the block is there: the reference is
/// undecided, and under Holocene it loses the span (field I37).
#[test]
fn a_block_that_is_not_at_hand_is_asked_for() {
    let needs = |case: &Case| match case.result().map_err(|stop| *stop) {
        Err(Stop::Need(request)) => request,
        other => panic!("{other:?}"),
    };
    for holocene in [false, true] {
        let at = |case: Case| match holocene {
            true => case.holocene_at(B),
            false => case,
        };
        // overlapping batch l2 fetcher error
        let case = at(span(&[A, B], A1, B, [A0, A1, A2]));
        assert_eq!(needs(&case), crate::Request::L2Block(A0.number - 1));
        // failed to fetch overlapping block payload
        let mut case = at(span(&[A, B], A3, B, [A3, B0]));
        case.safe_blocks.clear();
        assert_eq!(needs(&case), crate::Request::L2Block(A2.number));
        let case = case.safe_block(A2, NO_TXS);
        assert_eq!(needs(&case), crate::Request::L2Block(A3.number));
        assert_eq!(case.safe_block(A3, NO_TXS).check(), Accept);
    }
}

/// Times on the wire have 64 bits and wrap, as in the reference.
#[test]
fn times_and_epochs_at_the_end_of_numbers() {
    let case = span(&[A, B], A1, B, [A2]);
    let Subject::Span(batches) = &case.subject else {
        panic!("not a span");
    };
    let bytes = case.span_bytes(batches);
    // fields 1 and 2 are the time since genesis and the last epoch
    let with = |time: Option<u64>, epoch: Option<u64>| {
        let mut rest = bytes.as_ref();
        let old = [
            read_uvarint(&mut rest).unwrap(),
            read_uvarint(&mut rest).unwrap(),
        ];
        let mut changed = Vec::new();
        put_uvarint(time.unwrap_or(old[0]), &mut changed);
        put_uvarint(epoch.unwrap_or(old[1]), &mut changed);
        changed.extend_from_slice(rest);
        case.check_cursor(&case.cursor(&changed.into())).unwrap()
    };
    assert_eq!(with(None, None), Accept);
    // the genesis is at 31, so the largest time is before it
    assert_eq!(with(Some(u64::MAX), None), Drop(SpanOld));
    assert_eq!(with(Some(u64::MAX - 31), None), Validity::Future);
    // the end of the sequencing window wraps
    assert_eq!(with(None, Some(u64::MAX)), Drop(SpanSequencingWindow));
    assert_eq!(with(None, Some(u64::MAX - 4)), Drop(SpanEpochTooNew));
}

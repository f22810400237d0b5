//! Singular batches (opstack 3.7, rows 1 to 17; opstack 11 F, suffix s).

use super::{BatchDrop::*, Undecided::*, Validity::*, *};

/// The first block after A0, with edits.
fn next(edit: impl FnOnce(&mut SingularBatch)) -> Case {
    singular(&[A, B, C], A0, B, A1).edit(edit)
}

/// The first block after A0, with transactions.
fn with_txs<const N: usize>(txs: [&[u8]; N]) -> Case {
    singular(&[A, B], A0, B, A1).txs(txs)
}

cases! {
    // opstack 3.7 #1
    missing_l1_info: singular(&[], A0, B, A1) => Undecided(NoL1Blocks);
    // opstack 3.7 #2
    future_timestamp: next(|batch| batch.timestamp += 1) => Validity::Future;
    future_timestamp_with_holocene_at_inclusion:
        next(|batch| batch.timestamp += 1).holocene_at(B) => Drop(BatchDrop::Future);
    /// Holocene counts by the time of inclusion, not by the time of the batch.
    future_timestamp_before_holocene_at_inclusion:
        next(|batch| batch.timestamp += 100).holocene_at(C) => Validity::Future;
    // opstack 3.7 #3
    old_timestamp: next(|batch| batch.timestamp = A0.timestamp) => Drop(Old);
    past_timestamp_with_holocene_at_inclusion:
        next(|batch| batch.timestamp = A0.timestamp).holocene_at(B) => Past;
    misaligned_timestamp: next(|batch| batch.timestamp -= 1) => Drop(Old);
    // opstack 3.7 #4
    invalid_parent_block_hash:
        next(|batch| batch.parent_hash = B256::repeat_byte(0x77)) => Drop(ParentHash);
    // kona overwrites the parent hash under Holocene, and accepts (field 0.4b)
    invalid_parent_block_hash_with_holocene:
        next(|batch| batch.parent_hash = B256::repeat_byte(0x77)).holocene_at(B)
        => Drop(ParentHash);
    // opstack 3.7 #5: included in the fifth block after its epoch, with a window of four
    sequence_window_expired:
        singular(&[A, B, C, D, E, F], A0, F, A1) => Drop(SequencingWindow);
    last_block_of_the_sequence_window: singular(&[A, B, C, D, E], A0, E, A1) => Accept;
    /// The end of the window wraps, so that an epoch which is too new comes too late.
    sequence_window_of_an_epoch_at_the_end_of_numbers:
        next(|batch| batch.epoch_num = u64::MAX - 3) => Drop(SequencingWindow);
    epoch_before_the_end_of_numbers:
        next(|batch| batch.epoch_num = u64::MAX - 4) => Drop(EpochTooNew);
    // opstack 3.7 #6
    epoch_too_old_but_good_parent_hash_and_timestamp:
        singular(&[B, C, D], B0, C, B1)
            .edit(|batch| (batch.epoch_num, batch.epoch_hash) = (A.number, A.hash))
        => Drop(EpochTooOld);
    // opstack 3.7 #7
    insufficient_l1_info_for_eager_derivation: singular(&[A], A3, C, B0) => Undecided(NextEpoch);
    // opstack 3.7 #8
    epoch_too_new:
        singular(&[A, B, C, D], A3, D, B0)
            .edit(|batch| (batch.epoch_num, batch.epoch_hash) = (C.number, C.hash))
        => Drop(EpochTooNew);
    // opstack 3.7 #9
    epoch_hash_wrong:
        singular(&[A, B], A3, C, B0).edit(|batch| batch.epoch_hash = A.hash) => Drop(EpochHash);
    // opstack 3.7 #10
    l2_time_before_l1_time:
        singular(&[A, B, C], A2, B, A3)
            .edit(|batch| (batch.epoch_num, batch.epoch_hash) = (B.number, B.hash))
        => Drop(BeforeOrigin);
    // opstack 3.7 #11
    user_txs_in_jovian_upgrade_block:
        with_txs([b"forbidden"]).fork(Fork::Jovian, A1.timestamp) => Drop(ActivationBlock);
    user_txs_in_karst_upgrade_block:
        with_txs([b"forbidden"]).fork(Fork::Karst, A1.timestamp) => Drop(ActivationBlock);
    user_txs_in_lagoon_upgrade_block:
        with_txs([b"forbidden"]).fork(Fork::Lagoon, A1.timestamp) => Drop(ActivationBlock);
    /// A time between two blocks activates at the later one.
    user_txs_in_the_first_block_after_the_fork:
        with_txs([b"forbidden"]).fork(Fork::Karst, A1.timestamp - 1) => Drop(ActivationBlock);
    user_txs_in_the_block_before_the_upgrade:
        with_txs([&[2]]).fork(Fork::Karst, A1.timestamp + 1) => Accept;
    user_txs_in_the_block_after_the_upgrade:
        with_txs([&[2]]).fork(Fork::Karst, A0.timestamp) => Accept;
    no_txs_in_an_upgrade_block: with_txs([]).fork(Fork::Jovian, A1.timestamp) => Accept;
    /// The sequencer leaves the blocks of the forks before Jovian empty; no rule does.
    user_txs_in_isthmus_upgrade_block:
        with_txs([&[2]]).fork(Fork::Isthmus, A1.timestamp) => Accept;
    // opstack 3.7 #12
    drift_on_same_epoch_with_empty_txs_and_no_next_epoch_in_sight_yet:
        singular(&[A], A3, B, A4) => Undecided(NextEpoch);
    // opstack 3.7 #13
    drift_on_same_epoch_with_empty_txs_and_an_epoch_in_sight_that_invalidates_it:
        singular(&[A, B, C], A3, C, A4) => Drop(DriftWithoutAdvance);
    drift_on_same_epoch_with_empty_txs_and_late_next_epoch:
        singular(&[A, B_LATE], A3, B_LATE, A4) => Accept;
    drift_on_changing_epoch_with_empty_txs: singular(&[X, Y, Z], X0, Z, Y0) => Accept;
    // opstack 3.7 #14
    drift_on_same_epoch_with_non_empty_txs:
        singular(&[A, B], A3, B, A4).txs([b"sequencer"]) => Drop(Drift);
    drift_on_changing_epoch_with_non_empty_txs:
        singular(&[X, Y, Z], X0, Z, Y0).txs([b"sequencer"]) => Drop(Drift);
    no_drift_on_same_epoch_with_non_empty_txs_and_fjord:
        singular(&[A, B], A3, B, A4).txs([b"sequencer"]).fork(Fork::Fjord, A.timestamp) => Accept;
    /// Fjord counts by the time of the L1 origin.
    drift_with_fjord_after_the_origin:
        singular(&[A, B], A3, B, A4).txs([b"sequencer"]).fork(Fork::Fjord, A.timestamp + 1)
        => Drop(Drift);
    /// At the drift exactly.
    largest_drift: singular(&[A, B], A2, B, A3).txs([b"sequencer"]) => Accept;
    // opstack 3.7 #15
    empty_tx_included: with_txs([b""]) => Drop(EmptyTransaction);
    // opstack 3.7 #16
    deposit_tx_included: with_txs([&[0x7e, 0]]) => Drop(DepositTransaction);
    // opstack 3.7 #17
    set_code_tx_included_pre_isthmus: with_txs([&[4, 0]]) => Drop(SetCodeTransaction);
    set_code_tx_included_at_isthmus:
        with_txs([&[4, 0]]).fork(Fork::Isthmus, A1.timestamp) => Accept;
    set_code_tx_included_one_second_before_isthmus:
        with_txs([&[4, 0]]).fork(Fork::Isthmus, A1.timestamp + 1) => Drop(SetCodeTransaction);
    // opstack-2026-09 3.7 *1
    post_exec_tx_included_pre_lagoon: with_txs([&[0x7d, 0xc0]]) => Drop(PostExecTransaction);
    post_exec_tx_included_after_lagoon:
        with_txs([&[0x7d, 0xc0]]).fork(Fork::Lagoon, A0.timestamp) => Accept;
    /// Celo's lineage does not know the type: the execution engine judges it.
    post_exec_tx_included_by_celo_rules:
        with_txs([&[0x7d, 0xc0]]).rules(RuleSet::Celo) => Accept;
    set_code_tx_included_pre_isthmus_by_celo_rules:
        with_txs([&[4, 0]]).rules(RuleSet::Celo) => Drop(SetCodeTransaction);
    /// The first transaction that breaks a rule decides which rule it is.
    transactions_are_judged_one_by_one:
        with_txs([&[2], &[0x7e], b""]) => Drop(DepositTransaction);
    /// No rule is about types that nobody knows: the execution engine judges them.
    unknown_tx_types: with_txs([&[0x03], &[0x7f], &[0xff]]) => Accept;
    // opstack 3.7: otherwise
    valid_batch_same_epoch:
        with_txs([&[0x02, 0x42, 0x13, 0x37], &[0x02, 0xde, 0xad, 0xbe, 0xef]]) => Accept;
    valid_batch_changing_epoch:
        singular(&[A, B, C], A3, C, B0).txs([[0x02, 0x42, 0x13, 0x37]]) => Accept;
    /// After all blocks of an epoch were generated the window begins with the epoch after it.
    valid_batch_of_the_first_epoch_of_the_window: singular(&[B, C], A3, C, B0) => Accept;
    epoch_of_a_safe_head_that_the_window_has_passed:
        singular(&[B, C], A3, C, A4) => Drop(EpochTooOld);
    singular_batch_before_delta: with_txs([&[2]]).fork(Fork::Delta, B.timestamp) => Accept;
    singular_batch_after_delta: with_txs([&[2]]).fork(Fork::Delta, A.timestamp) => Accept;
}

//! Which batches are valid on the safe head.
//!
//! The rules are written down in the order in which they are evaluated, because what a batch is
//! dropped *for* decides what happens next: a batch from the future or the past is not flushed
//! with its channel, an undecided one waits or is lost.

use crate::{
    pull::Stop,
    safe_blocks::{SafeBlock, SafeBlocks},
};
use alloy_primitives::keccak256;
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    batch::{POST_EXEC_TX_TYPE, SET_CODE_TX_TYPE, SingularBatch, SpanCursor, TransactionList},
    config::{ChainConfig, Fork},
    deposit::DEPOSIT_TX_TYPE,
};
use std::collections::VecDeque;
use thiserror::Error;

/// What a check of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    /// It is the next batch.
    Accept,
    /// It breaks a rule, and will as long as L1 is not reorganised.
    Drop(BatchDrop),
    /// L1 blocks are missing to decide.
    Undecided(Undecided),
    /// It is for a later block (before Holocene).
    Future,
    /// It is for blocks that are safe already (Holocene).
    Past,
}

/// What is missing to decide about a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Undecided {
    /// No L1 blocks at all.
    #[error("no L1 block is known yet")]
    NoL1Blocks,
    /// The L1 block after the current epoch.
    #[error("the L1 block after the current epoch is not known yet")]
    NextEpoch,
    /// The L1 origin of a span's last block.
    #[error("the L1 origin of the span's last block is not known yet")]
    LastOrigin,
    /// The L2 block before a span is none that a span could build on.
    #[error("the L2 block before the span is not one of the rollup's")]
    NoParent,
}

macro_rules! batch_drops {
    ($($(#[$doc:meta])* $variant:ident: $name:literal, $rule:literal, $message:literal;)*) => {
        /// The rule that a batch breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
        pub enum BatchDrop {
            $($(#[$doc])* #[error($message)] $variant,)*
        }

        impl BatchDrop {
            /// All rules.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// A name for counting.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The rule of the specification.
            pub const fn rule(self) -> &'static str {
                match self { $(Self::$variant => $rule,)* }
            }
        }
    };
}

batch_drops! {
    /// A later block than the next (Holocene).
    Future: "batch_future", "opstack 3.7 #2", "it is for a later block than the next";
    /// A block that is safe already (before Holocene).
    Old: "batch_old", "opstack 3.7 #3", "it is for a block that is safe already";
    /// Another parent than the safe head.
    ParentHash: "batch_parent_hash", "opstack 3.7 #4", "its parent is not the safe head";
    /// Included after its sequencing window.
    SequencingWindow: "batch_sequencing_window", "opstack 3.7 #5",
        "it was included after its sequencing window";
    /// An epoch before the current one.
    EpochTooOld: "batch_epoch_too_old", "opstack 3.7 #6", "its epoch is before the current one";
    /// An epoch beyond the next one.
    EpochTooNew: "batch_epoch_too_new", "opstack 3.7 #8", "its epoch is beyond the next one";
    /// An epoch of another L1 chain.
    EpochHash: "batch_epoch_hash", "opstack 3.7 #9", "its epoch is another L1 block";
    /// Older than its L1 origin.
    BeforeOrigin: "batch_before_origin", "opstack 3.7 #10", "it is older than its L1 origin";
    /// Transactions in a block that upgrades the chain.
    ActivationBlock: "batch_activation_block", "opstack 3.7 #11",
        "it has transactions in a fork's activation block";
    /// Beyond the drift although the next epoch could have been adopted.
    DriftWithoutAdvance: "batch_drift_without_advance", "opstack 3.7 #13",
        "it exceeds the sequencer drift and does not adopt the next epoch";
    /// Transactions beyond the drift.
    Drift: "batch_drift", "opstack 3.7 #14", "it has transactions beyond the sequencer drift";
    /// A transaction without bytes.
    EmptyTransaction: "batch_empty_transaction", "opstack 3.7 #15", "it has an empty transaction";
    /// A deposit.
    DepositTransaction: "batch_deposit", "opstack 3.7 #16", "it has a deposit transaction";
    /// A SetCode transaction before Isthmus.
    SetCodeTransaction: "batch_set_code", "opstack 3.7 #17",
        "it has a SetCode transaction before Isthmus";
    /// A PostExec transaction before Lagoon.
    PostExecTransaction: "batch_post_exec", "opstack-2026-09 3.7 *1",
        "it has a PostExec transaction before Lagoon";
    /// A span whose first block's origin is before Delta.
    SpanBeforeDelta: "span_origin_before_delta", "opstack 3.7 span #3",
        "its L1 origin is before Delta";
    /// A span that begins after the next block (Holocene).
    SpanFuture: "span_future", "opstack 3.7 span #4", "the span begins after the next block";
    /// A span that ends before the next block (before Holocene).
    SpanOld: "span_old", "opstack 3.7 span #5", "the span has no new block";
    /// A span whose blocks do not fall on those of the chain.
    SpanMisaligned: "span_misaligned", "opstack 3.7 span #6",
        "the span's times are not those of the chain's blocks";
    /// A span on another parent.
    SpanParentHash: "span_parent_hash", "opstack 3.7 span #8",
        "the span's parent is another block";
    /// A span that begins after its sequencing window.
    SpanSequencingWindow: "span_sequencing_window", "opstack 3.7 span #9",
        "the span was included after its sequencing window";
    /// A span that begins beyond the next epoch.
    SpanEpochTooNew: "span_epoch_too_new", "opstack 3.7 span #10",
        "the span begins beyond the next epoch";
    /// A span of another L1 chain.
    SpanOriginHash: "span_origin_hash", "opstack 3.7 span #11",
        "the span's last L1 origin is another L1 block";
    /// A span that begins before its parent's epoch.
    SpanEpochTooOld: "span_epoch_too_old", "opstack 3.7 span #13",
        "the span begins before its parent's epoch";
    /// A new block of a span whose epoch is before the safe head's.
    SpanBlockEpochTooOld: "span_block_epoch_too_old", "opstack 3.7",
        "a block of the span has an epoch before the safe head's";
    /// A new block of a span whose epoch is not in the window of L1 blocks.
    SpanBlockOriginUnknown: "span_block_origin_unknown", "opstack 3.7",
        "a block of the span has an epoch outside of the known L1 blocks";
    /// An overlapped block has another number of transactions.
    OverlapCount: "span_overlap_count", "opstack-2026-09 3.7 *4",
        "the span and the safe chain differ in a block's number of transactions";
    /// An overlapped block has other transactions.
    OverlapTransactions: "span_overlap_transactions", "opstack-2026-09 3.7 *4",
        "the span and the safe chain differ in a block's transactions";
    /// An overlapped block has another L1 origin.
    OverlapOrigin: "span_overlap_origin", "opstack-2026-09 3.7 *4",
        "the span and the safe chain differ in a block's L1 origin";
    /// An overlapped block has no L1 information.
    OverlapL1Info: "span_overlap_l1_info", "opstack-2026-09 3.7 *4",
        "a block of the safe chain that the span overlaps has no L1 information";
}

/// What speaks against a batch that another layer has confirmed before L1 has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConfirmedRefusal {
    /// It breaks a rule, and derivation from L1 would drop it.
    #[error(transparent)]
    Drop(#[from] BatchDrop),
    /// L1 blocks are missing to decide.
    #[error(transparent)]
    Undecided(#[from] Undecided),
}

/// Checks a batch that another layer has confirmed by the rules under which derivation will check it.
///
/// `epoch` is the parent's L1 origin, `next` the L1 block after it if that is final. `included_in` is
/// the newest L1 block that is known to be older than the batch's inclusion.
///
/// # Errors
///
/// If the batch breaks a rule, or L1 blocks are missing to decide.
// spec: opstack 3.7
pub fn check_confirmed_batch(
    chain: &ChainConfig,
    parent: &L2BlockRef,
    epoch: L1BlockRef,
    next: Option<L1BlockRef>,
    included_in: &L1BlockRef,
    batch: &SingularBatch,
) -> Result<(), ConfirmedRefusal> {
    let context = Context {
        chain,
        l1_blocks: &[epoch].into_iter().chain(next).collect(),
        safe_head: parent,
        included_in,
    };
    match context.check_singular(batch) {
        Validity::Accept => Ok(()),
        Validity::Drop(broken) => Err(broken.into()),
        Validity::Undecided(missing) => Err(missing.into()),
        Validity::Future => Err(BatchDrop::Future.into()),
        Validity::Past => Err(BatchDrop::Old.into()),
    }
}

/// What batches are checked against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) chain: &'a ChainConfig,
    /// Consecutive L1 blocks; the first is the epoch of the safe head or the one after it.
    pub(crate) l1_blocks: &'a VecDeque<L1BlockRef>,
    pub(crate) safe_head: &'a L2BlockRef,
    /// The L1 block that completed the batch's channel.
    pub(crate) included_in: &'a L1BlockRef,
}

impl Context<'_> {
    const fn holocene(&self) -> bool {
        self.chain
            .active(Fork::Holocene, self.included_in.timestamp)
    }

    const fn next_timestamp(&self) -> u64 {
        self.safe_head
            .timestamp
            .wrapping_add(self.chain.rollup.block_time)
    }

    /// Whether a batch of `epoch` came too late. The sum wraps for epochs that no L1 reaches, as
    /// the reference's does.
    // spec: opstack 2.8 |7
    const fn window_expired(&self, epoch: u64) -> bool {
        epoch.wrapping_add(self.chain.rollup.seq_window_size) < self.included_in.number
    }

    const fn max_timestamp(&self, origin: &L1BlockRef) -> u64 {
        let drift = self.chain.max_sequencer_drift(origin.timestamp);
        origin.timestamp.wrapping_add(drift)
    }

    /// Checks a singular batch, or one block of a span under Holocene.
    // spec: opstack 3.7
    pub(crate) fn check_singular(&self, batch: &SingularBatch) -> Validity {
        // spec: opstack 3.7 #1
        let Some(epoch) = self.l1_blocks.front() else {
            return Validity::Undecided(Undecided::NoL1Blocks);
        };
        let next_epoch = self.l1_blocks.get(1);
        // spec: opstack 3.7 #2
        if batch.timestamp > self.next_timestamp() {
            return if self.holocene() {
                Validity::Drop(BatchDrop::Future)
            } else {
                Validity::Future
            };
        }
        // spec: opstack 3.7 #3
        if batch.timestamp < self.next_timestamp() {
            return if self.holocene() {
                Validity::Past
            } else {
                Validity::Drop(BatchDrop::Old)
            };
        }
        // spec: opstack 3.7 #4
        if batch.parent_hash != self.safe_head.hash {
            return Validity::Drop(BatchDrop::ParentHash);
        }
        // spec: opstack 3.7 #5
        if self.window_expired(batch.epoch_num) {
            return Validity::Drop(BatchDrop::SequencingWindow);
        }
        // spec: opstack 3.7 #6
        if batch.epoch_num < epoch.number {
            return Validity::Drop(BatchDrop::EpochTooOld);
        }
        let origin = if batch.epoch_num == epoch.number {
            epoch
        } else if batch.epoch_num == epoch.number + 1 {
            // spec: opstack 3.7 #7
            match next_epoch {
                Some(next) => next,
                None => return Validity::Undecided(Undecided::NextEpoch),
            }
        } else {
            // spec: opstack 3.7 #8
            return Validity::Drop(BatchDrop::EpochTooNew);
        };
        // spec: opstack 3.7 #9
        if batch.epoch_hash != origin.hash {
            return Validity::Drop(BatchDrop::EpochHash);
        }
        // spec: opstack 3.7 #10
        if batch.timestamp < origin.timestamp {
            return Validity::Drop(BatchDrop::BeforeOrigin);
        }
        // spec: opstack 3.7 #11, opstack-2026-09 3.7 *3
        let upgrades = [Fork::Jovian, Fork::Karst, Fork::Lagoon];
        if !batch.transactions.is_empty()
            && upgrades
                .iter()
                .any(|fork| self.chain.is_activation_block(*fork, batch.timestamp))
        {
            return Validity::Drop(BatchDrop::ActivationBlock);
        }
        let advances = origin.number != epoch.number;
        if let Some(validity) = self.check_drift(
            batch.timestamp,
            batch.transactions.is_empty(),
            origin,
            advances,
            next_epoch,
        ) {
            return validity;
        }
        match self.check_transactions(batch.timestamp, &batch.transactions, true) {
            Some(broken) => Validity::Drop(broken),
            None => Validity::Accept,
        }
    }

    /// The rules on sequencer drift; none if they are kept.
    // spec: opstack 3.7 #12 #13 #14
    fn check_drift(
        &self,
        timestamp: u64,
        empty: bool,
        origin: &L1BlockRef,
        advances: bool,
        next_origin: Option<&L1BlockRef>,
    ) -> Option<Validity> {
        if timestamp <= self.max_timestamp(origin) {
            return None;
        }
        if !empty {
            return Some(Validity::Drop(BatchDrop::Drift));
        }
        // A block that adopts a new epoch is doing what it can. One that does not is right only
        // as long as the next epoch is too young for it.
        if advances {
            return None;
        }
        match next_origin {
            None => Some(Validity::Undecided(Undecided::NextEpoch)),
            Some(next) if timestamp >= next.timestamp => {
                Some(Validity::Drop(BatchDrop::DriftWithoutAdvance))
            }
            Some(_) => None,
        }
    }

    /// The rules on transactions, all of them decided by the first byte. `by_type`: whether those
    /// on types that a fork introduces are among them.
    // spec: opstack 3.7 #15 #16 #17, opstack-2026-09 3.7 *1
    fn check_transactions(
        &self,
        timestamp: u64,
        transactions: &TransactionList,
        by_type: bool,
    ) -> Option<BatchDrop> {
        let rules = &self.chain.rules;
        let set_code = !by_type || self.chain.active(Fork::Isthmus, timestamp);
        let post_exec =
            !by_type || !rules.post_exec_known || self.chain.active(Fork::Lagoon, timestamp);
        transactions
            .iter_slices()
            .find_map(|transaction| match transaction.first() {
                None => Some(BatchDrop::EmptyTransaction),
                Some(&DEPOSIT_TX_TYPE) => Some(BatchDrop::DepositTransaction),
                Some(&SET_CODE_TX_TYPE) if !set_code => Some(BatchDrop::SetCodeTransaction),
                Some(&POST_EXEC_TX_TYPE) if !post_exec => Some(BatchDrop::PostExecTransaction),
                Some(_) => None,
            })
    }

    /// The rules that a span batch must keep as a whole. Returns its parent if it does.
    // spec: opstack 3.7 span
    fn check_span_prefix(
        &self,
        span: &SpanCursor,
        safe_blocks: &SafeBlocks,
    ) -> Result<Result<L2BlockRef, Validity>, Stop> {
        let (batch, params) = (span.batch(), span.params());
        let rollup = &self.chain.rollup;
        let reject = |validity| Ok(Err(validity));
        let drop = |broken| Ok(Err(Validity::Drop(broken)));
        // spec: opstack 3.7 span #1
        let Some(epoch) = self.l1_blocks.front() else {
            return reject(Validity::Undecided(Undecided::NoL1Blocks));
        };
        // spec: opstack 3.7 span #2
        let start_epoch = batch.start_epoch_num();
        let origin = if start_epoch == epoch.number + 1 {
            match self.l1_blocks.get(1) {
                Some(next) => next,
                None => return reject(Validity::Undecided(Undecided::NextEpoch)),
            }
        } else {
            epoch
        };
        // spec: opstack 3.7 span #3
        if !self.chain.active(Fork::Delta, origin.timestamp) {
            return drop(BatchDrop::SpanBeforeDelta);
        }
        let first = batch.timestamp(0, params);
        let next = self.next_timestamp();
        // spec: opstack 3.7 span #4
        if first > next {
            return if self.holocene() {
                drop(BatchDrop::SpanFuture)
            } else {
                reject(Validity::Future)
            };
        }
        // spec: opstack 3.7 span #5
        if batch.last_timestamp(params) < next {
            return if self.holocene() {
                reject(Validity::Past)
            } else {
                drop(BatchDrop::SpanOld)
            };
        }
        let parent = if first == next {
            *self.safe_head
        } else {
            // spec: opstack 3.7 span #6
            let Some(overlap) = self
                .safe_head
                .timestamp
                .checked_sub(first)
                .filter(|overlap| overlap.is_multiple_of(rollup.block_time))
            else {
                return drop(BatchDrop::SpanMisaligned);
            };
            // spec: opstack 3.7 span #7
            let parent = self
                .safe_head
                .number
                .checked_sub(overlap / rollup.block_time + 1)
                .filter(|number| *number >= rollup.genesis.l2.number);
            let Some(number) = parent else {
                // There is no such block and never will be: the reference fails to fetch it.
                return reject(Validity::Undecided(Undecided::NoParent));
            };
            match &safe_blocks.get(number)?.block_ref {
                Some(block_ref) => *block_ref,
                None => return reject(Validity::Undecided(Undecided::NoParent)),
            }
        };
        // spec: opstack 3.7 span #8
        if !batch.matches_parent(&parent.hash) {
            return drop(BatchDrop::SpanParentHash);
        }
        // spec: opstack 3.7 span #9
        if self.window_expired(start_epoch) {
            return drop(BatchDrop::SpanSequencingWindow);
        }
        // spec: opstack 3.7 span #10
        if start_epoch > parent.l1_origin.number + 1 {
            return drop(BatchDrop::SpanEpochTooNew);
        }
        // spec: opstack 3.7 span #11 #12
        match self.l1_block(batch.last_epoch_num()) {
            None => return reject(Validity::Undecided(Undecided::LastOrigin)),
            Some(origin) if !batch.matches_l1_origin(&origin.hash) => {
                return drop(BatchDrop::SpanOriginHash);
            }
            Some(_) => {}
        }
        // spec: opstack 3.7 span #13
        if start_epoch < parent.l1_origin.number {
            return drop(BatchDrop::SpanEpochTooOld);
        }
        Ok(Ok(parent))
    }

    fn l1_block(&self, number: u64) -> Option<&L1BlockRef> {
        self.l1_block_index(number)
            .and_then(|index| self.l1_blocks.get(index))
    }

    /// Position of an L1 block in the window, whose blocks are consecutive.
    fn l1_block_index(&self, number: u64) -> Option<usize> {
        let first = self.l1_blocks.front()?.number;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        (index < self.l1_blocks.len()).then_some(index)
    }

    /// Checks a span batch under Holocene: as a whole, and where it overlaps the safe chain. Its
    /// new blocks are checked one by one, as singular batches, when their turn comes.
    // spec: opstack 3.7 span, opstack-2026-09 3.7 *4
    pub(crate) fn check_span_holocene(
        &self,
        span: &SpanCursor,
        safe_blocks: &SafeBlocks,
    ) -> Result<Validity, Stop> {
        match self.check_span_prefix(span, safe_blocks)? {
            Err(validity) => Ok(validity),
            Ok(parent) if self.chain.rules.span_overlap_compared => {
                self.check_overlap(span, &parent, safe_blocks)
            }
            Ok(_) => Ok(Validity::Accept),
        }
    }

    /// Checks a span batch before Holocene: all of it, at once.
    // spec: opstack 3.7, opstack-2026-09 3.7 *6
    pub(crate) fn check_span(
        &self,
        span: &SpanCursor,
        safe_blocks: &SafeBlocks,
    ) -> Result<Validity, Stop> {
        let parent = match self.check_span_prefix(span, safe_blocks)? {
            Ok(parent) => parent,
            Err(validity) => return Ok(validity),
        };
        let starts_epoch = span.batch().start_epoch_num() == parent.l1_origin.number + 1;
        match self.check_span_blocks(span.clone(), starts_epoch)? {
            Validity::Accept => self.check_overlap(span, &parent, safe_blocks),
            validity => Ok(validity),
        }
    }

    /// The rules for each new block of a span.
    // spec: opstack 3.7
    fn check_span_blocks(
        &self,
        mut span: SpanCursor,
        starts_epoch: bool,
    ) -> Result<Validity, Stop> {
        let mut previous_epoch = None;
        while let Some((timestamp, epoch_num)) = span.peek() {
            let advances = previous_epoch.map_or(starts_epoch, |previous| epoch_num > previous);
            previous_epoch = Some(epoch_num);
            if timestamp <= self.safe_head.timestamp {
                span.skip_block();
                continue;
            }
            if epoch_num < self.safe_head.l1_origin.number {
                return Ok(Validity::Drop(BatchDrop::SpanBlockEpochTooOld));
            }
            let Some(index) = self.l1_block_index(epoch_num) else {
                return Ok(Validity::Drop(BatchDrop::SpanBlockOriginUnknown));
            };
            let origin = &self.l1_blocks[index];
            if timestamp < origin.timestamp {
                return Ok(Validity::Drop(BatchDrop::BeforeOrigin));
            }
            let block = match span.next_block() {
                Some(Ok(block)) => block,
                Some(Err(_)) | None => {
                    return Err(crate::pull::bug("a checked span does not read"));
                }
            };
            let empty = block.transactions.is_empty();
            let next_origin = self.l1_blocks.get(index + 1);
            if let Some(validity) =
                self.check_drift(timestamp, empty, origin, advances, next_origin)
            {
                return Ok(validity);
            }
            // spec: opstack-2026-09 3.7 *2
            let by_type = self.chain.rules.span_transactions_checked_alike;
            if let Some(broken) = self.check_transactions(timestamp, &block.transactions, by_type) {
                return Ok(Validity::Drop(broken));
            }
        }
        Ok(Validity::Accept)
    }

    /// Compares the part of a span that is safe already with the safe chain.
    ///
    /// A span that tells another history must not be applied even where it is new.
    // spec: opstack 3.7, opstack-2026-09 3.7 *4
    fn check_overlap(
        &self,
        span: &SpanCursor,
        parent: &L2BlockRef,
        safe_blocks: &SafeBlocks,
    ) -> Result<Validity, Stop> {
        let mut span = span.clone();
        for number in parent.number + 1..=self.safe_head.number {
            let safe: &SafeBlock = safe_blocks.get(number)?;
            let Some(Ok(block)) = span.next_block() else {
                return Err(crate::pull::bug("a checked span does not read"));
            };
            let broken = if safe.transaction_count != block.transactions.len() {
                Some(BatchDrop::OverlapCount)
            } else if safe.transactions_hash != keccak256(block.transactions.rlp_payload()) {
                Some(BatchDrop::OverlapTransactions)
            } else {
                match &safe.block_ref {
                    None => Some(BatchDrop::OverlapL1Info),
                    Some(safe) if safe.l1_origin.number != block.epoch_num => {
                        Some(BatchDrop::OverlapOrigin)
                    }
                    Some(_) => None,
                }
            };
            if let Some(broken) = broken {
                return Ok(Validity::Drop(broken));
            }
        }
        Ok(Validity::Accept)
    }
}

#[cfg(test)]
pub(crate) mod tests;

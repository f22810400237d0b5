//! Alt-DA commitments that are challenged on L1, and what becomes of them.
//!
//! A commitment whose challenge is not answered within its window never counts, even if its data
//! was at hand and has been used: then derivation starts again, and leaves it out. Where the data
//! is *not* at hand, L1 is read ahead of derivation, until the challenge brings the data or ends
//! the wait.

use crate::{
    drops::{DropReason, Reporter},
    step::ResetReason,
};
use alloy_primitives::Bytes;
use doppio_protocol::{
    L1BlockRef,
    block::BlockId,
    commitment::Commitment,
    config::{AltDaConfig, CHANNEL_TIMEOUT_GRANITE, ChainConfig},
    da_challenge::{
        CHALLENGE_STATUS_CHANGED, ChallengeChange, ChallengeError, ChallengeEvent,
        decode_challenge_log, decode_resolve_call,
    },
    l1::L1Block,
};
use std::collections::{BTreeMap, VecDeque};

/// A commitment in an L1 block of this height. Several equal ones in a block share their fate.
type Key = (u64, Commitment);

/// Where a commitment stands.
// spec: opstack 3.15
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChallengeStatus {
    /// Nobody has challenged it.
    Unchallenged,
    /// Someone has, and may still be answered.
    Active,
    /// Someone has, and this is the answer.
    Resolved(Bytes),
    /// Someone has, and nobody answered in time.
    Expired,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Challenge {
    /// The L1 height at which an answer comes too late.
    window_end: u64,
    status: ChallengeStatus,
}

/// A commitment whose data was used.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Used {
    commitment: Commitment,
    l1_block: L1BlockRef,
}

impl Used {
    fn key(&self) -> Key {
        (self.l1_block.number, self.commitment.clone())
    }
}

/// What an L1 finality signal says about a chain whose data may be challenged.
// spec: opstack 3.15, opstack-2026-09 3.15 *4
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Up to the finalized L1 block itself: the chain has no alt-DA.
    WithL1,
    /// Up to this L1 block.
    UpTo(L1BlockRef),
    /// Up to the L1 block of this height, on the finalized chain: nothing is open.
    UpToNumber(u64),
    /// It is too early to say.
    Unknown,
}

/// The challenges on L1, as far as L1 was read, and the commitments that they may yet invalidate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Challenges {
    challenges: BTreeMap<Key, Challenge>,
    /// Challenges that may still be answered, and those that may not; in order of L1, each with
    /// the end of its window.
    running: VecDeque<(Key, u64)>,
    over: VecDeque<(Key, u64)>,
    /// Commitments that may still be challenged or expire, and those that may not; in order of L1.
    used: VecDeque<Used>,
    settled: VecDeque<Used>,
    /// The L1 block of the newest commitment that finality has passed.
    last_final: Option<L1BlockRef>,
    /// The L1 blocks whose events have been read: consecutive, at times ahead of derivation.
    read: VecDeque<BlockId>,
}

impl Challenges {
    /// What stays when derivation starts again because a challenge expired: all that L1 said.
    // spec: opstack 3.15
    pub(crate) fn after_expiry(self) -> Self {
        Self {
            used: VecDeque::new(),
            settled: VecDeque::new(),
            ..self
        }
    }

    /// Takes the L1 block that is read next. Fails if a commitment that was used has expired.
    // spec: opstack 3.15
    pub(crate) fn enter(
        &mut self,
        chain: &ChainConfig,
        block: &L1Block,
        report: &mut Reporter<'_>,
    ) -> Result<(), ResetReason> {
        let Some(alt_da) = &chain.rollup.alt_da else {
            return Ok(());
        };
        if chain.rollup.da_challenge_contract().is_some() {
            let next = block.header.id();
            match self.read_at(next.number) {
                Some(known) if known == next => {}
                // L1 was reorganised since it was read ahead
                Some(current) => return Err(ResetReason::L1Reorg { current, next }),
                None => {
                    if self.next_to_read() != Some(next.number) {
                        *self = Self::default();
                    }
                    self.read(chain, alt_da, block, report);
                }
            }
        }
        self.expire_used(alt_da, block.header.number)
    }

    /// The height of the L1 block to read ahead.
    pub(crate) fn next_to_read(&self) -> Option<u64> {
        self.read.back().map(|last| last.number + 1)
    }

    /// Takes the L1 block after those that were read; says whether it was wanted. It must extend
    /// them.
    // spec: opstack 3.15
    pub(crate) fn look_ahead(
        &mut self,
        chain: &ChainConfig,
        block: &L1Block,
        report: &mut Reporter<'_>,
    ) -> Result<bool, ResetReason> {
        let (Some(alt_da), Some(current)) = (&chain.rollup.alt_da, self.read.back().copied())
        else {
            return Ok(false);
        };
        let next = block.header.id();
        if next.number != current.number + 1 {
            return Ok(false);
        }
        if block.header.parent_hash != current.hash {
            return Err(ResetReason::L1Reorg { current, next });
        }
        self.read(chain, alt_da, block, report);
        Ok(true)
    }

    fn read_at(&self, number: u64) -> Option<BlockId> {
        let first = self.read.front()?.number;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        self.read.get(index).copied()
    }

    /// Reads a block's events, then lets challenges expire that it ends.
    fn read(
        &mut self,
        chain: &ChainConfig,
        alt_da: &AltDaConfig,
        block: &L1Block,
        report: &mut Reporter<'_>,
    ) {
        let contract = alt_da.da_challenge_contract_address;
        for (index, receipt) in (0u32..).zip(&block.receipts) {
            for log in receipt.logs.iter().filter(|log| {
                receipt.success
                    && log.address == contract
                    && log.topics().first() == Some(&CHALLENGE_STATUS_CHANGED)
            }) {
                let event = decode_challenge_log(log)
                    .and_then(|event| self.apply(alt_da, block, index, event));
                if let Err(error) = event {
                    report.drop(DropReason::Challenge(error));
                }
            }
        }
        let number = block.header.number;
        self.expire(number);
        self.read.push_back(block.header.id());
        // Derivation is at most a lookback behind what was read, and a reset goes back a lookback
        // and a channel timeout from there.
        let lookback = chain.rollup.sync_lookback().saturating_mul(2);
        let timeout = chain.rollup.channel_timeout.max(CHANNEL_TIMEOUT_GRANITE);
        let oldest = number.saturating_sub(lookback).saturating_sub(timeout);
        while self.read.front().is_some_and(|id| id.number < oldest) {
            self.read.pop_front();
        }
    }

    fn apply(
        &mut self,
        alt_da: &AltDaConfig,
        block: &L1Block,
        index: u32,
        event: ChallengeEvent,
    ) -> Result<(), ChallengeError> {
        let key = (event.inclusion, event.commitment);
        match event.change {
            ChallengeChange::Challenged => {
                let window_end = block.header.number.saturating_add(alt_da.da_resolve_window);
                self.running.push_back((key.clone(), window_end));
                let status = ChallengeStatus::Active;
                self.challenges
                    .insert(key, Challenge { window_end, status });
            }
            ChallengeChange::Resolved => {
                let calldata = block
                    .challenge_calldata
                    .iter()
                    .find(|(position, _)| *position == index)
                    .map(|(_, calldata)| calldata.clone())
                    .unwrap_or_default();
                let input = decode_resolve_call(&calldata, &key.1)?;
                self.challenges
                    .get_mut(&key)
                    .ok_or(ChallengeError::NotChallenged)?
                    .status = ChallengeStatus::Resolved(input);
            }
        }
        Ok(())
    }

    fn expire(&mut self, number: u64) {
        while let Some((key, end)) = self.running.pop_front_if(|(_, end)| *end <= number) {
            if let Some(challenge) = self.challenges.get_mut(&key)
                && challenge.window_end == end
                && challenge.status == ChallengeStatus::Active
            {
                challenge.status = ChallengeStatus::Expired;
            }
            self.over.push_back((key, end));
        }
    }

    /// Where a commitment of an L1 block stands.
    pub(crate) fn status(&self, commitment: &Commitment, inclusion: u64) -> ChallengeStatus {
        self.challenges
            .get(&(inclusion, commitment.clone()))
            .map_or(ChallengeStatus::Unchallenged, |challenge| {
                challenge.status.clone()
            })
    }

    /// Whether nobody challenged in time, as far as L1 was read, so that nobody can any more.
    // spec: opstack 3.15
    pub(crate) fn is_past_challenging(
        &self,
        chain: &ChainConfig,
        commitment: &Commitment,
        inclusion: u64,
    ) -> bool {
        let window = chain
            .rollup
            .alt_da
            .map_or(0, |alt_da| alt_da.da_challenge_window);
        self.status(commitment, inclusion) == ChallengeStatus::Unchallenged
            && self
                .read
                .back()
                .is_some_and(|last| last.number > inclusion.saturating_add(window))
    }

    /// Remembers a commitment whose data is used from now on.
    // spec: opstack 3.15
    pub(crate) fn use_commitment(&mut self, commitment: Commitment, l1_block: L1BlockRef) {
        self.used.push_back(Used {
            commitment,
            l1_block,
        });
    }

    /// The L1 height at which a commitment can no longer be invalidated.
    fn settles_at(&self, alt_da: &AltDaConfig, used: &Used) -> u64 {
        self.challenges.get(&used.key()).map_or_else(
            || {
                used.l1_block
                    .number
                    .saturating_add(alt_da.da_challenge_window)
            },
            |challenge| challenge.window_end,
        )
    }

    /// Moves on the commitments whose windows are over at an L1 height. Fails if one of them was
    /// challenged and nobody answered.
    // spec: opstack 3.15
    fn expire_used(&mut self, alt_da: &AltDaConfig, number: u64) -> Result<(), ResetReason> {
        let mut expired = None;
        while let Some(used) = self.used.front()
            && self.settles_at(alt_da, used) <= number
        {
            match self.challenges.get(&used.key()).map(|found| &found.status) {
                None | Some(ChallengeStatus::Resolved(_)) => {}
                Some(_) => expired = expired.or(Some(used.l1_block.id())),
            }
            self.settled.extend(self.used.pop_front());
        }
        match expired {
            Some(l1_block) => Err(ResetReason::ChallengeExpired { l1_block }),
            None => Ok(()),
        }
    }

    /// Forgets what an L1 finality signal makes irrevocable; says up to which L1 block that is.
    // spec: opstack 3.15, opstack-2026-09 3.15 *4
    pub(crate) fn settle(&mut self, chain: &ChainConfig, l1_finalized: &L1BlockRef) -> Settled {
        let Some(alt_da) = &chain.rollup.alt_da else {
            return Settled::WithL1;
        };
        let number = l1_finalized.number;
        if self.running.is_empty()
            && self.over.is_empty()
            && self.used.is_empty()
            && self.settled.is_empty()
        {
            return number
                .checked_sub(alt_da.da_challenge_window)
                .map_or(Settled::Unknown, Settled::UpToNumber);
        }
        // commitments first: how long they last depends on their challenges
        while let Some(used) = self.settled.front()
            && self.settles_at(alt_da, used) <= number
        {
            self.last_final = self.settled.pop_front().map(|used| used.l1_block);
        }
        while let Some((key, _)) = self.over.pop_front_if(|(_, end)| *end <= number) {
            self.challenges.remove(&key);
        }
        self.last_final.map_or(Settled::Unknown, Settled::UpTo)
    }
}

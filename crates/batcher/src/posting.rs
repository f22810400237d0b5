//! Channels on their way to L1: which frames are sent, which are there, and what must be sent again.
//!
//! Channels, and the frames of each, are sent in the order of the blocks. From Holocene on derivation
//! drops a frame that does not follow the one before it, a channel whose place another one took, and
//! a batch that does not follow the safe head. So once a transaction fails, everything behind it may
//! come to nothing. Then the machine *settles*: what is behind is abandoned, nothing new is sent, and
//! when every outcome is known, it is clear what L1 holds, and sending goes on from the first frame
//! that is missing.

mod channel;
mod resend;

use crate::{
    action::{Payload, Report, ResendReason, TxId},
    event::TxOutcome,
    options::DaKind,
    route::Stage,
};
use alloy_primitives::{B256, Bytes, keccak256};
pub(crate) use channel::{Channel, Next};
use core::ops::RangeInclusive;
use doppio_protocol::frame::ChannelId;
use std::collections::{BTreeSet, VecDeque};

/// A transaction to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sending {
    pub(crate) id: TxId,
    pub(crate) payload: Payload,
    pub(crate) channel: ChannelId,
    pub(crate) frames: RangeInclusive<u16>,
    pub(crate) blocks: RangeInclusive<u64>,
}

/// The rules that hold at L1's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct L1Rules {
    /// Whether derivation takes frames, channels and batches in their order alone.
    pub(crate) is_strict: bool,
    /// L1 blocks that a channel may span.
    pub(crate) channel_timeout: u64,
}

/// The channels and the transactions that carry them.
#[derive(Clone, Debug)]
pub(crate) struct Posting {
    seed: B256,
    channels: VecDeque<Channel>,
    /// Transactions without an outcome, also those of channels that were forgotten.
    in_flight: BTreeSet<TxId>,
    next_tx: u64,
    /// Names given so far.
    names: u64,
    is_settling: bool,
    /// While it settles: the first of the transactions that were said not to be wanted any more.
    abandoned: Option<TxId>,
    /// Why, as far as it is a transaction's failure.
    failure: Option<String>,
    /// The highest L1 block that holds a frame of a channel that was forgotten as safe.
    highest_done: u64,
}

impl Posting {
    pub(crate) const fn new(seed: B256) -> Self {
        Self {
            seed,
            channels: VecDeque::new(),
            in_flight: BTreeSet::new(),
            next_tx: 0,
            names: 0,
            is_settling: false,
            abandoned: None,
            failure: None,
            highest_done: 0,
        }
    }

    pub(crate) const fn is_settling(&self) -> bool {
        self.is_settling
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    pub(crate) const fn channels(&self) -> &VecDeque<Channel> {
        &self.channels
    }

    /// Bytes of the channels.
    pub(crate) fn bytes(&self) -> u64 {
        self.channels.iter().map(|c| c.data.len() as u64).sum()
    }

    /// Whether one more transaction could be sent now, and there is none: `most` may be under way, 0
    /// for any number.
    pub(crate) fn is_idle(&self, most: u64) -> bool {
        let has_room = most == 0 || (self.in_flight.len() as u64) < most;
        has_room && self.channels.iter().all(Channel::is_sent)
    }

    /// Whether a channel that L1 may have a part of lacks another.
    pub(crate) fn has_begun(&self) -> bool {
        let begun = |channel: &Channel| channel.has_begun && !channel.is_sent();
        self.is_settling || !self.in_flight.is_empty() || self.channels.iter().any(begun)
    }

    /// Gives a channel a name that no other one has. The contents are in it: two channels of one name
    /// are then at least the same.
    fn name(&mut self, data: &Bytes) -> ChannelId {
        let (count, contents) = (self.names.to_be_bytes(), keccak256(data));
        self.names += 1;
        let hash = keccak256([self.seed.as_slice(), &count, contents.as_slice()].concat());
        hash.first_chunk::<16>()
            .map(ChannelId::from)
            .unwrap_or_default()
    }

    /// Appends a channel.
    pub(crate) fn push(
        &mut self,
        blocks: RangeInclusive<u64>,
        data: Bytes,
        is_separable: bool,
    ) -> ChannelId {
        let id = self.name(&data);
        self.channels
            .push_back(Channel::new(id, blocks, data, is_separable));
        id
    }

    /// What is sent next. `begun_only`: no channel that L1 has nothing of.
    pub(crate) fn next(&mut self, max_pending: u64, begun_only: bool) -> Option<Next<'_>> {
        if self.is_settling || (max_pending > 0 && self.in_flight.len() as u64 >= max_pending) {
            return None;
        }
        let index = self
            .channels
            .iter()
            .position(|channel| !channel.is_sent())?;
        let channel = self.channels.get_mut(index)?;
        if begun_only && !channel.has_begun {
            return None;
        }
        let id = TxId(self.next_tx);
        Some(Next {
            channel,
            id,
            next_tx: &mut self.next_tx,
            in_flight: &mut self.in_flight,
        })
    }

    /// Takes in an outcome. Gives what is not wanted any more, if it makes something so.
    // spec: opstack 7.3
    pub(crate) fn outcome(&mut self, id: TxId, outcome: TxOutcome, rules: L1Rules) -> Vec<TxId> {
        if id.0 >= self.next_tx {
            return Vec::new();
        }
        match outcome {
            TxOutcome::Included(block) => {
                self.in_flight.remove(&id);
                if let Some((channel, index)) = self.find(id)
                    && let Some(unit) = channel.units.get_mut(index)
                {
                    unit.stage = Stage::Included(block.number);
                    if channel.has_timed_out(None, rules.channel_timeout) {
                        channel.is_void = true;
                        return self.settle(id);
                    }
                }
                Vec::new()
            }
            TxOutcome::ReorgedOut => {
                if let Some((channel, index)) = self.find(id)
                    && let Some(unit) = channel.units.get_mut(index)
                {
                    unit.stage = Stage::Sent;
                    channel.is_complete_said = false;
                }
                self.in_flight.insert(id);
                Vec::new()
            }
            TxOutcome::Failed(reason) => self.failed(id, Some(reason)),
            TxOutcome::Cancelled => self.failed(id, None),
        }
    }

    fn failed(&mut self, id: TxId, reason: Option<String>) -> Vec<TxId> {
        self.in_flight.remove(&id);
        let Some((channel, index)) = self.find(id) else {
            return Vec::new();
        };
        channel.units.remove(index);
        channel.is_complete_said = false;
        self.failure = self.failure.take().or(reason);
        self.settle(id)
    }

    fn find(&mut self, id: TxId) -> Option<(&mut Channel, usize)> {
        self.channels.iter_mut().find_map(|channel| {
            let index = channel.units.iter().position(|unit| unit.id == id)?;
            Some((channel, index))
        })
    }

    /// From now on nothing is sent; what was sent after `id` is not wanted any more.
    fn settle(&mut self, id: TxId) -> Vec<TxId> {
        self.is_settling = true;
        let in_flight = self.in_flight.range(id..).copied();
        let news = in_flight.take_while(|id| self.abandoned.is_none_or(|first| *id < first));
        let news = news.collect();
        self.abandoned = Some(self.abandoned.map_or(id, |first| first.min(id)));
        news
    }

    /// Forgets the channels whose blocks are safe.
    pub(crate) fn prune(&mut self, safe: u64) {
        while let Some(channel) = self.channels.pop_front_if(|c| *c.blocks.end() <= safe) {
            let (_, highest) = channel.inclusion().unwrap_or_default();
            self.highest_done = self.highest_done.max(highest);
        }
    }

    /// Forgets all channels. What is under way is not wanted any more.
    pub(crate) fn clear(&mut self) -> Vec<TxId> {
        self.channels.clear();
        self.failure = None;
        self.abandoned = None;
        self.is_settling = false;
        if self.in_flight.is_empty() {
            return Vec::new();
        }
        self.settle(TxId(0))
    }

    /// The first channel, if L1 has all of it, the node has read it there, and has not derived it.
    // spec: opstack 7.2
    pub(crate) fn not_derived(&self, current_l1: u64) -> Option<&Channel> {
        let channel = self.channels.front()?;
        let (_, highest) = channel.inclusion()?;
        let is_read = current_l1 > highest.max(self.highest_done);
        (is_read && channel.is_complete() && !channel.is_void && !self.is_settling)
            .then_some(channel)
    }

    /// L1's head has moved. Gives what is not wanted any more: a channel has no time left.
    // spec: opstack 7.3
    pub(crate) fn advance(&mut self, tip: u64, rules: L1Rules) -> Vec<TxId> {
        let timeout = rules.channel_timeout;
        let timed_out = |channel: &&mut Channel| {
            !channel.is_void && !channel.is_complete() && channel.has_timed_out(Some(tip), timeout)
        };
        let Some(channel) = self.channels.iter_mut().find(timed_out) else {
            return Vec::new();
        };
        channel.is_void = true;
        let first = channel.units.first().map(|unit| unit.id);
        first.map(|id| self.settle(id)).unwrap_or_default()
    }

    /// The channels that L1 has all of since this was asked last.
    pub(crate) fn take_complete(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        for channel in &mut self.channels {
            if !channel.is_complete_said && !channel.is_void && channel.is_complete() {
                channel.is_complete_said = true;
                let (lowest, highest) = channel.inclusion().unwrap_or_default();
                reports.push(Report::ChannelSubmitted {
                    channel: channel.id,
                    frames: u16::try_from(channel.ends.len()).unwrap_or(u16::MAX),
                    l1_blocks: highest - lowest,
                });
            }
        }
        reports
    }

    /// Whether it settles, and every outcome is known.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settling && self.in_flight.is_empty()
    }
}

/// Why a channel is sent again, where it is not its own fault.
fn reason(channel: &Channel, failure: Option<&String>, is_first: bool) -> ResendReason {
    match failure {
        _ if channel.is_void => ResendReason::TimedOut,
        Some(failure) if is_first => ResendReason::Failed(failure.clone()),
        None if is_first => ResendReason::Failed("cancelled".to_owned()),
        _ => ResendReason::Earlier,
    }
}

/// Bytes of a frame in a transaction of its kind, header included, and how many frames it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) kind: DaKind,
    pub(crate) max_frame_size: usize,
    pub(crate) frames: usize,
}

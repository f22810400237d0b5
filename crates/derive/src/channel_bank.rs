//! Channels before Holocene: several may be open, their frames arrive in any order.

use crate::drops::{DropReason, Reporter};
use doppio_protocol::{
    L1BlockRef,
    config::{ChainConfig, FRAME_SIZE_OVERHEAD, Fork},
    frame::{ChannelId, Frame},
};
use std::collections::{BTreeMap, VecDeque};
use thiserror::Error;

/// Why a channel refuses a frame.
// spec: opstack 3.4 *1
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameRefusal {
    /// The channel has a last frame already.
    #[error("its channel is closed already")]
    SecondLast,
    /// The channel has the frame already.
    #[error("its channel has the frame already")]
    Duplicate,
    /// The frame is not before the channel's last one.
    #[error("it is beyond the last frame of its channel")]
    BeyondLast,
    /// The frame is not the next one of the channel (Holocene).
    #[error("it is not the next frame of its channel")]
    NotNext,
    /// The frame belongs to another channel than the open one (Holocene).
    #[error("it belongs to another channel than the open one")]
    OtherChannel,
}

/// Bytes that a frame's data counts for.
// spec: opstack 2.4
pub(crate) const fn frame_size(data: &[u8]) -> u64 {
    data.len() as u64 + FRAME_SIZE_OVERHEAD
}

/// A frame's data, in memory of its own: a slice would keep the whole L1 transaction that it came
/// in, which may be thousands of times as large as what the frame counts for.
pub(crate) type FrameData = Box<[u8]>;

pub(crate) fn frame_data(frame: &Frame) -> FrameData {
    frame.data.as_ref().into()
}

/// Joins the data of a channel's frames, in order.
pub(crate) fn join(frames: Vec<FrameData>) -> Vec<u8> {
    let length = frames.iter().map(|data| data.len()).sum();
    let mut joined = Vec::with_capacity(length);
    for data in frames {
        joined.extend_from_slice(&data);
    }
    joined
}

/// A channel whose frames may arrive in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Channel {
    opened_at: u64,
    frames: BTreeMap<u16, FrameData>,
    last: Option<u16>,
    size: u64,
}

impl Channel {
    const fn new(opened_at: u64) -> Self {
        Self {
            opened_at,
            frames: BTreeMap::new(),
            last: None,
            size: 0,
        }
    }

    // spec: opstack 3.4 *1
    fn add(&mut self, frame: &Frame) -> Result<(), FrameRefusal> {
        if frame.is_last && self.last.is_some() {
            return Err(FrameRefusal::SecondLast);
        }
        if self.frames.contains_key(&frame.number) {
            return Err(FrameRefusal::Duplicate);
        }
        if self.last.is_some_and(|last| frame.number >= last) {
            return Err(FrameRefusal::BeyondLast);
        }
        if frame.is_last {
            self.last = Some(frame.number);
            self.prune_beyond(frame.number);
        }
        self.size = self.size.wrapping_add(frame_size(&frame.data));
        self.frames.insert(frame.number, frame_data(frame));
        Ok(())
    }

    /// Removes the frames that a last frame makes impossible.
    ///
    /// The reference then subtracts the size of *every* frame that was there, not only of those it
    /// removed, in unsigned arithmetic that may wrap. Sizes decide which channels a full bank
    /// prunes, so the mistake is consensus.
    // spec: opstack 3.4 *1, opstack-2026-09 3.1 *2
    fn prune_beyond(&mut self, last: u16) {
        if self
            .frames
            .last_key_value()
            .is_none_or(|(highest, _)| *highest <= last)
        {
            return;
        }
        for data in self.frames.values() {
            self.size = self.size.wrapping_sub(frame_size(data));
        }
        self.frames.split_off(&last);
    }

    /// Whether all frames up to the last one are there.
    // spec: opstack 3.4 *3
    fn is_ready(&self) -> bool {
        // numbers are distinct and none is beyond the last, so counting is enough
        self.last
            .is_some_and(|last| self.frames.len() == usize::from(last) + 1)
    }

    fn is_timed_out(&self, chain: &ChainConfig, origin: &L1BlockRef) -> bool {
        is_timed_out(chain, self.opened_at, origin)
    }

    fn into_data(self) -> Vec<u8> {
        join(self.frames.into_values().collect())
    }
}

/// Whether a channel that was opened at L1 block number `opened_at` can no longer be completed.
// spec: opstack 3.4 *1, opstack 3.5
pub(crate) fn is_timed_out(chain: &ChainConfig, opened_at: u64, origin: &L1BlockRef) -> bool {
    opened_at.saturating_add(chain.channel_timeout(origin.timestamp)) < origin.number
}

/// The channel bank.
// spec: opstack 3.4
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChannelBank {
    channels: BTreeMap<ChannelId, Channel>,
    queue: VecDeque<ChannelId>,
    /// Sum of all channels' sizes, wrapping as they do.
    total_size: u64,
    /// Number of channels that are complete, so that a bank without any need not be searched.
    ready: usize,
}

/// What reading the bank gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BankRead {
    /// A whole channel's bytes.
    Channel(Vec<u8>),
    /// The oldest channel was timed out, and is gone.
    TimedOut,
    /// Nothing can be read before another frame arrives.
    Nothing,
}

impl ChannelBank {
    /// Takes a frame. A frame of an unknown channel opens it, even if the frame is then refused.
    // spec: opstack 3.4 *1 *2
    pub(crate) fn ingest(
        &mut self,
        chain: &ChainConfig,
        origin: &L1BlockRef,
        frame: Frame,
        report: &mut Reporter<'_>,
    ) {
        let channel = self.channels.entry(frame.id).or_insert_with(|| {
            self.queue.push_back(frame.id);
            Channel::new(origin.number)
        });
        if channel.is_timed_out(chain, origin) {
            report.drop(DropReason::FrameTimedOut);
            return;
        }
        let size_before = channel.size;
        if let Err(refusal) = channel.add(&frame) {
            report.drop(DropReason::Frame(refusal));
            return;
        }
        // a complete channel refuses every frame, so this one has just become complete
        self.ready += usize::from(channel.is_ready());
        self.total_size = self
            .total_size
            .wrapping_sub(size_before)
            .wrapping_add(channel.size);
        while self.total_size > chain.max_channel_bank_size(origin.timestamp) {
            match self.queue.pop_front() {
                Some(oldest) => self.remove(&oldest),
                None => return,
            };
            report.drop(DropReason::ChannelPruned);
        }
    }

    /// Takes a channel, whose id has been taken off the queue, out of the bank.
    fn remove(&mut self, id: &ChannelId) -> Option<Channel> {
        let channel = self.channels.remove(id)?;
        self.total_size = self.total_size.wrapping_sub(channel.size);
        self.ready -= usize::from(channel.is_ready());
        Some(channel)
    }

    /// Reads a channel that is complete: before Canyon the oldest only, from Canyon on the oldest
    /// of those that are.
    // spec: opstack 3.4 *3
    pub(crate) fn read(
        &mut self,
        chain: &ChainConfig,
        origin: &L1BlockRef,
        report: &mut Reporter<'_>,
    ) -> BankRead {
        let Some(first) = self.queue.front().copied() else {
            return BankRead::Nothing;
        };
        if self
            .channels
            .get(&first)
            .is_none_or(|channel| channel.is_timed_out(chain, origin))
        {
            self.queue.pop_front();
            self.remove(&first);
            report.drop(DropReason::ChannelTimedOut);
            return BankRead::TimedOut;
        }
        if self.ready == 0 {
            return BankRead::Nothing;
        }
        let candidates = if chain.active(Fork::Canyon, origin.timestamp) {
            self.queue.len()
        } else {
            1
        };
        let ready = self.queue.iter().take(candidates).position(|id| {
            self.channels
                .get(id)
                .is_some_and(|channel| channel.is_ready() && !channel.is_timed_out(chain, origin))
        });
        ready
            .and_then(|position| self.queue.remove(position))
            .and_then(|id| self.remove(&id))
            .map_or(BankRead::Nothing, |channel| {
                BankRead::Channel(channel.into_data())
            })
    }

    /// Number of open channels.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
pub(crate) mod tests;

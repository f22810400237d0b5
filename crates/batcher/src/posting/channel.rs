//! A channel: its bytes, the frames that were cut of them, and the transactions that carry these.

use super::{Capacity, Sending};
use crate::{
    action::{Payload, TxId},
    options::DaKind,
    route::Stage,
};
use alloy_primitives::Bytes;
use core::ops::{Range, RangeInclusive};
use doppio_protocol::frame::{ChannelId, FRAME_OVERHEAD, Frame, encode_frames};
use std::collections::BTreeSet;

/// A channel that is not safe yet.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    pub(crate) blocks: RangeInclusive<u64>,
    pub(crate) data: Bytes,
    /// Whether the batches of it that come in time count, even if others do not.
    pub(crate) is_separable: bool,
    /// Where it goes; chosen with its first frame.
    pub(crate) kind: Option<DaKind>,
    /// Where each frame ends that was cut. A frame that was sent once stays as it is: L1 may have it.
    pub(super) ends: Vec<usize>,
    /// The frame that is sent next.
    pub(super) next_frame: usize,
    /// The transactions that are not known to have failed, in the order of their frames.
    pub(super) units: Vec<Unit>,
    /// Whether anything of it was ever sent.
    pub(crate) has_begun: bool,
    /// Its frames are too far apart on L1: what is there is of no use.
    pub(super) is_void: bool,
    /// Whether it was told that L1 has all of it.
    pub(super) is_complete_said: bool,
}

/// A transaction of a channel.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) id: TxId,
    pub(super) frames: Range<usize>,
    pub(super) stage: Stage,
}

impl Channel {
    pub(super) const fn new(
        id: ChannelId,
        blocks: RangeInclusive<u64>,
        data: Bytes,
        is_separable: bool,
    ) -> Self {
        Self {
            id,
            blocks,
            data,
            is_separable,
            kind: None,
            ends: Vec::new(),
            next_frame: 0,
            units: Vec::new(),
            has_begun: false,
            is_void: false,
            is_complete_said: false,
        }
    }

    /// Whether all of it was sent.
    pub(crate) fn is_sent(&self) -> bool {
        self.next_frame == self.ends.len() && self.cut() == self.data.len()
    }

    /// Bytes that are cut into frames.
    fn cut(&self) -> usize {
        self.ends.last().copied().unwrap_or_default()
    }

    /// Frames from the first on that L1 has, in their order.
    pub(super) fn included(&self) -> usize {
        let mut next = 0;
        for unit in &self.units {
            if unit.frames.start != next || !matches!(unit.stage, Stage::Included(_)) {
                break;
            }
            next = unit.frames.end;
        }
        next
    }

    /// Whether L1 has all of it.
    pub(super) fn is_complete(&self) -> bool {
        self.is_sent() && self.included() == self.ends.len()
    }

    /// The lowest and the highest L1 block with a frame of it; none if there is none.
    // spec: opstack 7.3
    pub(super) fn inclusion(&self) -> Option<(u64, u64)> {
        let numbers = self.units.iter().filter_map(|unit| match unit.stage {
            Stage::Included(number) => Some(number),
            Stage::Sent => None,
        });
        let lowest = numbers.clone().min()?;
        Some((lowest, numbers.max()?))
    }

    /// Whether its frames are too far apart, or will be: the ones that are missing come after `tip`.
    // spec: opstack 7.3
    pub(super) fn has_timed_out(&self, tip: Option<u64>, timeout: u64) -> bool {
        self.inclusion().is_some_and(|(lowest, highest)| {
            highest.max(tip.unwrap_or_default()) - lowest >= timeout
        })
    }

    /// Begins anew under another name.
    pub(super) fn restart(&mut self, id: ChannelId) {
        self.id = id;
        self.kind = None;
        self.ends.clear();
        self.next_frame = 0;
        self.units.clear();
        self.is_void = false;
        self.is_complete_said = false;
    }

    /// Goes on from a frame.
    pub(super) fn resume(&mut self, frame: usize) {
        self.units.retain(|unit| unit.frames.end <= frame);
        self.next_frame = frame;
        self.is_complete_said = false;
    }

    fn frame(&self, number: usize) -> Option<Frame> {
        let start = match number.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        let end = *self.ends.get(number)?;
        Some(Frame {
            id: self.id,
            number: u16::try_from(number).ok()?,
            data: self.data.slice(start..end),
            is_last: end == self.data.len(),
        })
    }

    /// Cuts a further frame.
    fn cut_frame(&mut self, max_frame_size: usize) {
        let room = max_frame_size.saturating_sub(FRAME_OVERHEAD).max(1);
        let end = self.cut().saturating_add(room).min(self.data.len());
        self.ends.push(end);
    }

    /// The frames of the next transaction.
    fn take_frames(&mut self, capacity: Capacity) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.len() < capacity.frames.max(1) && !self.is_sent() {
            if self.next_frame == self.ends.len() {
                self.cut_frame(capacity.max_frame_size);
            }
            let Some(frame) = self.frame(self.next_frame) else {
                break;
            };
            self.next_frame += 1;
            frames.push(frame);
        }
        frames
    }
}

/// The next transaction, before it is known what it can take.
#[derive(Debug)]
pub(crate) struct Next<'a> {
    pub(super) channel: &'a mut Channel,
    pub(super) id: TxId,
    pub(super) next_tx: &'a mut u64,
    pub(super) in_flight: &'a mut BTreeSet<TxId>,
}

impl Next<'_> {
    /// Where the channel goes; none if it has just begun.
    pub(crate) const fn kind(&self) -> Option<DaKind> {
        self.channel.kind
    }

    /// Sends it. None if there is no frame, which cannot be.
    // spec: opstack 7.6
    pub(crate) fn send(self, capacity: Capacity) -> Option<Sending> {
        let Self { channel, id, .. } = self;
        let first = channel.next_frame;
        let frames = channel.take_frames(capacity);
        let numbers = frames.first()?.number..=frames.last()?.number;
        let payload = match capacity.kind {
            DaKind::Calldata => Payload::Calldata(encode_frames(&frames)),
            DaKind::Blobs => {
                Payload::Blobs(frames.iter().map(|frame| encode_frames([frame])).collect())
            }
        };
        channel.kind = Some(capacity.kind);
        channel.has_begun = true;
        channel.units.push(Unit {
            id,
            frames: first..channel.next_frame,
            stage: Stage::Sent,
        });
        *self.next_tx += 1;
        self.in_flight.insert(id);
        Some(Sending {
            id,
            payload,
            channel: channel.id,
            frames: numbers,
            blocks: channel.blocks.clone(),
        })
    }
}

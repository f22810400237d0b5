//! Frames to channels, as far as the frames at hand tell.
//!
//! What came before the first item is not known. A channel whose first frames are missing is
//! therefore no error: it may have begun earlier.

use crate::tree::Missing;
use alloy_primitives::Bytes;
use doppio_derive::{DropReason, FrameOrder, FrameRefusal};
use doppio_protocol::{
    config::FRAME_SIZE_OVERHEAD,
    frame::{ChannelId, Frame},
};
use std::collections::{BTreeMap, HashMap};

/// Ranges of missing frames that are told.
const MAX_RANGES: usize = 16;

/// What the queue says of the frames of one item: which are left out, and why.
///
/// From Holocene on, what interrupts a channel is left out before any channel sees it. The queue
/// is empty whenever an item arrives, so that the item alone decides.
// spec: opstack 3.3
pub(crate) fn prune(frames: &[Frame]) -> Vec<Option<FrameOrder>> {
    let mut verdicts = vec![None; frames.len()];
    let mut kept: Vec<usize> = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        let offence = loop {
            let Some(last) = kept.last().copied() else {
                break None;
            };
            let before = &frames[last];
            if before.id == frame.id {
                break if before.is_last {
                    Some(FrameOrder::AfterLast)
                } else if before.number.wrapping_add(1) != frame.number {
                    Some(FrameOrder::NotContiguous)
                } else {
                    None
                };
            }
            if frame.number != 0 {
                break Some(FrameOrder::NotFirst);
            }
            if before.is_last {
                break None;
            }
            verdicts[last] = Some(FrameOrder::Unclosed);
            kept.pop();
        };
        if offence.is_none() {
            kept.push(index);
        }
        verdicts[index] = offence;
    }
    verdicts
}

/// A channel whose frames have come to an end.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) id: ChannelId,
    pub(crate) frames: u64,
    pub(crate) length: u64,
    /// The channel's bytes, or what is missing of it.
    pub(crate) data: Result<Vec<u8>, Missing>,
    /// Why derivation drops the whole channel.
    pub(crate) dropped: Option<DropReason>,
}

/// What became of a frame.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Why it is left out.
    pub(crate) refused: Option<DropReason>,
    /// Channels that it ends.
    pub(crate) ended: Vec<Gathered>,
}

/// Puts channels together.
#[derive(Debug)]
pub(crate) enum Assembly {
    /// From Holocene on.
    InOrder(Stage),
    /// Before.
    AnyOrder(Bank),
}

impl Assembly {
    /// `max_size` is the limit on one channel, in bytes of data and overhead.
    pub(crate) fn new(in_order: bool, max_size: u64) -> Self {
        if in_order {
            Self::InOrder(Stage {
                max_size,
                open: Open::Unknown,
            })
        } else {
            Self::AnyOrder(Bank::default())
        }
    }

    pub(crate) fn push(&mut self, frame: &Frame) -> Taken {
        match self {
            Self::InOrder(stage) => stage.push(frame),
            Self::AnyOrder(bank) => bank.push(frame),
        }
    }

    /// The channels that are still open.
    pub(crate) fn finish(self) -> Vec<Gathered> {
        match self {
            Self::InOrder(Stage {
                open: Open::Channel(channel),
                ..
            }) => vec![channel.end()],
            Self::InOrder(_) => Vec::new(),
            Self::AnyOrder(bank) => bank.finish(),
        }
    }
}

/// One channel at a time.
// spec: opstack 3.5
#[derive(Debug)]
pub(crate) struct Stage {
    max_size: u64,
    open: Open,
}

#[derive(Debug)]
enum Open {
    /// Whether a channel is open, and which, was decided before the first item.
    Unknown,
    /// None is.
    Nothing,
    Channel(Box<Staged>),
}

#[derive(Debug)]
struct Staged {
    id: ChannelId,
    /// Number of its first frame that is there. If it is not 0, the channel began before the first
    /// item, if it is the open one at all.
    first: u16,
    next: u32,
    data: Vec<u8>,
    size: u64,
    is_closed: bool,
}

impl Stage {
    fn push(&mut self, frame: &Frame) -> Taken {
        let mut taken = Taken::default();
        let open = core::mem::replace(&mut self.open, Open::Unknown);
        let channel = match (open, frame.number) {
            (Open::Channel(before), 0) => {
                let certain = before.first == 0;
                let mut ended = before.end();
                ended.dropped = certain.then_some(DropReason::ChannelReplaced);
                taken.ended.push(ended);
                Staged::open(frame)
            }
            (Open::Channel(guess), _) if guess.first != 0 && guess.id != frame.id => {
                taken.ended.push(guess.end());
                Staged::open(frame)
            }
            (Open::Channel(channel), _) => channel,
            (Open::Unknown, _) | (Open::Nothing, 0) => Staged::open(frame),
            (Open::Nothing, _) => {
                self.open = Open::Nothing;
                taken.refused = Some(DropReason::FrameWithoutChannel);
                return taken;
            }
        };
        self.open = self.add(channel, frame, &mut taken);
        taken
    }

    fn add(&self, mut channel: Box<Staged>, frame: &Frame, taken: &mut Taken) -> Open {
        let number = u32::from(frame.number);
        let refusal = if frame.id != channel.id {
            Some(FrameRefusal::OtherChannel)
        } else if number < channel.next {
            Some(FrameRefusal::Duplicate)
        } else if number != channel.next {
            Some(FrameRefusal::NotNext)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            taken.refused = Some(DropReason::Frame(refusal));
            return Open::Channel(channel);
        }
        channel.next += 1;
        channel.size += frame.data.len() as u64 + FRAME_SIZE_OVERHEAD;
        channel.data.extend_from_slice(&frame.data);
        channel.is_closed = frame.is_last;
        let certain = channel.first == 0;
        let too_large = channel.size > self.max_size;
        if !too_large && !channel.is_closed {
            return Open::Channel(channel);
        }
        let mut ended = channel.end();
        ended.dropped = too_large.then_some(DropReason::ChannelTooLarge);
        taken.ended.push(ended);
        if certain {
            Open::Nothing
        } else {
            Open::Unknown
        }
    }
}

impl Staged {
    fn open(frame: &Frame) -> Box<Self> {
        Box::new(Self {
            id: frame.id,
            first: frame.number,
            next: frame.number.into(),
            data: Vec::new(),
            size: 0,
            is_closed: false,
        })
    }

    fn end(self) -> Gathered {
        let mut ranges = Vec::new();
        if let Some(last_missing) = self.first.checked_sub(1) {
            ranges.push((0, last_missing));
        }
        let end = !self.is_closed;
        Gathered {
            id: self.id,
            frames: u64::from(self.next) - u64::from(self.first),
            length: self.data.len() as u64,
            data: if end || !ranges.is_empty() {
                Err(Missing { ranges, end })
            } else {
                Ok(self.data)
            },
            dropped: None,
        }
    }
}

/// Several channels, their frames in any order.
// spec: opstack 3.4
#[derive(Debug, Default)]
pub(crate) struct Bank {
    channels: HashMap<ChannelId, Banked>,
    /// The ids, in the order in which channels were opened.
    order: Vec<ChannelId>,
}

#[derive(Debug, Default)]
struct Banked {
    frames: BTreeMap<u16, Bytes>,
    last: Option<u16>,
}

impl Bank {
    fn push(&mut self, frame: &Frame) -> Taken {
        let mut taken = Taken::default();
        let channel = self.channels.entry(frame.id).or_insert_with(|| {
            self.order.push(frame.id);
            Banked::default()
        });
        taken.refused = channel.add(frame).err().map(DropReason::Frame);
        if channel.is_complete()
            && let Some(channel) = self.channels.remove(&frame.id)
        {
            taken.ended.push(channel.end(frame.id));
        }
        taken
    }

    fn finish(mut self) -> Vec<Gathered> {
        let order = core::mem::take(&mut self.order);
        order
            .into_iter()
            .filter_map(|id| Some(self.channels.remove(&id)?.end(id)))
            .collect()
    }
}

impl Banked {
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
            self.frames.split_off(&frame.number);
        }
        self.frames.insert(frame.number, frame.data.clone());
        Ok(())
    }

    fn is_complete(&self) -> bool {
        // numbers are distinct and none is beyond the last, so counting is enough
        self.last
            .is_some_and(|last| self.frames.len() == usize::from(last) + 1)
    }

    fn end(self, id: ChannelId) -> Gathered {
        let mut ranges = Vec::new();
        let mut next = 0u32;
        for number in self.frames.keys().copied() {
            if u32::from(number) > next
                && ranges.len() < MAX_RANGES
                && let Ok(first) = u16::try_from(next)
            {
                ranges.push((first, number - 1));
            }
            next = u32::from(number) + 1;
        }
        let end = self.last.is_none();
        let length = self.frames.values().map(|piece| piece.len()).sum::<usize>();
        Gathered {
            id,
            frames: self.frames.len() as u64,
            length: length as u64,
            data: if end || !ranges.is_empty() {
                Err(Missing { ranges, end })
            } else {
                let mut data = Vec::with_capacity(length);
                self.frames
                    .into_values()
                    .for_each(|piece| data.extend_from_slice(&piece));
                Ok(data)
            },
            dropped: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule as the specification writes it: neighbours are compared from the front, one frame
    /// is removed at a time, until no pair offends. Gives the positions of the frames that stay.
    // spec: opstack 3.3 |1 |2
    fn prune_pairwise(frames: &[Frame]) -> Vec<usize> {
        let mut kept: Vec<usize> = (0..frames.len()).collect();
        let mut position = 0;
        while position + 1 < kept.len() {
            let (current, next) = (&frames[kept[position]], &frames[kept[position + 1]]);
            if current.id == next.id {
                if current.is_last || next.number != current.number.wrapping_add(1) {
                    kept.remove(position + 1);
                    continue;
                }
            } else if next.number != 0 {
                kept.remove(position + 1);
                continue;
            } else if !current.is_last {
                kept.remove(position);
                position = position.saturating_sub(1);
                continue;
            }
            position += 1;
        }
        kept
    }

    fn frame(id: u8, number: u16, is_last: bool) -> Frame {
        Frame {
            id: ChannelId::repeat_byte(id),
            number,
            data: Bytes::from(vec![id, number.to_be_bytes()[1]]),
            is_last,
        }
    }

    proptest! {
        #[test]
        fn pruning_equals_the_specifications_pairwise_rule(
            input in proptest::collection::vec((0u8..4, prop_oneof![0u16..5, Just(65535)], any::<bool>()), 0..24)
        ) {
            let frames: Vec<_> = input
                .into_iter()
                .map(|(id, number, is_last)| frame(id, number, is_last))
                .collect();
            let kept: Vec<usize> = prune(&frames)
                .iter()
                .enumerate()
                .filter(|(_, offence)| offence.is_none())
                .map(|(position, _)| position)
                .collect();
            prop_assert_eq!(kept, prune_pairwise(&frames));
        }

        #[test]
        fn before_holocene_any_order_of_frames_gives_the_channel(
            numbers in Just((0u16..12).collect::<Vec<_>>()).prop_shuffle()
        ) {
            let mut assembly = Assembly::new(false, u64::MAX);
            let mut ended = Vec::new();
            for number in &numbers {
                prop_assert!(ended.is_empty());
                let taken = assembly.push(&frame(1, *number, *number == 11));
                prop_assert_eq!(taken.refused, None);
                ended.extend(taken.ended);
            }
            prop_assert!(assembly.finish().is_empty());
            let expected: Vec<u8> = (0..12).flat_map(|number| [1, number]).collect();
            prop_assert_eq!(ended[0].data.as_ref(), Ok(&expected));
        }
    }

    fn push_all(in_order: bool, frames: &[Frame]) -> (Vec<Option<DropReason>>, Vec<Gathered>) {
        let mut assembly = Assembly::new(in_order, 1_000);
        let mut refused = Vec::new();
        let mut ended = Vec::new();
        for frame in frames {
            let taken = assembly.push(frame);
            refused.push(taken.refused);
            ended.extend(taken.ended);
        }
        ended.extend(assembly.finish());
        (refused, ended)
    }

    #[test]
    fn a_channel_that_began_before_the_data_is_no_error() {
        let frames = [frame(1, 3, false), frame(1, 4, true), frame(2, 7, false)];
        let (refused, ended) = push_all(true, &frames);
        assert_eq!(refused, [None, None, None]);
        let missing: Vec<_> = ended
            .iter()
            .map(|ended| ended.data.clone().unwrap_err())
            .collect();
        let expected = [(2, false), (6, true)].map(|(last, end)| Missing {
            ranges: vec![(0, last)],
            end,
        });
        assert_eq!(missing, expected);
        assert!(ended.iter().all(|ended| ended.dropped.is_none()));
    }

    #[test]
    fn frames_that_cannot_belong_to_the_open_channel_are_refused() {
        use FrameRefusal::{Duplicate, NotNext, OtherChannel};
        let frames = [
            frame(1, 0, false),
            frame(1, 2, false),
            frame(1, 1, false),
            frame(1, 1, false),
            frame(2, 2, false),
            frame(1, 2, true),
            frame(1, 3, true),
        ];
        let (refused, ended) = push_all(true, &frames);
        let refusal = |refusal| Some(DropReason::Frame(refusal));
        let expected = [
            None,
            refusal(NotNext),
            None,
            refusal(Duplicate),
            refusal(OtherChannel),
            None,
            Some(DropReason::FrameWithoutChannel),
        ];
        assert_eq!(refused, expected);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].data, Ok(vec![1, 0, 1, 1, 1, 2]));
    }

    #[test]
    fn a_first_frame_replaces_the_open_channel() {
        let (_, ended) = push_all(true, &[frame(1, 0, false), frame(2, 0, true)]);
        assert_eq!(ended[0].dropped, Some(DropReason::ChannelReplaced));
        assert_eq!(ended[1].data, Ok(vec![2, 0]));
    }

    #[test]
    fn a_channel_beyond_the_size_limit_is_dropped() {
        // 2 bytes of data and 200 of overhead for each frame; the limit is 1,000
        let frames: Vec<_> = (0..6).map(|number| frame(1, number, number == 5)).collect();
        let (refused, ended) = push_all(true, &frames);
        assert_eq!(ended[0].dropped, Some(DropReason::ChannelTooLarge));
        assert_eq!(ended[0].frames, 5);
        assert_eq!(refused[5], Some(DropReason::FrameWithoutChannel));
        let (refused, ended) = push_all(true, &frames[..4]);
        assert!(refused.iter().all(Option::is_none));
        assert_eq!(ended[0].dropped, None);
    }

    #[test]
    fn before_holocene_a_bank_refuses_what_its_channel_has_no_place_for() {
        use FrameRefusal::{BeyondLast, Duplicate, SecondLast};
        let frames = [
            frame(1, 4, false),
            frame(1, 2, true),
            frame(1, 3, true),
            frame(1, 2, false),
            frame(1, 4, false),
            frame(1, 0, false),
        ];
        let (refused, ended) = push_all(false, &frames);
        let refusal = |refusal| Some(DropReason::Frame(refusal));
        let expected = [
            None,
            None,
            refusal(SecondLast),
            refusal(Duplicate),
            refusal(BeyondLast),
            None,
        ];
        assert_eq!(refused, expected);
        // frame 4 went when frame 2 closed the channel
        assert_eq!(ended[0].frames, 2);
        let missing = Missing {
            ranges: vec![(1, 1)],
            end: false,
        };
        assert_eq!(ended[0].data, Err(missing));
    }
}

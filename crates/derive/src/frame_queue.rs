//! Frames of the L1 block that is read, in order.

use crate::drops::{DropReason, FrameOrder, Reporter};
use doppio_protocol::frame::Frame;
use std::collections::VecDeque;

/// Frames that no channel has taken yet.
// spec: opstack 3.3
#[derive(Clone, Debug, Default)]
pub(crate) struct FrameQueue {
    frames: VecDeque<Frame>,
}

impl FrameQueue {
    /// Appends the frames of one inbox item. Under Holocene the queue is then pruned: what
    /// interrupts a channel is left out before any channel sees it.
    // spec: opstack 3.3
    pub(crate) fn push(&mut self, frames: Vec<Frame>, holocene: bool, report: &mut Reporter<'_>) {
        if !holocene {
            self.frames.extend(frames);
            return;
        }
        // The queue is in order, so only pairs from the last old frame on can offend.
        for frame in frames {
            self.push_in_order(frame, report);
        }
    }

    /// Appends a frame if it continues the queue; a frame that begins a channel removes the open
    /// channel before it.
    ///
    /// The specification prunes pairs of neighbours until none offends. Appending one frame at a
    /// time to a queue that is in order gives the same result without looking back further than
    /// the channel that is open.
    // spec: opstack 3.3 |1 |2, opstack-2026-09 3.1 *2
    fn push_in_order(&mut self, frame: Frame, report: &mut Reporter<'_>) {
        while let Some(last) = self.frames.back() {
            let offence = if last.id == frame.id {
                if last.is_last {
                    Some(FrameOrder::AfterLast)
                // the reference's 16-bit sum wraps: frame 0 follows frame 65,535
                } else if last.number.wrapping_add(1) != frame.number {
                    Some(FrameOrder::NotContiguous)
                } else {
                    None
                }
            } else if frame.number != 0 {
                Some(FrameOrder::NotFirst)
            } else if !last.is_last {
                self.frames.pop_back();
                report.drop(DropReason::FrameOrder(FrameOrder::Unclosed));
                continue;
            } else {
                None
            };
            if let Some(offence) = offence {
                report.drop(DropReason::FrameOrder(offence));
                return;
            }
            break;
        }
        self.frames.push_back(frame);
    }

    pub(crate) fn pop(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets all frames; returns how many there were.
    pub(crate) fn clear(&mut self) -> usize {
        let count = self.frames.len();
        self.frames.clear();
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drops::DropLog;
    use doppio_protocol::{BlockId, frame::ChannelId};
    use proptest::prelude::*;

    /// A frame written as in the reference's tests: channel letter, number, `!` if last.
    fn frame(text: &str) -> Frame {
        let is_last = text.ends_with('!');
        let text = text.trim_end_matches('!');
        Frame {
            id: ChannelId::repeat_byte(text.as_bytes()[0]),
            number: text[1..].parse().unwrap(),
            is_last,
            ..Frame::default()
        }
    }

    fn frames(text: &str) -> Vec<Frame> {
        text.split_whitespace().map(frame).collect()
    }

    /// The queue after one item, and how many frames were dropped.
    fn push(frames: Vec<Frame>, holocene: bool) -> (Vec<Frame>, usize) {
        let (mut queue, mut log) = (FrameQueue::default(), DropLog::default());
        queue.push(
            frames,
            holocene,
            &mut Reporter::new(&mut log, BlockId::default()),
        );
        (queue.frames.into(), log.take().len())
    }

    fn pruned(text: &str) -> Vec<Frame> {
        push(frames(text), true).0
    }

    macro_rules! prunes {
        ($($name:ident: $input:literal => $expected:literal;)*) => {$(
            #[test]
            fn $name() {
                assert_eq!(pruned($input), frames($expected));
            }
        )*};
    }

    // opstack 11 B, by the reference's names
    prunes! {
        empty: "" => "";
        one: "a2" => "a2";
        one_last: "a2!" => "a2!";
        last_new: "a2! b0" => "a2! b0";
        last_ooo: "a2! b1" => "a2!";
        middle_lastooo: "b1 a2!" => "b1";
        middle_first: "b1 a0" => "a0";
        last_first: "b1! a0" => "b1! a0";
        last_ooo_same_channel: "b1! b2" => "b1!";
        ooo: "b1 b3" => "b1";
        other_ooo: "b1 c3" => "b1";
        other_ooo_last: "b1 c3 b2!" => "b1 b2!";
        ooo_resubmit: "b1 b3! b2 b3!" => "b1 b2 b3!";
        first_discards_multiple: "c0 c1 c2 d0 c3!" => "d0";
        complex: "b1 b2! a0 c1! a1 a2! c0 c1 d0 c2! e0" => "b1 b2! a0 a1 a2! e0";
        // the names of kona's twins that are not the same inputs
        holocene_valid_frames: "a0 a1 a2!" => "a0 a1 a2!";
        holocene_unordered_frames: "a0! a1 a2" => "a0!";
        holocene_non_sequential_frames: "a0 a1 a3!" => "a0 a1";
        holocene_unclosed_channel: "a0 a1 b0 b1!" => "b0 b1!";
        holocene_unstarted_channel: "a0 a1 b1 b2!" => "a0 a1";
        holocene_unclosed_channel_with_invalid_start: "a0 b1 b2!" => "a0";
        holocene_replace_channel: "a0 a1 b0! a2!" => "b0!";
        holocene_interleaved_invalid_channel: "a0 b0 a1! b1!" => "b0 b1!";
        holocene_interleaved_valid_channel: "a0 a1! b0 b1!" => "a0 a1! b0 b1!";
        // field I41, optimism 22833: a channel id used again inside one L1 block
        channel_id_reuse: "a0! b0! a0 c0!" => "a0! b0! c0!";
        frame_numbers_wrap: "a65535 a0" => "a65535 a0";
    }

    #[test]
    fn before_holocene_nothing_is_pruned() {
        let input = frames("b1 b3! a0 a0");
        assert_eq!(push(input.clone(), false), (input, 0));
    }

    /// The specification's own wording: compare neighbours until no pair offends.
    fn prune_pairwise(mut frames: Vec<Frame>) -> Vec<Frame> {
        let mut i = 0;
        while i + 1 < frames.len() {
            let (current, next) = (&frames[i], &frames[i + 1]);
            if current.id == next.id {
                if current.is_last || next.number != current.number.wrapping_add(1) {
                    frames.remove(i + 1);
                    continue;
                }
            } else if next.number != 0 {
                frames.remove(i + 1);
                continue;
            } else if !current.is_last {
                frames.remove(i);
                i = i.saturating_sub(1);
                continue;
            }
            i += 1;
        }
        frames
    }

    proptest! {
        #[test]
        fn pruning_equals_the_specifications_pairwise_rule(
            input in proptest::collection::vec((0u8..4, prop_oneof![0u16..5, Just(65535)], any::<bool>()), 0..24)
        ) {
            let frames: Vec<_> = input
                .into_iter()
                .map(|(id, number, is_last)| Frame {
                    id: ChannelId::repeat_byte(id),
                    number,
                    is_last,
                    ..Frame::default()
                })
                .collect();
            let (kept, dropped) = push(frames.clone(), true);
            prop_assert_eq!(kept.len() + dropped, frames.len());
            prop_assert_eq!(kept, prune_pairwise(frames));
        }
    }
}

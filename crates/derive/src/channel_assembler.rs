//! Channels from Holocene on: one at a time, its frames in order.

use crate::{
    channel_bank::{FrameData, FrameRefusal, frame_data, frame_size, is_timed_out, join},
    drops::{DropReason, Reporter},
};
use core::cmp::Ordering;
use doppio_protocol::{
    L1BlockRef,
    config::ChainConfig,
    frame::{ChannelId, Frame},
};

/// The channel that is being put together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StagingChannel {
    id: ChannelId,
    opened_at: u64,
    /// Data of the frames so far.
    frames: Vec<FrameData>,
    /// Data and overhead of all frames.
    size: u64,
}

/// The channel assembler.
// spec: opstack 3.5
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChannelAssembler {
    staging: Option<StagingChannel>,
}

impl ChannelAssembler {
    /// Forgets the open channel if it can no longer be completed at `origin`.
    // spec: opstack 3.5
    pub(crate) fn check_timeout(
        &mut self,
        chain: &ChainConfig,
        origin: &L1BlockRef,
        report: &mut Reporter<'_>,
    ) {
        let timed_out = self
            .staging
            .as_ref()
            .is_some_and(|channel| is_timed_out(chain, channel.opened_at, origin));
        if timed_out {
            self.staging = None;
            report.drop(DropReason::ChannelTimedOut);
        }
    }

    /// Takes a frame; returns the channel's bytes if the frame completes it.
    // spec: opstack 3.5
    pub(crate) fn push(
        &mut self,
        chain: &ChainConfig,
        origin: &L1BlockRef,
        frame: &Frame,
        report: &mut Reporter<'_>,
    ) -> Option<Vec<u8>> {
        if frame.number == 0 {
            if self.staging.is_some() {
                report.drop(DropReason::ChannelReplaced);
            }
            self.staging = Some(StagingChannel {
                id: frame.id,
                opened_at: origin.number,
                frames: Vec::new(),
                size: 0,
            });
        }
        let Some(channel) = &mut self.staging else {
            report.drop(DropReason::FrameWithoutChannel);
            return None;
        };
        if let Err(refusal) = channel.add(frame) {
            report.drop(DropReason::Frame(refusal));
            return None;
        }
        // spec: opstack 2.8 |3
        if channel.size > chain.max_rlp_bytes_per_channel(origin.timestamp) {
            self.staging = None;
            report.drop(DropReason::ChannelTooLarge);
            return None;
        }
        if frame.is_last {
            self.staging.take().map(|channel| join(channel.frames))
        } else {
            None
        }
    }

    /// Forgets the open channel; says whether there was one.
    pub(crate) fn flush(&mut self) -> bool {
        self.staging.take().is_some()
    }
}

impl StagingChannel {
    /// Frames must come one by one: an implementation that also takes them out of order completes
    /// channels that this one never does.
    fn add(&mut self, frame: &Frame) -> Result<(), FrameRefusal> {
        if frame.id != self.id {
            return Err(FrameRefusal::OtherChannel);
        }
        match usize::from(frame.number).cmp(&self.frames.len()) {
            Ordering::Less => return Err(FrameRefusal::Duplicate),
            Ordering::Greater => return Err(FrameRefusal::NotNext),
            Ordering::Equal => {}
        }
        self.size += frame_size(&frame.data);
        self.frames.push(frame_data(frame));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batch_check::tests::chain,
        channel_bank::tests::{at, frame},
        drops::DropLog,
    };
    use doppio_protocol::{BlockId, config::Fork};
    use proptest::prelude::*;

    /// An assembler and what it reports.
    struct Stage {
        chain: ChainConfig,
        assembler: ChannelAssembler,
        log: DropLog,
    }

    impl Stage {
        fn new() -> Self {
            let mut chain = chain();
            chain.rollup.forks.granite = Some(0);
            Self {
                chain,
                assembler: ChannelAssembler::default(),
                log: DropLog::default(),
            }
        }

        /// What the next channel is, if these are the next frames.
        fn next_channel(&mut self, origin: u64, frames: &[Frame]) -> Option<Vec<u8>> {
            let origin = at(origin);
            let report = &mut Reporter::new(&mut self.log, BlockId::default());
            self.assembler.check_timeout(&self.chain, &origin, report);
            let channel = frames
                .iter()
                .find_map(|frame| self.assembler.push(&self.chain, &origin, frame, report));
            // the reference's invariant: it never holds a channel that is ready
            assert!(channel.is_none() || self.assembler.staging.is_none());
            channel
        }

        /// The letter of the open channel.
        fn open(&self) -> Option<char> {
            self.assembler
                .staging
                .as_ref()
                .map(|channel| char::from(channel.id[0]))
        }

        fn reasons(&mut self) -> Vec<DropReason> {
            self.log
                .take()
                .into_iter()
                .map(|drop| drop.reason)
                .collect()
        }
    }

    /// One step of a case: frames, the channel they give, the one that is open after them.
    type Step<'a> = (&'a [&'a str], Option<&'a str>, Option<char>);

    #[track_caller]
    fn steps(steps: &[Step<'_>]) -> Vec<DropReason> {
        let mut stage = Stage::new();
        for (frames, channel, open) in steps {
            let frames: Vec<_> = frames.iter().map(|text| frame(text)).collect();
            let found = stage.next_channel(0, &frames);
            assert_eq!(found.as_deref(), channel.map(str::as_bytes), "{frames:?}");
            assert_eq!(stage.open(), *open, "{frames:?}");
        }
        stage.reasons()
    }

    // opstack 11 C, TestChannelStage_NextData

    #[test]
    fn simple() {
        assert_eq!(steps(&[(&["a:0:first!"], Some("first"), None)]), []);
    }

    #[test]
    fn simple_two() {
        let frames = ["a:0:first", "a:1:second!"];
        assert_eq!(steps(&[(&frames, Some("firstsecond"), None)]), []);
    }

    #[test]
    fn drop_other() {
        let reasons = steps(&[
            (&["a:0:first", "b:1:foo"], None, Some('a')),
            (&["a:1:second", "c:1:bar!"], None, Some('a')),
            (&["a:2:third!"], Some("firstsecondthird"), None),
        ]);
        let refused = vec![DropReason::Frame(FrameRefusal::OtherChannel); 2];
        assert_eq!(reasons, refused);
    }

    #[test]
    fn drop_non_first() {
        let reasons = steps(&[(&["a:1:foo"], None, None)]);
        assert_eq!(reasons, [DropReason::FrameWithoutChannel]);
    }

    #[test]
    fn first_discards() {
        let reasons = steps(&[
            (&["b:0:foo"], None, Some('b')),
            (&["a:0:first!"], Some("first"), None),
        ]);
        assert_eq!(reasons, [DropReason::ChannelReplaced]);
    }

    /// A first frame also replaces its own channel, which begins anew.
    #[test]
    fn first_frame_again() {
        let reasons = steps(&[
            (&["a:0:foo", "a:1:bar", "a:0:FOO"], None, Some('a')),
            (&["a:1:BAR!"], Some("FOOBAR"), None),
        ]);
        assert_eq!(reasons, [DropReason::ChannelReplaced]);
    }

    #[test]
    fn already_closed() {
        let reasons = steps(&[
            (&["a:0:foo"], None, Some('a')),
            (&["a:1:bar!"], Some("foobar"), None),
            (&["a:2:baz!"], None, None),
        ]);
        assert_eq!(reasons, [DropReason::FrameWithoutChannel]);
    }

    // opstack 11 C, TestFrameValidity

    /// The sizes that a channel has after each frame, and what frames were refused for.
    fn sizes(frames: &[&str]) -> (Vec<u64>, Vec<FrameRefusal>) {
        let mut channel = StagingChannel {
            id: frame("a:0:").id,
            opened_at: 0,
            frames: Vec::new(),
            size: 0,
        };
        let mut refused = Vec::new();
        let sizes = frames.iter().map(|text| {
            refused.extend(channel.add(&frame(text)).err());
            channel.size
        });
        (sizes.collect(), refused)
    }

    #[test]
    fn wrong_channel() {
        let refused = vec![FrameRefusal::OtherChannel];
        assert_eq!(sizes(&["b:0:"]), (vec![0], refused));
    }

    #[test]
    fn holocene_non_first() {
        let refused = vec![FrameRefusal::NotNext];
        assert_eq!(sizes(&["a:2:four"]), (vec![0], refused));
    }

    #[test]
    fn holocene_out_of_order() {
        let refused = vec![FrameRefusal::NotNext];
        assert_eq!(
            sizes(&["a:0:four", "a:2:seven__"]),
            (vec![204, 204], refused)
        );
    }

    #[test]
    fn holocene_in_order() {
        let frames = ["a:0:four", "a:1:seven__", "a:2:2_!"];
        assert_eq!(sizes(&frames), (vec![204, 411, 613], vec![]));
    }

    // opstack 3.5

    /// kona's assembler once completed such channels (optimism 20011).
    #[test]
    fn frames_out_of_order_never_complete_a_channel() {
        let reasons = steps(&[
            (&["a:0:foo"], None, Some('a')),
            (&["a:2:baz!"], None, Some('a')),
            (&["a:1:bar"], None, Some('a')),
        ]);
        assert_eq!(reasons, [DropReason::Frame(FrameRefusal::NotNext)]);
    }

    #[test]
    fn a_repeated_frame_is_refused_and_the_channel_goes_on() {
        let reasons = steps(&[
            (&["a:0:foo", "a:1:bar", "a:1:BAR"], None, Some('a')),
            (&["a:2:baz!"], Some("foobarbaz"), None),
        ]);
        assert_eq!(reasons, [DropReason::Frame(FrameRefusal::Duplicate)]);
    }

    /// Numbers have 16 bits, and do not begin again.
    #[test]
    fn the_largest_number_of_frames() {
        let mut stage = Stage::new();
        let mut frames: Vec<_> = (0..=u16::MAX)
            .map(|number| Frame {
                number,
                ..frame("a:0:")
            })
            .collect();
        frames.push(frame("a:1:x"));
        // 65,536 frames without data count for 13,107,200 bytes
        stage.chain.rollup.forks.fjord = Some(0);
        assert_eq!(stage.next_channel(0, &frames), None);
        let refused = [DropReason::Frame(FrameRefusal::Duplicate)];
        assert_eq!(stage.reasons(), refused);
        assert_eq!(stage.next_channel(0, &[frame("a:0:x!")]), Some(vec![b'x']));
    }

    // max-size, oversized; kona's size_limit_exceeded_bedrock and _fjord
    #[test]
    fn a_channel_may_have_the_limit_and_not_a_byte_more() {
        for (fjord, limit) in [(None, 10_000_000), (Some(0), 100_000_000)] {
            let mut stage = Stage::new();
            stage.chain.rollup.forks.set(Fork::Fjord, fjord);
            let mut complete_with = |text| {
                stage.next_channel(0, &[frame("a:0:foo")]);
                // as if the first frame had been so large, at no cost
                stage.assembler.staging.as_mut().unwrap().size = limit - 210;
                let channel = stage.next_channel(0, &[frame(text), frame("a:2:x!")]);
                (channel, stage.open(), stage.reasons())
            };
            let (channel, _, reasons) = complete_with("a:1:0123456789!");
            assert_eq!(channel.as_deref(), Some(&b"foo0123456789"[..]));
            assert_eq!(reasons, []);
            let (channel, open, reasons) = complete_with("a:1:0123456789x!");
            assert_eq!((channel, open), (None, None));
            let expected = [DropReason::ChannelTooLarge, DropReason::FrameWithoutChannel];
            assert_eq!(reasons, expected);
        }
    }

    // TestChannelStage_NextData_Timeout
    #[test]
    fn a_channel_is_dropped_once_the_l1_origin_is_beyond_its_timeout() {
        let mut stage = Stage::new();
        assert_eq!(stage.next_channel(0, &[frame("a:0:foo")]), None);
        assert_eq!(stage.next_channel(50, &[frame("a:1:bar")]), None);
        assert_eq!(stage.open(), Some('a'));
        assert_eq!(stage.reasons(), []);
        assert_eq!(stage.next_channel(51, &[frame("a:2:baz!")]), None);
        assert_eq!(stage.open(), None);
        let expected = [DropReason::ChannelTimedOut, DropReason::FrameWithoutChannel];
        assert_eq!(stage.reasons(), expected);
    }

    /// The timeout is the configuration's before Granite, by the time of the L1 origin.
    #[test]
    fn the_timeout_is_that_of_the_l1_origins_time() {
        for (granite, timeout) in [(None, 10), (Some(12 * 40), 10), (Some(12 * 10), 50)] {
            let mut stage = Stage::new();
            stage.chain.rollup.forks.granite = granite;
            let opened = 3;
            stage.next_channel(opened, &[frame("a:0:foo")]);
            assert_eq!(stage.next_channel(opened + timeout, &[]), None);
            assert_eq!(stage.open(), Some('a'), "{granite:?}");
            assert_eq!(stage.next_channel(opened + timeout + 1, &[]), None);
            assert_eq!(stage.open(), None, "{granite:?}");
        }
    }

    #[test]
    fn flushing_says_whether_there_was_a_channel() {
        let mut stage = Stage::new();
        assert!(!stage.assembler.flush());
        stage.next_channel(0, &[frame("a:0:foo")]);
        assert!(stage.assembler.flush());
        assert_eq!(stage.open(), None);
    }

    /// The frames that the specification would keep of a channel: those that each continue the
    /// newest first frame.
    fn model(frames: &[Frame]) -> Vec<Vec<u8>> {
        let mut channels = Vec::new();
        let mut open: Option<Vec<&Frame>> = None;
        for frame in frames {
            let mut kept = match open.take() {
                Some(kept) if frame.number != 0 => kept,
                None if frame.number != 0 => continue,
                _ => Vec::new(),
            };
            let fits = kept.first().is_none_or(|first| first.id == frame.id)
                && usize::from(frame.number) == kept.len();
            if fits {
                kept.push(frame);
            }
            if fits && frame.is_last {
                channels.push(kept.iter().flat_map(|frame| frame.data.to_vec()).collect());
            } else {
                open = Some(kept);
            }
        }
        channels
    }

    proptest! {
        #[test]
        fn channels_are_those_of_the_model(
            frames in proptest::collection::vec((0u8..3, 0u16..4, 0u8..8, any::<bool>()), 0..40)
        ) {
            let frames: Vec<_> = frames
                .into_iter()
                .map(|(id, number, byte, is_last)| Frame {
                    id: ChannelId::repeat_byte(id),
                    number,
                    data: vec![byte; usize::from(byte)].into(),
                    is_last,
                })
                .collect();
            let mut stage = Stage::new();
            let channels: Vec<_> = frames
                .iter()
                .filter_map(|frame| stage.next_channel(0, core::slice::from_ref(frame)))
                .collect();
            prop_assert_eq!(channels, model(&frames));
        }
    }
}

//! Channels from Holocene on: one at a time, its frames in order.

use crate::{
    channel_bank::{FrameRefusal, frame_size, is_timed_out},
    drops::{DropReason, Reporter},
};
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
    next_frame: u32,
    data: Vec<u8>,
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
                next_frame: 0,
                data: Vec::new(),
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
        if channel.size > chain.max_rlp_bytes_per_channel(origin.timestamp) {
            self.staging = None;
            report.drop(DropReason::ChannelTooLarge);
            return None;
        }
        if frame.is_last {
            self.staging.take().map(|channel| channel.data)
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
        if u32::from(frame.number) < self.next_frame {
            return Err(FrameRefusal::Duplicate);
        }
        if u32::from(frame.number) != self.next_frame {
            return Err(FrameRefusal::NotNext);
        }
        self.next_frame += 1;
        self.size += frame_size(frame);
        self.data.extend_from_slice(&frame.data);
        Ok(())
    }
}

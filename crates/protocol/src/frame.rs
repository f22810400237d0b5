//! Frames: pieces of channels, as inbox transactions carry them.

use crate::commitment::DERIVATION_VERSION_0;
use alloy_primitives::{Bytes, FixedBytes};
use thiserror::Error;

/// Identifies a channel; chosen at random by the batcher.
pub type ChannelId = FixedBytes<16>;

/// Bytes of a frame beside its data.
// spec: opstack 2.4
pub const FRAME_OVERHEAD: usize = 16 + 2 + 4 + 1;

/// A piece of a channel.
// spec: opstack 2.4
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The channel.
    pub id: ChannelId,
    /// Position within the channel, from 0.
    pub number: u16,
    /// The piece.
    pub data: Bytes,
    /// Whether the channel ends with this frame.
    pub is_last: bool,
}

/// Why inbox data is not a sequence of frames. The whole item is dropped.
// spec: opstack 2.1 |1
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// No bytes at all.
    #[error("inbox data is empty")]
    Empty,
    /// A first byte that does not announce frames.
    // spec: opstack 2.1 |3
    #[error("derivation version {0:#04x} does not announce frames")]
    Version(u8),
    /// No frame behind the version byte.
    #[error("inbox data holds no frame")]
    NoFrames,
    /// A frame ends before its fields do.
    #[error("frame {index} is truncated")]
    Truncated {
        /// Position of the frame in the item.
        index: usize,
    },
    /// More data than the chain allows in a frame.
    #[error("frame {index} claims {length} bytes of data; the limit is {limit}")]
    TooLong {
        /// Position of the frame in the item.
        index: usize,
        /// What it claims.
        length: u32,
        /// What the chain allows.
        limit: u32,
    },
    /// `is_last` is neither 0 nor 1.
    #[error("frame {index} has {byte:#04x} as is_last")]
    IsLast {
        /// Position of the frame in the item.
        index: usize,
        /// The byte.
        byte: u8,
    },
}

/// Reads the frames of an inbox data item: version byte 0, then one frame or more, and nothing
/// after them.
// spec: opstack 2.1 |1, opstack 2.4
pub fn parse_frames(item: &Bytes, max_frame_len: u32) -> Result<Vec<Frame>, FrameError> {
    match item.first() {
        None => return Err(FrameError::Empty),
        Some(&DERIVATION_VERSION_0) => {}
        Some(&version) => return Err(FrameError::Version(version)),
    }
    let mut frames = Vec::new();
    let mut rest = item.slice(1..);
    while !rest.is_empty() {
        frames.push(next_frame(&mut rest, max_frame_len, frames.len())?);
    }
    if frames.is_empty() {
        Err(FrameError::NoFrames)
    } else {
        Ok(frames)
    }
}

// spec: opstack 2.4 |1 |2 |3 |4 |5
fn next_frame(rest: &mut Bytes, max_frame_len: u32, index: usize) -> Result<Frame, FrameError> {
    let truncated = FrameError::Truncated { index };
    let (id, tail) = rest.split_first_chunk::<16>().ok_or(truncated)?;
    let (number, tail) = tail.split_first_chunk().ok_or(truncated)?;
    let (length, tail) = tail.split_first_chunk().ok_or(truncated)?;
    let length = u32::from_be_bytes(*length);
    if length > max_frame_len {
        return Err(FrameError::TooLong {
            index,
            length,
            limit: max_frame_len,
        });
    }
    let (data, tail) = tail.split_at_checked(length as usize).ok_or(truncated)?;
    let is_last = match tail.first() {
        None => return Err(truncated),
        Some(0) => false,
        Some(1) => true,
        Some(&byte) => return Err(FrameError::IsLast { index, byte }),
    };
    let frame = Frame {
        id: ChannelId::from(id),
        number: u16::from_be_bytes(*number),
        data: rest.slice_ref(data),
        is_last,
    };
    *rest = rest.slice(FRAME_OVERHEAD + length as usize..);
    Ok(frame)
}

impl Frame {
    /// Appends the frame's encoding, without a version byte.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.id.as_slice());
        out.extend_from_slice(&self.number.to_be_bytes());
        let length = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        debug_assert_eq!(
            length as usize,
            self.data.len(),
            "no limit allows such a frame"
        );
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&self.data);
        out.push(u8::from(self.is_last));
    }

    /// Bytes of the frame's encoding.
    pub fn encoded_len(&self) -> usize {
        FRAME_OVERHEAD + self.data.len()
    }
}

/// Writes frames as an inbox data item.
pub fn encode_frames<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> Bytes {
    let mut out = vec![DERIVATION_VERSION_0];
    for frame in frames {
        frame.encode(&mut out);
    }
    out.into()
}

/// Why a channel cannot be cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SplitError {
    /// The frame size leaves no room for data.
    #[error("frames of {0} bytes leave no room for data behind their {FRAME_OVERHEAD} bytes")]
    FrameSize(usize),
    /// Frame numbers have 16 bits.
    #[error("the channel needs {0} frames; their numbers end at 65,535")]
    TooManyFrames(usize),
}

/// Cuts a channel into frames of at most `max_frame_size` encoded bytes; the last one is flagged.
pub fn split_channel(
    id: ChannelId,
    channel: &Bytes,
    max_frame_size: usize,
) -> Result<Vec<Frame>, SplitError> {
    let room = max_frame_size
        .checked_sub(FRAME_OVERHEAD)
        .filter(|room| *room > 0)
        .ok_or(SplitError::FrameSize(max_frame_size))?;
    let count = channel.len().div_ceil(room).max(1);
    let last = u16::try_from(count - 1).map_err(|_| SplitError::TooManyFrames(count))?;
    Ok((0..=last)
        .map(|number| {
            let start = usize::from(number) * room;
            let end = channel.len().min(start + room);
            Frame {
                id,
                number,
                data: channel.slice(start..end),
                is_last: number == last,
            }
        })
        .collect())
}

//! Blocks become a channel.

use alloy_primitives::Bytes;

/// Makes a channel of blocks. It is computing alone, for up to some seconds, so it can be done on
/// another thread: [`EncodeJob::run`] gives what the batcher is then told by
/// [`Event::Encoded`](crate::Event::Encoded).
#[derive(Clone, Debug)]
pub struct EncodeJob {
    pub(crate) id: u64,
}

/// What came of an [`EncodeJob`].
#[derive(Clone, Debug)]
pub struct Encoded {
    pub(crate) id: u64,
    /// The channel.
    pub(crate) channel: Bytes,
}

impl EncodeJob {
    /// Makes the channel.
    pub fn run(self) -> Encoded {
        Encoded {
            id: self.id,
            channel: Bytes::new(),
        }
    }
}

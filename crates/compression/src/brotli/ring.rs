//! The window of the most recent output.

/// Bytes past the end that may be written: the end of a dictionary word, or of a copy that is
/// done in steps of 16 bytes.
pub(super) const SLACK: usize = 64;

/// The output, in a buffer that is at most as large as the window of the stream.
///
/// Its size matters: when it is full, and as large as the window, op-node's decoder hands the
/// output out. As long as it is smaller, it grows with each meta-block that announces more data.
#[derive(Debug, Default)]
pub(super) struct Ring {
    pub(super) bytes: Vec<u8>,
    /// Size without the slack: a power of two, or zero at first.
    pub(super) size: usize,
    /// Where the next byte goes. Up to [`SLACK`] past the end for a moment.
    pub(super) at: usize,
    /// How often it was full.
    laps: u64,
    /// How much of the output was handed out.
    handed: u64,
}

impl Ring {
    /// The size that is wanted for `more` bytes in a stream with this window.
    pub(super) fn wanted(&self, window: usize, more: usize) -> usize {
        if self.size == window {
            return window;
        }
        let least = self.size.max(1024).max(self.at + more);
        let mut size = window;
        while size >> 1 >= least {
            size >>= 1;
        }
        size
    }

    /// Grows to `size`.
    pub(super) fn grow(&mut self, size: usize) {
        if size > self.size {
            let mut bytes = vec![0; size + SLACK];
            bytes[..self.at].copy_from_slice(&self.bytes[..self.at]);
            self.bytes = bytes;
            self.size = size;
        }
    }

    #[inline(always)]
    pub(super) const fn has_wrapped(&self) -> bool {
        self.laps > 0
    }

    #[inline(always)]
    pub(super) const fn is_full(&self) -> bool {
        self.at >= self.size
    }

    /// Bytes of the output that have not been handed out. Not those in the slack.
    pub(super) fn pending(&self) -> &[u8] {
        let end = self.at.min(self.size);
        let start = (self.handed - self.laps * self.size as u64) as usize;
        &self.bytes[start..end]
    }

    /// Marks bytes as handed out.
    pub(super) const fn hand_out(&mut self, count: usize) {
        self.handed += count as u64;
    }

    /// Starts over at the beginning, with what is in the slack.
    pub(super) fn wrap(&mut self) {
        self.at -= self.size;
        self.laps += 1;
        self.bytes.copy_within(self.size..self.size + self.at, 0);
    }

    /// The byte `back` bytes before the next one, or zero before the start.
    #[inline(always)]
    pub(super) fn byte_before(&self, back: usize) -> u8 {
        self.bytes[self.at.wrapping_sub(back) & (self.size - 1)]
    }

    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8) {
        self.bytes[self.at] = byte;
        self.at += 1;
    }
}

//! The window of the most recent output.

/// Bytes past the end that may be written: the end of a dictionary word, or of a copy that is
/// done in steps of 16 bytes.
const SLACK: usize = 64;

/// The output, in a buffer that is at most as large as the window of the stream.
///
/// Its size matters: when it is full, and as large as the window, op-node's decoder hands the
/// output out. As long as it is smaller, it grows with each meta-block that announces more data.
#[derive(Debug, Default)]
pub(super) struct Ring {
    bytes: Vec<u8>,
    /// Size without the slack: a power of two, or zero at first.
    size: usize,
    /// Where the next byte goes. Up to [`SLACK`] past the end for a moment.
    at: usize,
    /// How much of the output was handed out since the ring was last full.
    handed: usize,
    has_wrapped: bool,
}

impl Ring {
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// How many bytes of memory it holds.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Where the next byte goes.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

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
    pub(super) const fn is_full(&self) -> bool {
        self.at >= self.size
    }

    /// Bytes that fit until it is full.
    pub(super) const fn room(&self) -> usize {
        self.size.saturating_sub(self.at)
    }

    /// How far back a distance may reach, if the window allows `longest`.
    #[inline(always)]
    pub(super) fn reach(&self, longest: usize) -> usize {
        if self.has_wrapped {
            longest
        } else {
            self.at.min(longest)
        }
    }

    /// Bytes of the output that have not been handed out. Not those in the slack.
    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.handed..self.at.min(self.size)]
    }

    /// Marks bytes as handed out.
    pub(super) const fn hand_out(&mut self, count: usize) {
        self.handed += count;
    }

    /// Starts over at the beginning, with what is in the slack. All else must have been handed
    /// out.
    pub(super) fn wrap(&mut self) {
        self.at -= self.size;
        self.bytes.copy_within(self.size..self.size + self.at, 0);
        self.handed = 0;
        self.has_wrapped = true;
    }

    /// The last byte and the one before it; zero before the start.
    #[inline(always)]
    pub(super) fn last_two(&self) -> (u8, u8) {
        last_two(&self.bytes, self.size, self.at)
    }

    /// Appends bytes, of which all but [`SLACK`] must fit.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// Appends `count` bytes that `fill` writes.
    #[inline(always)]
    pub(super) fn push_with(&mut self, count: usize, fill: impl FnOnce(&mut [u8])) {
        fill(&mut self.bytes[self.at..self.at + count]);
        self.at += count;
    }

    /// Copies `count` bytes from `distance` back, but only until it is full. Returns how many are
    /// left.
    pub(super) fn copy(&mut self, distance: usize, count: usize) -> usize {
        let mut writer = self.writer();
        let is_done = writer.copy(distance, count);
        writer.finish();
        if is_done {
            return 0;
        }
        let now = count.min(self.room());
        for _ in 0..now {
            self.bytes[self.at] = self.bytes[self.at.wrapping_sub(distance) & (self.size - 1)];
            self.at += 1;
        }
        count - now
    }

    /// A writer, which keeps track of the position on its own.
    #[inline(always)]
    pub(super) fn writer(&mut self) -> Writer<'_> {
        Writer {
            bytes: &mut self.bytes,
            size: self.size,
            at: self.at,
            has_wrapped: self.has_wrapped,
            position: &mut self.at,
        }
    }
}

/// Writes to a ring that is not about to be full. What it has written counts only when
/// [`Writer::finish`] is called.
pub(super) struct Writer<'a> {
    bytes: &'a mut [u8],
    size: usize,
    at: usize,
    has_wrapped: bool,
    position: &'a mut usize,
}

impl Writer<'_> {
    #[inline(always)]
    pub(super) fn finish(self) {
        *self.position = self.at;
    }

    /// Whether the ring is not full after `count` more bytes.
    #[inline(always)]
    pub(super) const fn has_room(&self, count: usize) -> bool {
        self.at + count < self.size
    }

    /// How far back a distance may reach, if the window allows `longest`.
    #[inline(always)]
    pub(super) fn reach(&self, longest: usize) -> usize {
        if self.has_wrapped {
            longest
        } else {
            self.at.min(longest)
        }
    }

    /// The last byte and the one before it; zero before the start.
    #[inline(always)]
    pub(super) fn last_two(&self) -> (u8, u8) {
        last_two(self.bytes, self.size, self.at)
    }

    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8) {
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    /// Appends bytes, for which there must be room.
    #[inline(always)]
    pub(super) fn push_slice(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// Copies `count` bytes from `distance` back, if neither source nor target comes near the end
    /// of the ring. Otherwise does nothing and returns `false`.
    ///
    /// Copies in steps of 16 bytes, so up to 15 bytes past the copy change. Those are the oldest
    /// ones in the ring, which are too far away for any distance.
    #[inline(always)]
    pub(super) fn copy(&mut self, distance: usize, count: usize) -> bool {
        let to = self.at;
        let from = to.wrapping_sub(distance) & (self.size - 1);
        if !self.has_room(count) || from + count >= self.size {
            return false;
        }
        self.at += count;
        if distance < 16 {
            self.copy_near(from, to, count);
            return true;
        }
        self.copy_chunk::<16>(from, to);
        if count > 16 {
            for done in (16..count).step_by(16) {
                self.copy_chunk::<16>(from + done, to + done);
            }
        }
        true
    }

    /// The part to copy is shorter than 16 bytes.
    fn copy_near(&mut self, from: usize, to: usize, count: usize) {
        match to.wrapping_sub(from) {
            1 => {
                let byte = self.bytes[from];
                self.bytes[to..to + count].fill(byte);
            }
            8..16 => {
                for done in (0..count).step_by(8) {
                    self.copy_chunk::<8>(from + done, to + done);
                }
            }
            _ => {
                for done in 0..count {
                    self.bytes[to + done] = self.bytes[from + done];
                }
            }
        }
    }

    #[inline(always)]
    fn copy_chunk<const N: usize>(&mut self, from: usize, to: usize) {
        let mut chunk = [0; N];
        chunk.copy_from_slice(&self.bytes[from..from + N]);
        self.bytes[to..to + N].copy_from_slice(&chunk);
    }
}

/// The two bytes before `at`. The last two bytes of a ring are zero until they are written, so
/// there are two zeros before the start.
#[inline(always)]
fn last_two(bytes: &[u8], size: usize, at: usize) -> (u8, u8) {
    let before = |back| bytes[at.wrapping_sub(back) & (size - 1)];
    (before(1), before(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_follows_what_meta_blocks_announce() {
        let mut ring = Ring::default();
        assert_eq!(ring.wanted(1 << 22, 1), 1024);
        assert_eq!(ring.wanted(1 << 22, 1024), 1024);
        assert_eq!(ring.wanted(1 << 22, 1025), 2048);
        assert_eq!(ring.wanted(1 << 10, 5000), 1024);
        ring.grow(2048);
        ring.push(&[7; 2000]);
        assert_eq!(ring.wanted(1 << 22, 48), 2048);
        assert_eq!(ring.wanted(1 << 22, 49), 4096);
        assert_eq!(ring.wanted(2048, 1 << 20), 2048);
    }

    /// The window is 1024 bytes here, so the longest distance is 1008.
    #[test]
    fn copies_are_made_byte_by_byte_all_around_the_ring() {
        let mut ring = Ring::default();
        ring.grow(1024);
        let mut expected = Vec::new();
        let mut handed = Vec::new();
        let mut state = 1usize;
        for round in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695);
            let random = state >> 20;
            if round < 20 || random.is_multiple_of(4) {
                let byte = u8::try_from(random / 4 % 256).expect("below 256");
                ring.push(&[byte]);
                expected.push(byte);
            } else {
                let distance = match random / 4 % 3 {
                    0 => 1 + random / 12 % 20,
                    1 => 1008 - random / 12 % 40,
                    _ => 1 + random / 12 % 1008,
                };
                let distance = distance.min(expected.len());
                let mut left = 2 + random / 100_000 % 70;
                for _ in 0..left {
                    expected.push(expected[expected.len() - distance]);
                }
                loop {
                    left = ring.copy(distance, left);
                    if !ring.is_full() {
                        break;
                    }
                    handed.extend_from_slice(ring.pending());
                    ring.hand_out(ring.pending().len());
                    ring.wrap();
                }
                assert_eq!(left, 0);
            }
            if ring.is_full() {
                handed.extend_from_slice(ring.pending());
                ring.hand_out(ring.pending().len());
                ring.wrap();
            }
        }
        handed.extend_from_slice(ring.pending());
        assert_eq!(handed, expected);
    }

    #[test]
    fn there_are_two_zeros_before_the_start() {
        let mut ring = Ring::default();
        ring.grow(1024);
        assert_eq!(ring.last_two(), (0, 0));
        ring.push(&[5]);
        assert_eq!(ring.last_two(), (5, 0));
        ring.push(&[6]);
        assert_eq!(ring.last_two(), (6, 5));
    }
}

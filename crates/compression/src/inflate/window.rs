//! The 32 KiB of history that deflate may refer back to.

/// How far back a distance may reach; also how much output Go's decoder gathers before it hands
/// it out.
pub(super) const HISTORY: usize = 32768;
/// Two windows: the one being filled and the one before it.
const LAP: usize = 2 * HISTORY;
/// Longest match.
const LONGEST: usize = 258;
/// Copies may write up to this much past their end.
const SPILL: usize = 32;
/// A match, and up to two literals before it, may be written past the end of the lap.
const SIZE: usize = LAP + LONGEST + 2 + SPILL;

/// Output of the decoder. Two windows long and filled in laps, so that nothing has to be moved
/// when a window is full: the other half still holds the history.
#[derive(Debug)]
pub(super) struct Window {
    bytes: Box<[u8; SIZE]>,
    /// Where the next byte goes. May run past `goal` by the rest of one match.
    at: usize,
    /// Where the output starts that has not been handed out.
    handed: usize,
    /// End of the window being filled: [`HISTORY`] or [`LAP`].
    goal: usize,
    /// The bytes from `at` to the end of the lap are history too.
    lapped: bool,
}

impl Window {
    pub(super) fn new() -> Self {
        let bytes = vec![0; SIZE]
            .into_boxed_slice()
            .try_into()
            .expect("the size is the same");
        Self {
            bytes,
            at: 0,
            handed: 0,
            goal: HISTORY,
            lapped: false,
        }
    }

    /// Whether the window is full, which hands it out.
    #[inline(always)]
    pub(super) const fn is_full(&self) -> bool {
        self.at >= self.goal
    }

    /// Bytes that fit into the window.
    pub(super) const fn room(&self) -> usize {
        self.goal.saturating_sub(self.at)
    }

    /// The distance reaches further back than there is output.
    #[inline(always)]
    pub(super) const fn is_too_far(&self, distance: usize) -> bool {
        distance > self.at && !self.lapped
    }

    /// Hands out what has been gathered, at most to the end of the window. The bytes stay valid
    /// until more output is written.
    pub(super) fn hand_out(&mut self) -> std::ops::Range<usize> {
        let end = self.at.min(self.goal);
        let part = self.handed..end;
        self.handed = end;
        if end == self.goal {
            if end == LAP {
                // The start of the next window that has been written already.
                self.bytes.copy_within(LAP..self.at, 0);
                self.at -= LAP;
                self.handed = 0;
                self.goal = HISTORY;
                self.lapped = true;
            } else {
                self.goal = LAP;
            }
        }
        part
    }

    pub(super) fn bytes(&self, part: std::ops::Range<usize>) -> &[u8] {
        &self.bytes[part]
    }

    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8) {
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    pub(super) fn push_slice(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// A writer, which keeps track of the position on its own.
    #[inline(always)]
    pub(super) fn writer(&mut self) -> Writer<'_> {
        Writer {
            bytes: &mut self.bytes,
            at: self.at,
            goal: self.goal,
            lapped: self.lapped,
            position: &mut self.at,
        }
    }

    /// Repeats `length` bytes (at most 258) from `distance` (at most 32768) back.
    pub(super) fn repeat(&mut self, distance: usize, length: usize) {
        let mut writer = self.writer();
        writer.repeat(distance, length);
        writer.finish();
    }
}

/// Writes to a window. What it has written counts only when [`Writer::finish`] is called.
pub(super) struct Writer<'a> {
    bytes: &'a mut [u8; SIZE],
    at: usize,
    goal: usize,
    lapped: bool,
    position: &'a mut usize,
}

impl Writer<'_> {
    #[inline(always)]
    pub(super) fn finish(self) {
        *self.position = self.at;
    }

    #[inline(always)]
    pub(super) const fn has_room(&self) -> bool {
        self.at < self.goal
    }

    /// The distance reaches further back than there is output.
    #[inline(always)]
    pub(super) const fn is_too_far(&self, distance: usize) -> bool {
        distance > self.at && !self.lapped
    }

    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8) {
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    #[inline(always)]
    pub(super) fn push_row<const N: usize>(&mut self, row: [u8; N]) {
        self.bytes[self.at..self.at + N].copy_from_slice(&row);
        self.at += N;
    }

    #[inline(always)]
    pub(super) fn repeat(&mut self, distance: usize, length: usize) {
        let to = self.at;
        self.at += length;
        let from = if distance <= to {
            to - distance
        } else {
            to + LAP - distance
        };
        if from + length + 16 > LAP && distance > to {
            return self.repeat_around(from, to, length);
        }
        if distance >= 16 {
            let mut done = 0;
            loop {
                let chunk: [u8; 16] = *self.bytes[from + done..].first_chunk().expect("in bounds");
                self.bytes[to + done..to + done + 16].copy_from_slice(&chunk);
                done += 16;
                if done >= length {
                    break;
                }
            }
        } else {
            self.repeat_near(from, to, length);
        }
    }

    /// The part to repeat is shorter than 16 bytes.
    fn repeat_near(&mut self, from: usize, to: usize, length: usize) {
        let distance = to - from;
        if distance == 1 {
            let byte = self.bytes[from];
            self.bytes[to..to + length].fill(byte);
            return;
        }
        if distance >= 8 {
            for done in (0..length).step_by(8) {
                let chunk: [u8; 8] = *self.bytes[from + done..].first_chunk().expect("in bounds");
                self.bytes[to + done..to + done + 8].copy_from_slice(&chunk);
            }
            return;
        }
        for done in 0..length {
            self.bytes[to + done] = self.bytes[from + done];
        }
    }

    /// The part to repeat runs over the end of the lap.
    #[cold]
    fn repeat_around(&mut self, from: usize, to: usize, length: usize) {
        for done in 0..length {
            self.bytes[to + done] = self.bytes[(from + done) % LAP];
        }
    }
}

//! The output of deflate, with the 32 KiB of history that may be referred back to.

/// How far back a distance may reach; also how much output Go's decoder gathers before it hands
/// it out.
pub(super) const HISTORY: usize = 32768;
/// The buffer holds one window of history and room for two more, so that the history has to be
/// moved only after every second one.
const END: usize = 3 * HISTORY;
/// Longest match.
const LONGEST: usize = 258;
/// Literals that may be written without looking whether the window is full.
const UNCHECKED: usize = 6;
/// Copies may write up to this much past their end.
const SPILL: usize = 32;

/// The window.
#[derive(Debug)]
pub(super) struct Window {
    bytes: Box<[u8; Self::SIZE]>,
    /// Where the next byte goes. All bytes before it are output. May run past `goal` by what the
    /// inner loop writes without looking.
    at: usize,
    /// Where the output starts that has not been handed out.
    handed: usize,
    /// End of the window being filled, a multiple of [`HISTORY`].
    goal: usize,
}

impl Window {
    pub(super) const SIZE: usize = END + UNCHECKED + LONGEST + SPILL;

    pub(super) fn new() -> Self {
        Self {
            bytes: Box::new([0; Self::SIZE]),
            at: 0,
            handed: 0,
            goal: HISTORY,
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

    /// Hands out what has been gathered, at most to the end of the window. The bytes stay where
    /// they are until [`Window::make_room`] is called.
    pub(super) fn hand_out(&mut self) -> std::ops::Range<usize> {
        let part = self.handed..self.at.min(self.goal);
        self.handed = part.end;
        if self.is_full() {
            self.goal += HISTORY;
        }
        part
    }

    /// Drops old history when the end of the buffer has been reached.
    pub(super) fn make_room(&mut self) {
        if self.goal > END {
            let old = END - HISTORY;
            self.bytes.copy_within(old..self.at, 0);
            self.at -= old;
            self.handed -= old;
            self.goal -= old;
        }
    }

    pub(super) fn bytes(&self, part: std::ops::Range<usize>) -> &[u8] {
        &self.bytes[part]
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
            position: &mut self.at,
        }
    }
}

/// Writes to a window. What it has written counts only when [`Writer::finish`] is called.
pub(super) struct Writer<'a> {
    bytes: &'a mut [u8; Window::SIZE],
    at: usize,
    goal: usize,
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
        distance > self.at
    }

    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8) {
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    #[inline(always)]
    pub(super) fn push_row(&mut self, row: [u8; UNCHECKED]) {
        self.bytes[self.at..self.at + UNCHECKED].copy_from_slice(&row);
        self.at += UNCHECKED;
    }

    /// Repeats `length` bytes (at most 258) from `distance` (not too far) back.
    #[inline(always)]
    pub(super) fn repeat(&mut self, distance: usize, length: usize) {
        let to = self.at;
        let from = to - distance;
        self.at += length;
        if distance < 32 {
            return self.repeat_near(from, to, length);
        }
        self.copy_chunk::<32>(from, to);
        // Most matches are short.
        if length > 32 {
            for done in (32..length).step_by(32) {
                self.copy_chunk::<32>(from + done, to + done);
            }
        }
    }

    /// The part to repeat is shorter than 32 bytes.
    fn repeat_near(&mut self, from: usize, to: usize, length: usize) {
        match to - from {
            1 => {
                let byte = self.bytes[from];
                self.bytes[to..to + length].fill(byte);
            }
            16.. => {
                for done in (0..length).step_by(16) {
                    self.copy_chunk::<16>(from + done, to + done);
                }
            }
            8.. => {
                for done in (0..length).step_by(8) {
                    self.copy_chunk::<8>(from + done, to + done);
                }
            }
            _ => {
                for done in 0..length {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills a window with bytes that do not repeat soon.
    fn filled(count: usize) -> Window {
        let mut window = Window::new();
        let mut state = 1u32;
        let mut writer = window.writer();
        for _ in 0..count {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            writer.push((state >> 24).try_into().expect("eight bits are left"));
        }
        writer.finish();
        window
    }

    #[test]
    fn a_match_repeats_byte_by_byte() {
        for distance in (1..70).chain([257, 258, 259, 999, 1000]) {
            for length in (3..70).chain([128, 257, 258]) {
                let mut window = filled(1000);
                let mut expected = window.bytes(0..1000).to_vec();
                for _ in 0..length {
                    expected.push(expected[expected.len() - distance]);
                }
                let mut writer = window.writer();
                writer.repeat(distance, length);
                writer.finish();
                assert_eq!(window.bytes(0..window.at), expected, "{distance} {length}");
            }
        }
    }

    #[test]
    fn output_is_handed_out_in_windows_and_history_stays() {
        let mut window = Window::new();
        let mut handed = Vec::new();
        let mut expected = Vec::new();
        for round in 0..5000u32 {
            let byte = u8::try_from(round % 251).expect("below 251");
            let mut writer = window.writer();
            writer.push(byte);
            expected.push(byte);
            let distance = expected.len().min(HISTORY);
            writer.repeat(distance, 58);
            writer.finish();
            for _ in 0..58 {
                expected.push(expected[expected.len() - distance]);
            }
            if window.is_full() {
                let part = window.hand_out();
                assert_eq!(part.len(), HISTORY);
                handed.extend_from_slice(window.bytes(part));
                window.make_room();
            }
        }
        let part = window.hand_out();
        handed.extend_from_slice(window.bytes(part));
        assert_eq!(handed, expected);
    }

    #[test]
    fn a_distance_may_reach_the_first_byte_but_not_past_it() {
        let mut window = filled(5);
        assert!(!window.writer().is_too_far(5));
        assert!(window.writer().is_too_far(6));
    }
}

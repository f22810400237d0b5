//! Bits of a byte stream, lowest first, as deflate and brotli both read them.

/// A position in a compressed stream, with up to 64 bits taken ahead into a register.
///
/// The stream itself is not stored: it is passed to the calls that read from it, and it must
/// always be the same one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BitReader {
    /// The next bits of the stream. Bits above the first `count` are either zero or a correct
    /// preview of the bytes at `next`.
    pub(crate) bits: u64,
    /// How many bits of `bits` have been accounted for in `next`.
    pub(crate) count: u32,
    /// The first byte of the stream that is not (wholly) in `bits`.
    pub(crate) next: usize,
}

impl BitReader {
    pub(crate) const fn at(next: usize) -> Self {
        Self {
            bits: 0,
            count: 0,
            next,
        }
    }

    /// Tops the register up to at least 56 bits, or to all the bits that are left.
    #[inline(always)]
    pub(crate) fn refill(&mut self, input: &[u8]) {
        if let Some(word) = word_at(input, self.next) {
            self.refill_word(word);
        } else {
            self.refill_tail(input);
        }
    }

    /// The same, with the eight bytes at `next` in hand.
    #[inline(always)]
    pub(crate) fn refill_word(&mut self, word: u64) {
        self.bits |= word << self.count;
        // Whole bytes that fit above `count`; `count` then becomes 56 to 63.
        self.next += ((63 - self.count) >> 3) as usize;
        self.count |= 56;
    }

    #[cold]
    fn refill_tail(&mut self, input: &[u8]) {
        while self.count < 56 {
            let Some(&byte) = input.get(self.next) else {
                break;
            };
            self.bits |= u64::from(byte) << self.count;
            self.count += 8;
            self.next += 1;
        }
    }

    /// How many bits of the stream have been dropped.
    #[inline(always)]
    pub(crate) const fn position(&self) -> usize {
        self.next * 8 - self.count as usize
    }

    #[inline(always)]
    pub(crate) fn drop(&mut self, count: u32) {
        self.bits >>= count;
        self.count -= count;
    }

    /// The next `count` bits (at most 32), which stay in the register.
    #[inline(always)]
    pub(crate) const fn peek(&self, count: u32) -> u32 {
        low_bits(self.bits, count)
    }

    /// The first byte that no bit has been dropped from.
    pub(crate) const fn next_whole_byte(&self) -> usize {
        self.next - (self.count / 8) as usize
    }
}

/// A [`BitReader`] that is used where the end of the input is far away, in local variables.
///
/// Bits are dropped by table entries, whose lowest six bits are their number. Whole entries are
/// subtracted from the count, which saves the masking, so only its lowest six bits mean anything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Register<'a> {
    input: &'a [u8],
    pub(crate) bits: u64,
    count: u32,
    pub(crate) next: usize,
}

impl<'a> Register<'a> {
    #[inline(always)]
    pub(crate) const fn new(reader: BitReader, input: &'a [u8]) -> Self {
        Self {
            input,
            bits: reader.bits,
            count: reader.count,
            next: reader.next,
        }
    }

    /// What is left of it.
    #[inline(always)]
    pub(crate) const fn reader(&self) -> BitReader {
        BitReader {
            bits: self.bits,
            count: self.count & 63,
            next: self.next,
        }
    }

    /// Tops it up to at least 56 bits. Does nothing if there are not eight bytes left.
    #[inline(always)]
    pub(crate) fn refill(&mut self) {
        if let Some(word) = word_at(self.input, self.next) {
            self.bits |= word << (self.count & 63);
            self.next += ((!self.count >> 3) & 7) as usize;
            self.count |= 56;
        }
    }

    /// Drops as many bits as the lowest six bits of `entry` say.
    #[inline(always)]
    pub(crate) fn drop(&mut self, entry: u32) {
        self.bits >>= entry & 63;
        self.count = self.count.wrapping_sub(entry);
    }

    /// The next `count` bits (at most 32) as an index.
    #[inline(always)]
    pub(crate) const fn index(&self, count: u32) -> usize {
        index(self.bits, count)
    }

    /// Takes `count` bits, at most 32.
    #[inline(always)]
    pub(crate) fn take(&mut self, count: u32) -> u32 {
        let bits = low_bits(self.bits, count);
        self.drop(count);
        bits
    }
}

/// Eight bytes at `at`, if the stream has them.
#[inline(always)]
pub(crate) fn word_at(input: &[u8], at: usize) -> Option<u64> {
    let bytes = input.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*bytes))
}

/// The lowest `count` bits, `count` at most 32.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "masked to at most 32 bits")]
pub(crate) const fn low_bits(bits: u64, count: u32) -> u32 {
    (bits & !(u64::MAX << count)) as u32
}

/// The lowest byte.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the lowest byte is wanted")]
pub(crate) const fn low_byte(value: u32) -> u8 {
    value as u8
}

/// The lowest `count` bits as a table index, `count` at most 32.
#[inline(always)]
pub(crate) const fn index(bits: u64, count: u32) -> usize {
    low_bits(bits, count) as usize
}

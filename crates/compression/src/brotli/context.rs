//! Contexts of literals (RFC 7932, 7.1).

/// The context of a literal is `last[p1] | before[p2]`, with the bytes before it, `p1` being the
/// last one.
#[derive(Debug)]
pub(super) struct ContextLookup {
    pub(super) last: [u8; 256],
    pub(super) before: [u8; 256],
}

/// The lookups of the four context modes.
pub(super) static LOOKUPS: [ContextLookup; 4] = {
    let mut all = [const {
        ContextLookup {
            last: [0; 256],
            before: [0; 256],
        }
    }; 4];
    let mut at = 0;
    while at < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let byte = at as u8;
        all[0].last[at] = byte & 0x3f;
        all[1].last[at] = byte >> 2;
        all[2].last[at] = utf8_last(byte);
        all[2].before[at] = utf8_before(byte);
        all[3].last[at] = magnitude(byte) << 3;
        all[3].before[at] = magnitude(byte);
        at += 1;
    }
    all
};

/// UTF-8 mode: 4 times the kind of an ASCII character; 0 to 3 otherwise.
const fn utf8_last(byte: u8) -> u8 {
    match byte {
        b'\t' | b'\n' | b'\r' => 4,
        0..=31 | 127 => 0,
        b' ' => 8,
        b'"' | b'\'' => 16,
        b'%' => 20,
        b'(' | b'<' | b'[' | b'{' => 24,
        b')' | b'>' | b']' | b'}' => 28,
        b',' | b';' | b':' => 32,
        b'.' => 36,
        b'=' => 40,
        b'0'..=b'9' => 44,
        b'A' | b'E' | b'I' | b'O' | b'U' => 48,
        b'A'..=b'Z' => 52,
        b'a' | b'e' | b'i' | b'o' | b'u' => 56,
        b'a'..=b'z' => 60,
        33..=126 => 12,
        128..=191 => byte & 1,
        192..=255 => 2 + (byte & 1),
    }
}

/// UTF-8 mode, the byte before the last.
const fn utf8_before(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => 3,
        b'A'..=b'Z' | b'0'..=b'9' | 224..=255 => 2,
        0..=32 | 127..=223 => 0,
        33..=126 => 1,
    }
}

/// Signed mode: how large a byte is as a two's complement number.
const fn magnitude(byte: u8) -> u8 {
    match byte {
        0 => 0,
        1..=15 => 1,
        16..=63 => 2,
        64..=127 => 3,
        128..=191 => 4,
        192..=239 => 5,
        240..=254 => 6,
        255 => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a over the lookups, computed from the tables Lut0, Lut1, and Lut2 of RFC 7932, 7.1.
    #[test]
    fn lookups_are_those_of_the_rfc() {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for lookup in &LOOKUPS {
            for &context in lookup.last.iter().chain(&lookup.before) {
                hash = (hash ^ u64::from(context)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        assert_eq!(hash, 0x5386_64ca_1ffc_9541);
    }
}

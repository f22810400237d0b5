//! Words of the static dictionary and their transforms (RFC 7932, 8, appendices A and B).

use brotli_decompressor::dictionary as words;

/// A reference names a word of this many bytes at least.
const SHORTEST: usize = 4;
/// A reference names a word of this many bytes at most.
const LONGEST: usize = 24;
/// Longest transformed word: prefix, word, suffix.
pub(super) const LONGEST_TRANSFORMED: usize = 5 + LONGEST + 8;

/// What happens to a word between its prefix and its suffix.
#[derive(Debug, Clone, Copy)]
enum Change {
    Identity,
    OmitFirst(u8),
    OmitLast(u8),
    UppercaseFirst,
    UppercaseAll,
}
use Change::{Identity, OmitFirst, OmitLast, UppercaseAll, UppercaseFirst};

/// The transforms in the order of their numbers.
#[rustfmt::skip]
const TRANSFORMS: [(&str, Change, &str); 121] = [
    ("", Identity, ""), ("", Identity, " "), (" ", Identity, " "), ("", OmitFirst(1), ""),
    ("", UppercaseFirst, " "), ("", Identity, " the "), (" ", Identity, ""),
    ("s ", Identity, " "), ("", Identity, " of "), ("", UppercaseFirst, ""),
    ("", Identity, " and "), ("", OmitFirst(2), ""), ("", OmitLast(1), ""), (", ", Identity, " "),
    ("", Identity, ", "), (" ", UppercaseFirst, " "), ("", Identity, " in "),
    ("", Identity, " to "), ("e ", Identity, " "), ("", Identity, "\""), ("", Identity, "."),
    ("", Identity, "\">"), ("", Identity, "\n"), ("", OmitLast(3), ""), ("", Identity, "]"),
    ("", Identity, " for "), ("", OmitFirst(3), ""), ("", OmitLast(2), ""), ("", Identity, " a "),
    ("", Identity, " that "), (" ", UppercaseFirst, ""), ("", Identity, ". "),
    (".", Identity, ""), (" ", Identity, ", "), ("", OmitFirst(4), ""), ("", Identity, " with "),
    ("", Identity, "'"), ("", Identity, " from "), ("", Identity, " by "), ("", OmitFirst(5), ""),
    ("", OmitFirst(6), ""), (" the ", Identity, ""), ("", OmitLast(4), ""),
    ("", Identity, ". The "), ("", UppercaseAll, ""), ("", Identity, " on "),
    ("", Identity, " as "), ("", Identity, " is "), ("", OmitLast(7), ""),
    ("", OmitLast(1), "ing "), ("", Identity, "\n\t"), ("", Identity, ":"), (" ", Identity, ". "),
    ("", Identity, "ed "), ("", OmitFirst(9), ""), ("", OmitFirst(7), ""), ("", OmitLast(6), ""),
    ("", Identity, "("), ("", UppercaseFirst, ", "), ("", OmitLast(8), ""),
    ("", Identity, " at "), ("", Identity, "ly "), (" the ", Identity, " of "),
    ("", OmitLast(5), ""), ("", OmitLast(9), ""), (" ", UppercaseFirst, ", "),
    ("", UppercaseFirst, "\""), (".", Identity, "("), ("", UppercaseAll, " "),
    ("", UppercaseFirst, "\">"), ("", Identity, "=\""), (" ", Identity, "."),
    (".com/", Identity, ""), (" the ", Identity, " of the "), ("", UppercaseFirst, "'"),
    ("", Identity, ". This "), ("", Identity, ","), (".", Identity, " "),
    ("", UppercaseFirst, "("), ("", UppercaseFirst, "."), ("", Identity, " not "),
    (" ", Identity, "=\""), ("", Identity, "er "), (" ", UppercaseAll, " "),
    ("", Identity, "al "), (" ", UppercaseAll, ""), ("", Identity, "='"),
    ("", UppercaseAll, "\""), ("", UppercaseFirst, ". "), (" ", Identity, "("),
    ("", Identity, "ful "), (" ", UppercaseFirst, ". "), ("", Identity, "ive "),
    ("", Identity, "less "), ("", UppercaseAll, "'"), ("", Identity, "est "),
    (" ", UppercaseFirst, "."), ("", UppercaseAll, "\">"), (" ", Identity, "='"),
    ("", UppercaseFirst, ","), ("", Identity, "ize "), ("", UppercaseAll, "."),
    ("\u{a0}", Identity, ""), (" ", Identity, ","), ("", UppercaseFirst, "=\""),
    ("", UppercaseAll, "=\""), ("", Identity, "ous "), ("", UppercaseAll, ", "),
    ("", UppercaseFirst, "='"), (" ", UppercaseFirst, ","), (" ", UppercaseAll, "=\""),
    (" ", UppercaseAll, ", "), ("", UppercaseAll, ","), ("", UppercaseAll, "("),
    ("", UppercaseAll, ". "), (" ", UppercaseAll, "."), ("", UppercaseAll, "='"),
    (" ", UppercaseAll, ". "), (" ", UppercaseFirst, "=\""), (" ", UppercaseAll, "='"),
    (" ", UppercaseFirst, "='"),
];

/// Whether there are words of this length.
pub(super) const fn has_words(length: usize) -> bool {
    length >= SHORTEST && length <= LONGEST
}

/// A dictionary word after its transform.
pub(super) struct Word {
    bytes: [u8; LONGEST_TRANSFORMED],
    len: usize,
}

impl Word {
    /// The word that `address` (how far a distance reaches past the history) and the copy length
    /// name.
    ///
    /// `None` if no word has that length, or if there is no such transform.
    pub(super) fn look_up(address: usize, length: usize) -> Option<Self> {
        if !has_words(length) {
            return None;
        }
        let index_bits = words::kBrotliDictionarySizeBitsByLength[length];
        let start = words::kBrotliDictionaryOffsetsByLength[length] as usize;
        let start = start + (address & ((1 << index_bits) - 1)) * length;
        let word = &words::kBrotliDictionary[start..start + length];
        let (prefix, change, suffix) = TRANSFORMS.get(address >> index_bits)?;

        let mut made = Self {
            bytes: [0; LONGEST_TRANSFORMED],
            len: 0,
        };
        made.append(prefix.as_bytes());
        let word_at = made.len;
        made.append(match *change {
            OmitFirst(count) => word.get(usize::from(count)..).unwrap_or_default(),
            OmitLast(count) => &word[..word.len().saturating_sub(count.into())],
            Identity | UppercaseFirst | UppercaseAll => word,
        });
        let mut rest = &mut made.bytes[word_at..made.len];
        match change {
            UppercaseFirst => {
                to_uppercase(rest);
            }
            UppercaseAll => {
                while !rest.is_empty() {
                    let step = to_uppercase(rest).min(rest.len());
                    rest = &mut rest[step..];
                }
            }
            Identity | OmitFirst(_) | OmitLast(_) => {}
        }
        made.append(suffix.as_bytes());
        Some(made)
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Changes the first character to upper case after a fashion, and returns how many bytes it is
/// taken to have. It may be taken to go on past the end.
fn to_uppercase(character: &mut [u8]) -> usize {
    let (size, changed, flip) = match character[0] {
        b'a'..=b'z' => (1, 0, 0x20),
        0..0xc0 => return 1,
        0xc0..0xe0 => (2, 1, 0x20),
        0xe0.. => (3, 2, 5),
    };
    if let Some(byte) = character.get_mut(changed) {
        *byte ^= flip;
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dictionary comes from another crate. This is the CRC-32 of the 122,784 bytes that
    /// op-node's decoder has.
    #[test]
    fn the_dictionary_is_the_one_of_the_rfc() {
        let mut crc = u32::MAX;
        for &byte in &words::kBrotliDictionary {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 {
                    crc >> 1 ^ 0xedb8_8320
                } else {
                    crc >> 1
                };
            }
        }
        assert_eq!(!crc, 0x5136_cb04);
    }

    #[test]
    fn transforms_change_words_as_the_rfc_says() {
        let word = |transform: usize, index: usize, length: usize| {
            let bits = words::kBrotliDictionarySizeBitsByLength[length];
            let word = Word::look_up(transform << bits | index, length);
            word.map(|word| String::from_utf8_lossy(word.bytes()).into_owned())
        };
        assert_eq!(word(0, 0, 4).as_deref(), Some("time"));
        assert_eq!(word(1, 0, 4).as_deref(), Some("time "));
        assert_eq!(word(3, 0, 4).as_deref(), Some("ime"));
        assert_eq!(word(9, 0, 4).as_deref(), Some("Time"));
        assert_eq!(word(44, 0, 4).as_deref(), Some("TIME"));
        assert_eq!(word(49, 0, 4).as_deref(), Some("timing "));
        assert_eq!(word(73, 0, 4).as_deref(), Some(" the time of the "));
        // Cuts off more than there is.
        assert_eq!(word(64, 0, 4).as_deref(), Some(""));
        assert_eq!(word(54, 0, 4).as_deref(), Some(""));
        assert_eq!(word(120, 0, 4).as_deref(), Some(" Time='"));
        assert_eq!(word(121, 0, 4), None);
        assert!(Word::look_up(0, 3).is_none());
        assert!(Word::look_up(0, 25).is_none());
    }

    #[test]
    fn no_transformed_word_is_too_long() {
        for length in SHORTEST..=LONGEST {
            for transform in 0..TRANSFORMS.len() {
                let bits = words::kBrotliDictionarySizeBitsByLength[length];
                for index in 0..1usize << bits {
                    assert!(Word::look_up(transform << bits | index, length).is_some());
                }
            }
        }
    }
}

//! From what a user hands over to bytes: raw, or hexadecimal text.

use alloy_primitives::Bytes;
use thiserror::Error;

/// Why text is not the hexadecimal that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InputError {
    /// A character that is no digit.
    #[error("character {position} is no hexadecimal digit")]
    Digit {
        /// Its position in the text, in bytes from 0.
        position: usize,
    },
    /// Two digits make a byte.
    #[error("{0} hexadecimal digits make no whole bytes")]
    Odd(usize),
}

/// Reads what a file or standard input held.
///
/// Text that consists of hexadecimal digits and white space, with or without `0x` in front, is
/// read as such; everything else is raw bytes. Where the text has several lines that *all* begin
/// with `0x`, each is a data item of its own; otherwise line breaks mean nothing.
pub fn parse_input(content: &[u8]) -> Vec<Bytes> {
    match core::str::from_utf8(content).map(parse_hex) {
        Ok(Ok(items)) => items,
        _ => vec![Bytes::copy_from_slice(content)],
    }
}

/// Reads hexadecimal text: one data item, or several (see [`parse_input`]).
pub fn parse_hex(text: &str) -> Result<Vec<Bytes>, InputError> {
    let mut end = 0;
    let lines: Vec<(usize, &str)> = text
        .split_inclusive('\n')
        .map(|line| {
            end += line.len();
            (end - line.len(), line)
        })
        .filter(|(_, line)| !line.trim().is_empty())
        .collect();
    if lines.len() > 1 && lines.iter().all(|(_, line)| has_prefix(line.trim_start())) {
        return lines
            .into_iter()
            .map(|(start, line)| parse_item(line, start))
            .collect();
    }
    Ok(vec![parse_item(text, 0)?])
}

fn has_prefix(text: &str) -> bool {
    text.starts_with("0x") || text.starts_with("0X")
}

fn parse_item(text: &str, start: usize) -> Result<Bytes, InputError> {
    let trimmed = text.trim_start();
    let digits = if has_prefix(trimmed) {
        &trimmed[2..]
    } else {
        trimmed
    };
    let start = start + text.len() - digits.len();
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut high = None;
    for (position, character) in digits.char_indices() {
        if character.is_whitespace() {
            continue;
        }
        let digit = character
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(InputError::Digit {
                position: start + position,
            })?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => bytes.push(high << 4 | digit),
        }
    }
    match high {
        None => Ok(bytes.into()),
        Some(_) => Err(InputError::Odd(2 * bytes.len() + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_and_white_space_change_nothing() {
        let expected = vec![Bytes::from_static(&[0x00, 0xab, 0xcd])];
        for text in [
            "00abcd",
            "0x00ABcd",
            " 0X00 ab\tcd\n",
            "0\n0a\r\nbcd",
            "0x00ab\ncd\n",
        ] {
            assert_eq!(parse_hex(text).as_ref(), Ok(&expected), "{text:?}");
            assert_eq!(parse_input(text.as_bytes()), expected);
        }
    }

    #[test]
    fn several_lines_are_several_items_only_if_each_has_a_prefix() {
        let several = parse_input(b"0x0001\n\n  0x02 03\r\n0x\n");
        let expected: [&[u8]; 3] = [&[0, 1], &[2, 3], &[]];
        assert_eq!(several, expected.map(Bytes::from_static));
        assert_eq!(parse_input(b"0001\n0203").len(), 1);
    }

    #[test]
    fn nothing_is_an_item_without_bytes() {
        for text in ["", "0x", " \n"] {
            assert_eq!(parse_hex(text), Ok(vec![Bytes::new()]));
        }
    }

    #[test]
    fn bytes_that_are_no_hexadecimal_text_are_taken_as_they_are() {
        for raw in [&b"\x78\xda"[..], b"0x0", b"hello", b"0x00\n0xz"] {
            assert_eq!(parse_input(raw), [Bytes::copy_from_slice(raw)]);
        }
    }

    #[test]
    fn an_error_names_the_place_in_the_whole_text() {
        assert_eq!(parse_hex("0x00g1"), Err(InputError::Digit { position: 4 }));
        let second_line = parse_hex("0x00\n 0x1x");
        assert_eq!(second_line, Err(InputError::Digit { position: 9 }));
        assert_eq!(parse_hex(" 0x000"), Err(InputError::Odd(3)));
        assert_eq!(parse_hex("0x0x"), Err(InputError::Digit { position: 3 }));
    }
}

//! String literals: validation and unescaping.

use super::error::{ErrorKind, Failure};

/// A string literal found in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal {
    /// Offset after the closing quote.
    pub(super) end: usize,
    /// Whether it has escapes.
    pub(super) escaped: bool,
}

/// Validates the literal whose opening quote is at `open`.
pub(super) fn scan(text: &str, open: usize) -> Result<Literal, Failure> {
    let bytes = text.as_bytes();
    let mut at = open + 1;
    let mut escaped = false;
    loop {
        match next_special(bytes, at) {
            Some((quote, b'"')) => return Ok(Literal { end: quote + 1, escaped }),
            Some((backslash, b'\\')) => {
                escaped = true;
                at = scan_escape(text, backslash)?;
            }
            Some((offset, control)) => return Err(Failure::new(offset, ErrorKind::ControlCharacter(control))),
            None => return Err(Failure::unexpected(text, text.len(), "the closing quote of a string")),
        }
    }
}

/// Validates the escape at `backslash`; returns the offset after it, or after the whole surrogate pair.
fn scan_escape(text: &str, backslash: usize) -> Result<usize, Failure> {
    let rest = &text.as_bytes()[backslash..];
    match rest.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(backslash + 2),
        Some(b'u') => match unit(rest) {
            Some(0xD800..=0xDBFF) => match rest.get(6..).and_then(unit) {
                Some(0xDC00..=0xDFFF) => Ok(backslash + 12),
                _ => Err(Failure::new(backslash, ErrorKind::LoneSurrogate)),
            },
            Some(0xDC00..=0xDFFF) => Err(Failure::new(backslash, ErrorKind::LoneSurrogate)),
            Some(_) => Ok(backslash + 6),
            None => Err(Failure::new(backslash, ErrorKind::InvalidEscape)),
        },
        Some(_) => Err(Failure::new(backslash, ErrorKind::InvalidEscape)),
        None => Err(Failure::unexpected(text, text.len(), "an escape")),
    }
}

/// The UTF-16 code unit of the `\uXXXX` at the start of `bytes`.
fn unit(bytes: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = bytes else { return None };
    digits.first_chunk::<4>()?.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

/// Unescapes the content of a valid literal.
pub(super) fn unescape(inside: &str) -> String {
    let mut plain = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(backslash) = rest.find('\\') {
        plain.push_str(&rest[..backslash]);
        let escape = &rest[backslash..];
        let (character, length) = decode(escape.as_bytes());
        plain.push(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

/// The character of the escape at the start of `escape`, and the escape's length.
fn decode(escape: &[u8]) -> (char, usize) {
    let character = match escape.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return decode_unicode(escape),
        Some(&itself) => char::from(itself),
        None => char::REPLACEMENT_CHARACTER,
    };
    (character, 2)
}

fn decode_unicode(escape: &[u8]) -> (char, usize) {
    let first = unit(escape).unwrap_or_default();
    let (code, length) = match (first, escape.get(6..).and_then(unit)) {
        (0xD800..=0xDBFF, Some(second @ 0xDC00..=0xDFFF)) => {
            (0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00), 12)
        }
        _ => (first, 6),
    };
    (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), length)
}

/// The first byte from `from` on that must be escaped in a literal: a quote, a backslash or a control character.
///
/// Reads eight bytes at a time: subtracting a number from each byte of a word borrows into the byte's top bit
/// exactly where the byte is smaller (S. E. Anderson, "Bit Twiddling Hacks", "Determine if a word has a byte less
/// than n"). A borrow can mark a byte falsely only above a true mark, so the lowest mark is right.
#[inline]
pub fn next_special(bytes: &[u8], from: usize) -> Option<(usize, u8)> {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let mut rest = bytes.get(from..)?;
    while let Some((chunk, further)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ each(b'"');
        let backslash = word ^ each(b'\\');
        let marks = word.wrapping_sub(each(0x20)) & !word
            | quote.wrapping_sub(each(1)) & !quote
            | backslash.wrapping_sub(each(1)) & !backslash;
        let marks = marks & each(0x80);
        if marks != 0 {
            let index = (marks.trailing_zeros() / 8) as usize;
            return Some((bytes.len() - rest.len() + index, chunk[index]));
        }
        rest = further;
    }
    let index = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\')?;
    Some((bytes.len() - rest.len() + index, rest[index]))
}

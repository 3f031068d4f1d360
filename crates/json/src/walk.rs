//! Iteration over the members and elements of a validated value.
//!
//! The text is known to be valid, so that only the ends of values matter: separators are skipped without a check, and
//! nested values by counting brackets.

use std::borrow::Cow;
use std::iter::FusedIterator;

use super::string::next_special;
use super::value::{Kind, Value};

/// The members of an object, name and value; see [`Value::members`].
#[derive(Debug, Clone)]
pub struct Members<'a>(Walk<'a>);

impl<'a> Members<'a> {
    pub(super) fn of(value: Value<'a>) -> Self {
        Self(Walk::into(value, Kind::Object))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.next()?.as_str()?;
        Some((name, self.0.next()?))
    }
}

impl FusedIterator for Members<'_> {}

/// The elements of an array; see [`Value::elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a>(Walk<'a>);

impl<'a> Elements<'a> {
    pub(super) fn of(value: Value<'a>) -> Self {
        Self(Walk::into(value, Kind::Array))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl FusedIterator for Elements<'_> {}

/// All direct children of an array or object, including an object's names.
#[derive(Debug, Clone)]
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    /// Enters `value` if it is of this kind; empty otherwise.
    fn into(value: Value<'a>, kind: Kind) -> Self {
        let text = if value.kind() == kind { value.raw() } else { "" };
        Self { text, at: 1 }
    }

    fn next(&mut self) -> Option<Value<'a>> {
        let bytes = self.text.as_bytes();
        while let b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' = bytes.get(self.at)? {
            self.at += 1;
        }
        let start = self.at;
        let (end, kind) = match bytes[start] {
            b']' | b'}' => return None,
            b'"' => (string_end(bytes, start), Kind::String),
            b'[' => (nested_end(bytes, start), Kind::Array),
            b'{' => (nested_end(bytes, start), Kind::Object),
            b'n' => (start + "null".len(), Kind::Null),
            b't' => (start + "true".len(), Kind::Bool),
            b'f' => (start + "false".len(), Kind::Bool),
            _ => number_end(bytes, start),
        };
        self.at = end;
        Some(Value::new(self.text.get(start..end)?, kind))
    }
}

/// The offset after the string at `open`.
pub(super) fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while let Some((special, byte)) = next_special(bytes, at) {
        if byte == b'"' {
            return special + 1;
        }
        at = special + 2;
    }
    bytes.len()
}

/// The offset after the array or object at `open`.
fn nested_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open;
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The offset after the number at `start`, and its kind.
pub(super) fn number_end(bytes: &[u8], start: usize) -> (usize, Kind) {
    let mut kind = Kind::Integer;
    let mut at = start;
    while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') = bytes.get(at) {
        if let b'.' | b'e' | b'E' = bytes[at] {
            kind = Kind::Float;
        }
        at += 1;
    }
    (at, kind)
}

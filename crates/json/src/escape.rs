//! Writing string literals.

use std::convert::Infallible;
use std::fmt;

use super::string::next_special;

/// Displays `text` as a JSON string literal, quotes included.
///
/// Only what must be escaped is escaped, in the form of RFC 8785, section 3.2.2.2.
pub fn escape(text: &str) -> impl fmt::Display {
    Escaped(text)
}

/// Appends `text` as a JSON string literal, as [`escape`] displays it.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let Ok(()) = escaped_pieces(text, |piece| {
        out.extend_from_slice(piece.as_bytes());
        Ok::<(), Infallible>(())
    });
    out.push(b'"');
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        escaped_pieces(self.0, |piece| f.write_str(piece))?;
        f.write_str("\"")
    }
}

/// Calls `put` with the content of the literal, piece by piece.
fn escaped_pieces<E>(text: &str, mut put: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    let mut written = 0;
    while let Some((special, byte)) = next_special(text.as_bytes(), written) {
        put(&text[written..special])?;
        match byte {
            b'"' => put("\\\"")?,
            b'\\' => put("\\\\")?,
            0x08 => put("\\b")?,
            0x0C => put("\\f")?,
            b'\n' => put("\\n")?,
            b'\r' => put("\\r")?,
            b'\t' => put("\\t")?,
            control => {
                put(if control < 0x10 { "\\u000" } else { "\\u001" })?;
                let low = usize::from(control & 0xF);
                put(&"0123456789abcdef"[low..=low])?;
            }
        }
        written = special + 1;
    }
    put(&text[written..])
}

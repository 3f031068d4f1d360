//! Untrusted text, escaped for a terminal.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Shows bytes on one line: UTF-8 with control characters escaped, so that no record can control the terminal; anything
/// else as `base64:…`.
pub(crate) fn one_line(bytes: &[u8]) -> impl fmt::Display {
    OneLine(bytes)
}

struct OneLine<'a>(&'a [u8]);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(text) = str::from_utf8(self.0) else { return write!(f, "base64:{}", STANDARD.encode(self.0)) };
        for character in text.chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(one_line("zürich\n\u{1b}[2J\t\u{9b}".as_bytes()).to_string(), r"zürich\n\u{1b}[2J\t\u{9b}");
    }

    #[test]
    fn what_is_not_text_is_shown_as_base64() {
        assert_eq!(one_line(&[0xff, 0x00]).to_string(), "base64:/wA=");
    }
}

//! What was wrong with a text, and where.

use std::fmt;

use super::MAX_DEPTH;

/// The longest piece of the sender's text repeated in an error, in characters.
const QUOTED: usize = 64;

/// A text that is not the JSON accepted here.
///
/// Reads as `duplicate member name "user_id" at line 1 column 20`. The text quoted from the input is short and
/// has no unprintable characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}{}", Place(self))]
pub struct Error {
    kind: ErrorKind,
    offset: usize,
    line: usize,
    column: usize,
}

impl Error {
    /// Locates `failure` in the input; `valid` is the text, at least up to there.
    #[cold]
    pub(super) fn locate(failure: Failure, valid: &str) -> Self {
        let before = valid.get(..failure.offset).unwrap_or(valid);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            kind: failure.kind,
            offset: failure.offset,
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// What is wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Where, in bytes from the start of the input.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Where: the line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Where: the column in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// The last part of an error's text. Bytes that are not UTF-8 have no column worth the name.
struct Place<'a>(&'a Error);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error { kind, offset, line, column } = self.0;
        match kind {
            ErrorKind::ByteOrderMark | ErrorKind::Empty => Ok(()),
            ErrorKind::InvalidUtf8 => write!(f, " at byte {offset}"),
            _ => write!(f, " at line {line} column {column}"),
        }
    }
}

/// What can be wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// The text begins with U+FEFF.
    #[error("byte order mark before the JSON text")]
    ByteOrderMark,
    /// There is nothing but white space.
    #[error("empty text where a JSON value was expected")]
    Empty,
    /// The text ends inside a value.
    #[error("unexpected end of the text, expected {expected}")]
    UnexpectedEnd {
        /// What would have been right.
        expected: &'static str,
    },
    /// A character that the grammar does not allow here.
    #[error("unexpected character {found:?}, expected {expected}")]
    UnexpectedCharacter {
        /// The character.
        found: char,
        /// What would have been right.
        expected: &'static str,
    },
    /// An object has two members of this name (unescaped, and cut when long).
    #[error("duplicate member name {0:?}")]
    DuplicateName(Box<str>),
    /// Nesting is deeper than [`MAX_DEPTH`].
    #[error("more than {MAX_DEPTH} levels of nesting")]
    TooDeep,
    /// A number too large for a double (its digits, cut when long).
    #[error("number out of range: {0}")]
    NumberOutOfRange(Box<str>),
    /// A number with a superfluous zero in front, as in `007`.
    #[error("number with a leading zero")]
    LeadingZero,
    /// A backslash before a character that makes no escape, or `\u` without four hexadecimal digits.
    #[error("invalid escape in a string")]
    InvalidEscape,
    /// A `\u` escape of one half of a surrogate pair.
    #[error("lone surrogate in a string")]
    LoneSurrogate,
    /// A character below U+0020 in a string that is not escaped.
    #[error("unescaped control character U+{0:04X} in a string")]
    ControlCharacter(u8),
}

/// A problem found while scanning, before line and column are worked out.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) offset: usize,
    pub(super) kind: ErrorKind,
}

impl Failure {
    #[cold]
    pub(super) fn new(offset: usize, kind: ErrorKind) -> Self {
        Self { offset, kind }
    }

    /// The character at `offset`, or the end of the text, stands where `expected` should.
    #[cold]
    pub(super) fn unexpected(text: &str, offset: usize, expected: &'static str) -> Self {
        let kind = match text.get(offset..).and_then(|rest| rest.chars().next()) {
            Some(found) => ErrorKind::UnexpectedCharacter { found, expected },
            None => ErrorKind::UnexpectedEnd { expected },
        };
        Self::new(offset, kind)
    }
}

/// At most [`QUOTED`] characters of `text`, with an ellipsis where it was cut.
#[cold]
pub(super) fn quote(text: &str) -> Box<str> {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

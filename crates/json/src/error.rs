//! Syntax errors and their positions.

use std::fmt;

use super::MAX_DEPTH;

/// Most characters of the sender's text that an error quotes.
const QUOTE_LIMIT: usize = 64;

/// A syntax error, such as `duplicate member name "user_id" at line 1 column 20`.
///
/// The text quoted from the input is short and has no unprintable characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}{}", Position(self))]
pub struct Error {
    kind: ErrorKind,
    offset: usize,
    line: usize,
    column: usize,
}

impl Error {
    /// Adds line and column to `failure`; `valid` is the text, at least up to its offset.
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

    /// The kind of error.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The offset in bytes from the start of the input.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// The position in an error's text: a byte offset for invalid UTF-8, which has no columns.
struct Position<'a>(&'a Error);

impl fmt::Display for Position<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error { kind, offset, line, column } = self.0;
        match kind {
            ErrorKind::ByteOrderMark | ErrorKind::Empty => Ok(()),
            ErrorKind::InvalidUtf8 => write!(f, " at byte {offset}"),
            _ => write!(f, " at line {line} column {column}"),
        }
    }
}

/// The kinds of syntax errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// The text begins with U+FEFF.
    #[error("byte order mark before the JSON text")]
    ByteOrderMark,
    /// The text is empty or all white space.
    #[error("empty text where a JSON value was expected")]
    Empty,
    /// The text ends inside a value.
    #[error("unexpected end of the text, expected {expected}")]
    UnexpectedEnd {
        /// What was expected.
        expected: &'static str,
    },
    /// A character that the grammar does not allow here.
    #[error("unexpected character {found:?}, expected {expected}")]
    UnexpectedCharacter {
        /// The character.
        found: char,
        /// What was expected.
        expected: &'static str,
    },
    /// An object has two members of this name (unescaped, truncated).
    #[error("duplicate member name {0:?}")]
    DuplicateName(Box<str>),
    /// Nesting is deeper than [`MAX_DEPTH`].
    #[error("more than {MAX_DEPTH} levels of nesting")]
    TooDeep,
    /// A number too large for a double (its digits, truncated).
    #[error("number out of range: {0}")]
    NumberOutOfRange(Box<str>),
    /// A number with a leading zero, as in `007`.
    #[error("number with a leading zero")]
    LeadingZero,
    /// An unknown escape, or `\u` without four hexadecimal digits.
    #[error("invalid escape in a string")]
    InvalidEscape,
    /// A `\u` escape of a lone surrogate.
    #[error("lone surrogate in a string")]
    LoneSurrogate,
    /// An unescaped character below U+0020 in a string.
    #[error("unescaped control character U+{0:04X} in a string")]
    ControlCharacter(u8),
}

/// An error found while scanning, before its line and column are computed.
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

    /// The character at `offset`, or the end of the text, where `expected` was expected.
    #[cold]
    pub(super) fn unexpected(text: &str, offset: usize, expected: &'static str) -> Self {
        let kind = match text.get(offset..).and_then(|rest| rest.chars().next()) {
            Some(found) => ErrorKind::UnexpectedCharacter { found, expected },
            None => ErrorKind::UnexpectedEnd { expected },
        };
        Self::new(offset, kind)
    }
}

/// At most [`QUOTE_LIMIT`] characters of `text`, with an ellipsis where it was truncated.
#[cold]
pub(super) fn quote(text: &str) -> Box<str> {
    match text.char_indices().nth(QUOTE_LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

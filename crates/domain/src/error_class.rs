//! The three error classes, and the two of dead letters.

use std::fmt;

/// The class of an error; it determines the host's reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Temporary: a retry may succeed. HTTP 503; a consumer backs off.
    Transient,
    /// The same input always fails. HTTP 4xx; a consumer dead-letters the record.
    Permanent,
    /// The process cannot continue. HTTP 500; a consumer exits and commits nothing.
    Fatal,
}

impl ErrorClass {
    /// Its name, as in metrics: `transient`, `permanent` or `fatal`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Fatal => "fatal",
        }
    }
}

/// Why a record was dead-lettered: rejected, or out of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterClass {
    /// The record itself is invalid.
    Permanent,
    /// A temporary error outlasted all attempts.
    Transient,
}

impl DeadLetterClass {
    /// The text of the header `dlq.error.class`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Transient => "transient",
        }
    }

    /// Reads the header `dlq.error.class`.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "permanent" => Some(Self::Permanent),
            "transient" => Some(Self::Transient),
            _ => None,
        }
    }
}

impl fmt::Display for DeadLetterClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

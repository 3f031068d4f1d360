//! The three classes every error falls into, and the two of dead letters.

use std::fmt;

/// The class of an error: it decides what a host does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// May pass by itself: try again later. HTTP 503; a consumer backs off.
    Transient,
    /// The same input will fail again. HTTP 4xx; a consumer dead-letters the record.
    Permanent,
    /// This process cannot go on. HTTP 500; a consumer exits and commits nothing.
    Fatal,
}

/// Why a record was dead-lettered: refused for good, or out of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterClass {
    /// The record itself is at fault.
    Permanent,
    /// Something else was at fault, for longer than the attempts lasted.
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

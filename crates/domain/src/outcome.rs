//! What becomes of a record, and the three classes every error falls into.

use std::fmt;
use std::time::Duration;

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

/// What a processor decided about one record. `T` is what it made of it: nothing, where its effect is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T = ()> {
    /// Processed: its offset may be committed, once what was made of it is safe.
    Done(T),
    /// Failed for now: try again, no sooner than `after` where the other side named a time.
    RetryAfter {
        /// The least time to wait; `None` leaves it to the back-off.
        after: Option<Duration>,
        /// What failed.
        reason: String,
    },
    /// Refused: to the dead-letter topic, and done once the broker has acknowledged it there.
    DeadLetter {
        /// Whose fault it was.
        class: DeadLetterClass,
        /// What was wrong.
        reason: String,
        /// How often it was tried, where the processor itself tries again; `None` leaves it to the runtime's count.
        attempts: Option<u32>,
    },
    /// Not processed: too many wait for the same scarce thing. The record is left on its topic and read again when there
    /// is room.
    Postponed {
        /// Which of the processor's queues is too long.
        queue: usize,
        /// What the processor wants to know when the record comes again.
        note: u64,
    },
    /// The processor cannot go on: stop the process, commit nothing more.
    Fatal {
        /// What happened.
        reason: String,
    },
}

impl Outcome {
    /// Processed, and nothing is left to be done.
    pub const DONE: Self = Self::Done(());
}

impl<T> Outcome<T> {
    /// A transient failure that leaves the delay to the back-off.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::RetryAfter { after: None, reason: reason.into() }
    }

    /// A record that will never do.
    pub fn poison(reason: impl Into<String>) -> Self {
        Self::DeadLetter { class: DeadLetterClass::Permanent, reason: reason.into(), attempts: None }
    }
}

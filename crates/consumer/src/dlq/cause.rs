//! The cause of a dead letter: one of a fixed set, as a metric's label has to be. Its reason is free text.

use millrace_domain::DeadLetterClass;

/// Why a record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its value is null or empty.
    NoValue,
    /// The processor refused it for good.
    Rejected,
    /// The processor panicked on it.
    Panicked,
    /// Every attempt failed.
    AttemptsExhausted,
    /// Retention deleted it while it was spilled.
    Deleted,
}

impl Cause {
    /// Each of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::NoValue, Self::Rejected, Self::Panicked, Self::AttemptsExhausted, Self::Deleted];

    /// The cause of a processor's own decision. One that tries again by itself gives up with a transient failure.
    pub(crate) fn of_rejection(class: DeadLetterClass) -> Self {
        match class {
            DeadLetterClass::Permanent => Self::Rejected,
            DeadLetterClass::Transient => Self::AttemptsExhausted,
        }
    }

    /// Whether the record or something else is at fault.
    pub(crate) fn class(self) -> DeadLetterClass {
        match self {
            Self::NoValue | Self::Rejected | Self::Panicked | Self::Deleted => DeadLetterClass::Permanent,
            Self::AttemptsExhausted => DeadLetterClass::Transient,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoValue => "no_value",
            Self::Rejected => "rejected",
            Self::Panicked => "panicked",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::Deleted => "deleted",
        }
    }
}

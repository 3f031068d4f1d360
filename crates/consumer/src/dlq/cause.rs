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
    /// Each cause with the classes that it can have.
    pub(crate) const ALL: [(DeadLetterClass, Self); 5] = [
        (DeadLetterClass::Permanent, Self::NoValue),
        (DeadLetterClass::Permanent, Self::Rejected),
        (DeadLetterClass::Permanent, Self::Panicked),
        (DeadLetterClass::Transient, Self::AttemptsExhausted),
        (DeadLetterClass::Permanent, Self::Deleted),
    ];

    /// The cause of a processor's own decision. One that tries again by itself gives up with a transient failure.
    pub(crate) fn of_rejection(class: DeadLetterClass) -> Self {
        match class {
            DeadLetterClass::Permanent => Self::Rejected,
            DeadLetterClass::Transient => Self::AttemptsExhausted,
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

//! The cause of a dead letter: one of a fixed set, as a metric's label has to be. Its reason is free text.

/// Why a record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its value is null or empty.
    NoValue,
    /// The processor refused it, or what it delivers to did.
    Rejected,
    /// The processor panicked on it.
    Panicked,
    /// Every attempt failed.
    AttemptsExhausted,
    /// Retention deleted it while it was spilled.
    Deleted,
}

impl Cause {
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

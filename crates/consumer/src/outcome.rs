//! What a processor decides about one record.

use std::time::Duration;

use millrace_domain::DeadLetterClass;

/// What a processor decided about one record. `T` is what it made of it: nothing, where its effect is outside of Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T = ()> {
    /// Processed: its offset may be committed, once what was made of it is safe.
    Done(T),
    /// Failed for now: try again, no sooner than `after` where the other side named a time.
    Retry {
        /// The least time to wait; `None` leaves it to the back-off.
        after: Option<Duration>,
        /// What failed.
        reason: String,
    },
    /// Refused for good: to the dead-letter topic, and done once the broker has acknowledged it there.
    Reject {
        /// Whether the record or something else was at fault.
        class: DeadLetterClass,
        /// What was wrong.
        reason: String,
        /// How often it was tried, where the processor itself tries again; `None` leaves it to the runtime's count.
        attempts: Option<u32>,
    },
    /// Not processed, because one of the [destination queues](crate::DestinationQueues) is full: the record is spilled,
    /// and read again when that queue has capacity.
    Defer {
        /// The queue.
        queue: usize,
        /// Handed back as [`Attempt::resume_token`](crate::Attempt::resume_token) when the record comes again.
        resume_token: u64,
    },
    /// The processor cannot go on: stop the process, commit nothing more.
    Fatal {
        /// What happened.
        reason: String,
    },
}

impl Outcome {
    /// Processed, and nothing was made of it.
    pub const DONE: Self = Self::Done(());
}

impl<T> Outcome<T> {
    /// A transient failure that leaves the delay to the back-off.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// A permanent failure of the record itself.
    pub fn reject(reason: impl Into<String>) -> Self {
        Self::Reject { class: DeadLetterClass::Permanent, reason: reason.into(), attempts: None }
    }
}

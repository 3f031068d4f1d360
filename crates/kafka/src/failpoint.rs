//! Points at which a process can be made to end as in a crash, for tests of what is left then.
//!
//! Only builds with the feature `failpoints` have them; in all others a point is nothing.
//!
//! | point | what is just over |
//! |---|---|
//! | `record.taken` | nothing yet: it is about to be processed |
//! | `record.processed` | it was processed, and its letter acknowledged where there is one; it does not count yet |
//! | `letter.refused` | its record was refused |
//! | `letter.acknowledged` | the broker has it; its record does not count yet |
//! | `offsets.done` | records were counted as done |
//! | `offsets.sent` | the commit is on its way |
//! | `offsets.committed` | the broker has confirmed it |
//! | `batch.taken` | nothing yet: it is about to be written |
//! | `batch.written` | the rows and the offset were written |
//! | `batch.lettered` | the letters were acknowledged |
//! | `batch.committed` | the store has confirmed the transaction |
//! | `transaction.taken` | its records were made |
//! | `transaction.produced` | they were acknowledged |
//! | `transaction.complete` | the offsets were added |
//! | `transaction.committed` | the broker has confirmed it |

#[cfg(feature = "failpoints")]
pub use armed::{arm, reached};

/// Ends the process here, where `MILLRACE_CRASH_AT` names this point.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::failpoint::reached($name)
    };
}

/// Nothing: this build has no failpoints.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {};
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::env;
    use std::num::NonZeroUsize;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::error::KafkaError;

    /// For [`failpoint!`](crate::failpoint): the process is at a point.
    pub fn reached(name: &str) {
        ::fail::fail_point!(name);
    }

    const VARIABLE: &str = "MILLRACE_CRASH_AT";

    /// Lets the process end at once when it comes to a point for the n-th time, if `MILLRACE_CRASH_AT=POINT:N` is set.
    /// Nothing is closed or flushed then.
    ///
    /// # Errors
    /// [`KafkaError::Setting`] where the variable says anything else.
    pub fn arm() -> Result<(), KafkaError> {
        let Ok(value) = env::var(VARIABLE) else { return Ok(()) };
        let setting = |reason: &str| KafkaError::Setting {
            name: VARIABLE.to_owned(),
            value: value.clone(),
            reason: reason.to_owned(),
        };
        let parsed = value.split_once(':').and_then(|(point, hit)| Some((point, hit.parse::<NonZeroUsize>().ok()?)));
        let (point, hit) = parsed.ok_or_else(|| setting("it must be a point, a colon and a number from 1"))?;
        let (name, hits) = (point.to_owned(), AtomicUsize::new(0));
        let crash = move || {
            if hits.fetch_add(1, Ordering::Relaxed) + 1 == hit.get() {
                tracing::error!(point = name, hit, "ending as in a crash");
                std::process::abort();
            }
        };
        fail::cfg_callback(point, crash).map_err(|reason| setting(&reason))
    }
}

//! Failpoints: places at which tests crash the process, to see what a restart finds.
//!
//! Only builds with the feature `failpoints` have them; elsewhere the macro expands to nothing.
//!
//! | point | reached when |
//! |---|---|
//! | `record.taken` | a record is about to be processed |
//! | `record.processed` | it was processed and its dead letter, if any, acknowledged; not yet marked as completed |
//! | `letter.refused` | a record was rejected; its dead letter is not written yet |
//! | `letter.acknowledged` | its dead letter was acknowledged; the record is not yet marked as completed |
//! | `offsets.done` | records were marked as completed |
//! | `offsets.sent` | an offset commit was sent |
//! | `offsets.committed` | the broker confirmed the commit |
//! | `batch.taken` | a batch is about to be written |
//! | `batch.written` | its rows and the offset were written |
//! | `batch.lettered` | its dead letters were acknowledged |
//! | `batch.committed` | the store confirmed the transaction |
//! | `transaction.taken` | a transaction's records were made |
//! | `transaction.produced` | they were acknowledged |
//! | `transaction.complete` | the offsets were added to the transaction |
//! | `transaction.committed` | the broker confirmed the transaction |

#[cfg(feature = "failpoints")]
pub use armed::{arm, reached};

/// Aborts the process here if `MILLRACE_CRASH_AT` names this point.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::failpoint::reached($name)
    };
}

/// Expands to nothing: this build has no failpoints.
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

    /// Called by [`failpoint!`](crate::failpoint): the process has reached a point.
    pub fn reached(name: &str) {
        ::fail::fail_point!(name);
    }

    const VARIABLE: &str = "MILLRACE_CRASH_AT";

    /// Arms the failpoint that `MILLRACE_CRASH_AT=POINT:N` names: the process aborts when it reaches it for the n-th
    /// time. Nothing is closed or flushed.
    ///
    /// # Errors
    /// [`KafkaError::Setting`] where the variable has another format.
    pub fn arm() -> Result<(), KafkaError> {
        let Ok(value) = env::var(VARIABLE) else { return Ok(()) };
        let setting = |reason: &str| KafkaError::Setting {
            name: VARIABLE.to_owned(),
            value: value.clone(),
            reason: reason.to_owned(),
        };
        let parsed = value.split_once(':').and_then(|(point, hit)| Some((point, hit.parse::<NonZeroUsize>().ok()?)));
        let (point, hit) = parsed.ok_or_else(|| setting("expected POINT:N with N from 1"))?;
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

//! Limits of one destination: time-out, attempts, queue, concurrency, rate, circuit breaker.

use std::time::Duration;

use millrace_domain::Backoff;

use super::retry::RetryPolicy;

/// The limits of a destination.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    /// How long one attempt may take, from connecting to the end of the answer.
    pub(crate) timeout: Duration,
    /// Attempts and the delays between them.
    pub(crate) retry: RetryPolicy,
    /// How many notifications the destination may hold: queued, in flight or backing off.
    pub(crate) queue: usize,
    /// How many attempts are made at the same time.
    pub(crate) concurrency: usize,
    /// Attempts a second, and the burst; `None` is no limit.
    pub(crate) rate: Option<(f64, u32)>,
    /// How many failures in a row open the circuit breaker.
    pub(crate) breaker_failures: u32,
    /// How long it stays open before a probe.
    pub(crate) breaker_cool_down: Duration,
}

impl Limits {
    /// The defaults of a destination on this machine, which writes concurrent notifications in one batch.
    pub(crate) fn local() -> Self {
        let remote = Self::default();
        Self { concurrency: remote.queue, ..remote }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let backoff = Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(30) };
        Self {
            timeout: Duration::from_secs(5),
            retry: RetryPolicy { attempts: 5, backoff },
            queue: 1_000,
            concurrency: 32,
            rate: None,
            breaker_failures: 20,
            breaker_cool_down: Duration::from_secs(5),
        }
    }
}

//! Why an invocation has no answer.

use std::time::Duration;

use serde_json::Value;

/// An invocation ended without an answer. A gateway tells its caller 500.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// The process did not come to its first `next`.
    #[error("init failed: {reason}; the process wrote:\n{log}")]
    Init {
        /// What it reported, else how it ended.
        reason: Value,
        /// What it wrote to its output and errors.
        log: String,
    },
    /// The function reported an error in place of an answer.
    #[error("the function failed: {0}")]
    Reported(Value),
    /// The time-out came first, and the environment was killed.
    #[error("the task timed out after {0:?}")]
    TimedOut(Duration),
    /// The process ended during the invocation.
    #[error("the process ended with {status}; it wrote:\n{log}")]
    Exited {
        /// How.
        status: String,
        /// What it wrote to its output and errors.
        log: String,
    },
}

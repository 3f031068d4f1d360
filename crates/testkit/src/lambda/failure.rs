//! Failed invocations.

use std::time::Duration;

use serde_json::Value;

/// An invocation ended without a response. A gateway answers 500.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// The process did not reach its first `next`.
    #[error("init failed: {reason}; its log:\n{log}")]
    Init {
        /// The error that it reported, else its exit status.
        reason: Value,
        /// Its output and errors.
        log: String,
    },
    /// The function reported an error.
    #[error("the function failed: {0}")]
    Reported(Value),
    /// The invocation timed out, and the environment was killed.
    #[error("the task timed out after {0:?}")]
    TimedOut(Duration),
    /// The process exited during the invocation.
    #[error("the process exited with {status}; its log:\n{log}")]
    Exited {
        /// Its exit status.
        status: String,
        /// Its output and errors.
        log: String,
    },
}

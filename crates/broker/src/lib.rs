//! Brokers on this machine, for development and for tests.
//!
//! - [`embedded`]: librdkafka's mock cluster, inside this process: nothing to install, bounded, forgetful.
//! - [`apache`]: the real Apache Kafka, started from its Maven jars where a JDK is there: one broker or three, with
//!   the faults a test wants (pause, kill, restart).
//! - [`topics`]: makes the missing topics on any broker that has the admin API.
//! - [`port`]: free ports that a restart finds free again.
//! - [`supervise`]: child processes that end when this process does, however it ends.
//!
//! Everything listens on the loopback interface only.

pub mod apache;
pub mod embedded;
pub mod port;
mod probe;
pub mod supervise;
pub mod topics;

pub use apache::{Apache, ApacheCluster};
pub use embedded::Embedded;

/// Runs `work` where it may block: starting processes, reading files, and librdkafka's questions.
///
/// Once begun it runs to its end, also when nobody waits for it any more; a panic of it is the caller's.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}

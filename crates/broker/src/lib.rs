//! Brokers on this machine, for development and for tests.
//!
//! - [`embedded`]: librdkafka's mock cluster in this process: nothing to install, in memory, with limits.
//! - [`apache`]: Apache Kafka from its Maven jars, where a JDK is installed: one broker or three, with fault injection
//!   (pause, kill, restart).
//! - [`topics`]: creates missing topics on any broker with the admin API.
//! - [`jars`]: the jars of a server written in Java, fetched once.
//! - [`port`]: free ports that stay free over a restart.
//! - [`supervise`]: child processes that end with this process, however it ends.
//!
//! Everything listens on the loopback interface only.

pub mod apache;
pub mod embedded;
pub mod jars;
mod log;
pub mod port;
mod probe;
pub mod supervise;
pub mod topics;

pub use apache::{Apache, ApacheCluster};
pub use embedded::Embedded;

/// Runs blocking `work` on a blocking thread: processes, files and librdkafka calls.
///
/// It runs to its end also when the future is dropped; a panic of it resumes in the caller.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}

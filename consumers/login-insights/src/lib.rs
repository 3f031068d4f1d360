//! The consumer that understands logins: topic `user-login` → an insight for each batch of them on `processed-data`, and
//! a file for each insight.
//!
//! | module | its one idea |
//! |---|---|
//! | `insights` | logins in, insights out, in transactions |
//! | `closing` | when a batch is closed |
//! | `naming` | an insight's id follows from the logins it is made of |
//! | `files` | insights in, files out |
//! | `destination` | a folder or a bucket, for files |
//! | `members` | both halves at work, and the order in which they stop |
//!
//! It has two halves, each in a group of its own. The first makes insights, exactly once: each login is in one insight,
//! in the transaction that commits its offset. The second reads what was committed and writes the files, at least once:
//! a file's name and content follow from its insight, so that writing it again changes nothing.

mod app;
mod batching;
mod destination;
mod files;
mod insight_id;
mod insights;
mod runner;
mod settings;

pub use destination::Destination;
pub use files::Files;
pub use insights::{Insights, SeenLogin};
pub use runner::{LoginInsights, Runner};
pub use settings::Settings;

use std::time::Duration;

use millrace_consumer::{ConsumerOptions, Subscription};
use millrace_domain::{Backoff, event, insight};

/// The consumer's name.
pub const NAME: &str = "login-insights";

/// The name of the half that writes files.
pub const FILES: &str = "login-insights-files";

/// What the half that makes insights reads, and as which group.
pub fn subscription() -> Subscription {
    Subscription::new(NAME, &[event::LOGIN.topic])
}

/// What the half that writes files reads, and as which group.
pub fn files_subscription() -> Subscription {
    Subscription::new(FILES, &[insight::TOPIC])
}

/// The options that the half that makes insights runs with: what may be in flight is enough for full batches.
pub fn consumer_options(options: ConsumerOptions) -> ConsumerOptions {
    ConsumerOptions { max_in_flight: options.max_in_flight.max(10 * insight::FULL_BATCH), ..options }
}

/// The options that the half that writes files runs with: an insight without its file is tried again for as long as it
/// takes, because nobody else has what it says.
pub fn files_options(options: ConsumerOptions) -> ConsumerOptions {
    ConsumerOptions {
        concurrency: options.concurrency.min(32),
        max_attempts: u32::MAX,
        backoff: Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) },
        // The other half has drained before this one begins to.
        drain_deadline: Duration::from_secs(12),
        ..options
    }
}

//! The consumer that aggregates logins: topic `user-login` → an insight for each batch on `processed-data`, and a file
//! for each insight.
//!
//! | module | its one idea |
//! |---|---|
//! | `insights` | aggregates batches of logins into insights, in transactions |
//! | `batching` | when a batch is full or due |
//! | `insight_id` | the id of an insight, derived from its logins |
//! | `files` | writes the file of each insight |
//! | `runner` | runs both consumers, and stops them in order |
//! | `app` | start-up, for every host |
//!
//! It is two consumers, each in its own group. The first makes insights, exactly once: each login is in one insight, in
//! the transaction that commits its offset. The second reads committed insights and writes their files, at least once: a
//! file's name and content are derived from its insight, so that writing it again is idempotent.

mod app;
mod batching;
mod files;
mod insight_id;
mod insights;
mod runner;
mod settings;

pub use files::Files;
pub use insights::{Insights, SeenLogin};
pub use runner::{LoginInsights, Runner};
pub use settings::Settings;

use std::time::Duration;

use millrace_consumer::{ConsumerOptions, Subscription};
use millrace_domain::{Backoff, event, insight};

/// The consumer's name.
pub const NAME: &str = "login-insights";

/// The name of the consumer that writes files.
pub const FILES: &str = "login-insights-files";

/// The topics that the consumer of logins reads, and its consumer group.
pub fn subscription() -> Subscription {
    Subscription::new(NAME, &[event::LOGIN.topic])
}

/// The topics that the consumer of insights reads, and its consumer group.
pub fn files_subscription() -> Subscription {
    Subscription::new(FILES, &[insight::TOPIC])
}

/// The options of the consumer of logins: enough records in flight for full batches.
pub fn consumer_options(options: ConsumerOptions) -> ConsumerOptions {
    ConsumerOptions { max_in_flight: options.max_in_flight.max(10 * insight::FULL_BATCH), ..options }
}

/// The options of the consumer that writes files. It retries without limit: a dead letter would leave an insight without
/// its file.
pub fn files_options(options: ConsumerOptions) -> ConsumerOptions {
    ConsumerOptions {
        concurrency: options.concurrency.min(32),
        max_attempts: u32::MAX,
        backoff: Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) },
        // It drains after the consumer of logins has drained.
        drain_deadline: Duration::from_secs(12),
        ..options
    }
}

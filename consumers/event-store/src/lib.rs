//! The consumer that keeps events: topics `events` and `payments` → the table `events`, each id once.
//!
//! | module | its one idea |
//! |---|---|
//! | `row` | a record as a row, or why it is none |
//! | `event_store` | batches of rows, and the offset after them, in one transaction |
//!
//! The database says where a partition goes on: rows and offset are committed together, so that a crash neither loses
//! nor repeats one. The offsets are of one Kafka cluster; under another one they are others.

mod app;
mod event_store;
mod row;

pub use app::EventStoreApp;
pub use event_store::EventStore;

use millrace_consumer::Subscription;

/// The consumer's name.
pub const NAME: &str = "event-store";

/// What it reads, and as which group.
pub fn subscription() -> Subscription {
    Subscription::new(NAME, &[millrace_domain::event::REGISTERED.topic, millrace_domain::payment::TOPIC])
}

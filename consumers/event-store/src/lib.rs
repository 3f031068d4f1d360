//! The consumer that stores events: topics `events` and `payments` → the table `events`, each id once.
//!
//! | module | its one idea |
//! |---|---|
//! | `row` | maps a record to a row |
//! | `event_store` | writes batches of rows and the next offset in one transaction |
//! | `app` | start-up, for every host |
//!
//! The start offset of a partition comes from the database: rows and offset are committed together, so that a crash
//! neither loses nor repeats a row. Offsets are stored by Kafka cluster and topic id.

mod app;
mod event_store;
mod row;

pub use app::EventStoreApp;
pub use event_store::EventStore;

use millrace_consumer::Subscription;

/// The consumer's name.
pub const NAME: &str = "event-store";

/// The topics it reads, and its consumer group.
pub fn subscription() -> Subscription {
    Subscription::new(NAME, &[millrace_domain::event::REGISTERED.topic, millrace_domain::payment::TOPIC])
}

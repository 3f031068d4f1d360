//! What tests stand on: a real Kafka and a real PostgreSQL, servers that misbehave when told to, and a checker of what
//! became of each event.
//!
//! Nothing here is retried to be green, and nothing sleeps to be right: [`wait::eventually`] waits for a condition
//! with a bound. What fails panics with its reason, as it is a test that calls.

mod blocking;
mod docker;
pub mod journal;
pub mod kafka;
pub mod lambda;
mod missing;
pub mod postgres;
pub mod smtp;
pub mod wait;
pub mod webhook;

pub use journal::Journal;
pub use kafka::Kafka;
pub use postgres::Postgres;
pub use smtp::SmtpSink;
pub use wait::eventually;
pub use webhook::WebhookReceiver;

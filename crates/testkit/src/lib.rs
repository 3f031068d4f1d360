//! Test support: a real Kafka, PostgreSQL and OpenSearch, servers with scripted failures, AWS Lambda, and a check for lost,
//! duplicated and reordered events.
//!
//! No test is retried and none depends on a sleep: [`wait::eventually`] waits for a condition with a time-out. Failures
//! panic with their reason, since the callers are tests.

mod blocking;
pub mod bucket;
mod docker;
pub mod journal;
pub mod kafka;
pub mod lambda;
pub mod missing;
pub mod opensearch;
pub mod postgres;
pub mod program;
pub mod smtp;
pub mod wait;
pub mod webhook;

pub use bucket::Bucket;
pub use journal::Journal;
pub use kafka::Kafka;
pub use opensearch::OpenSearch;
pub use postgres::Postgres;
pub use program::Program;
pub use smtp::SmtpSink;
pub use wait::eventually;
pub use webhook::WebhookReceiver;

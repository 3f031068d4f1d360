//! The consumer that makes cleaned logs searchable: topic `cleaned-logs` → OpenSearch.
//!
//! | module | its one idea |
//! |---|---|
//! | `document` | a record as a document: its id, its day, its JSON |
//! | `day_index` | an index for each day: names, and which are too old |
//! | `bulk` | documents as calls of `_bulk`, and what an answer says of each |
//! | `cluster` | the HTTP calls to a cluster |
//! | `indexer` | writes batches: what a call did not take is sent again, what it refuses is dead-lettered |
//! | `retention` | deletes indices that are too old |
//! | `settings` | what a user can set |
//! | `app` | start-up, for every host |
//!
//! Offsets are committed once the cluster has acknowledged all documents up to there: at least once. A document's id is its
//! row's, and its index is its row's day: what comes again replaces itself.

mod app;
mod bulk;
mod cluster;
mod day_index;
mod document;
mod indexer;
mod retention;
mod settings;
#[cfg(feature = "sigv4")]
mod signature;

pub use document::Document;
pub use indexer::LogIndexer;
pub use settings::Settings;

use millrace_consumer::Subscription;

/// The consumer's name.
pub const NAME: &str = "log-indexer";

/// The topic it reads.
pub const TOPIC: &str = "cleaned-logs";

/// The topic it reads, and its consumer group.
pub fn subscription() -> Subscription {
    Subscription::new(NAME, &[TOPIC])
}

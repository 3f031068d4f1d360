//! The consumer runtime: one engine, three modes.
//!
//! | mode | scheduler | offsets are committed | for |
//! |---|---|---|---|
//! | keyed | `scheduler::keyed` | to the group, at an interval | effects outside of Kafka: at least once, order per key |
//! | batch | `scheduler::batch` | with the rows, in the database's transaction | rows of a database: effectively once |
//! | | | to the group, after the destination's answer | objects and delivery streams: at least once |
//! | transactional | `scheduler::keyed` | in the producing transaction (KIP-447) | records made of records: exactly once |
//!
//! Each topic has a group member of its own (`group_member`). One task polls its client, owns the assignment and commits. A mode only says how polled records become tasks
//! (`scheduler`) and how progress is committed (`commit`). Assignment epochs, back-pressure on records and bytes, retries,
//! dead letters and their limit, cooperative rebalances that drain what is revoked, a bounded stop and metrics are the
//! same in all of them.

mod assignment;
mod attempts;
mod broker_watch;
mod client;
mod commit;
mod consumer;
mod context;
mod dlq;
mod engine;
mod error;
mod group_member;
mod group_offsets;
mod membership_watch;
mod offset_map;
mod options;
mod outcome;
mod partition_ends;
mod processor;
mod progress;
mod query;
mod scheduler;
mod spill;
mod start_offsets;
mod telemetry;
mod trace;

pub use attempts::{AcquireError, Attempt};
pub use consumer::Consumer;
pub use error::ConsumerError;
pub use offset_map::{CompletedOffsets, UnrecognizedMetadata};
pub use options::{BatchLimits, ConsumerOptions, GroupProtocol, OrderKey, Subscription};
pub use outcome::Outcome;
pub use processor::{
    Batch, BatchError, BatchProcessor, DestinationQueues, OffsetStorage, Processor, Refused, Transformer, Written,
};
pub use progress::Progress;

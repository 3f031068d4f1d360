//! Millrace's Kafka client: the producer, the one consumer runtime, dead letters, and how to reach a broker.

mod client;
pub mod cluster;
pub mod consumer;
pub mod error;
mod failpoint;
mod ffi;
pub mod headers;
#[cfg(feature = "msk")]
pub mod msk;
mod new_record;
pub mod offsets;
mod patience;
pub mod producer;
pub mod reader;
pub mod record;
pub mod settings;

pub use error::KafkaFailure;
pub use new_record::NewRecord;
pub use offsets::{Committed, GroupOffsets};
pub use producer::{Ack, OutgoingRecord, ProduceError, Producer};
pub use reader::{Read, Reader};
pub use record::Record;
pub use settings::KafkaSettings;

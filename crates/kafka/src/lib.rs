//! Millrace's Kafka client: producer, transactions, admin client, group offsets and connection settings.

pub mod admin;
pub mod error;
pub mod failpoint;
mod ffi;
pub mod headers;
pub mod logging_context;
mod membership;
#[cfg(feature = "msk")]
pub mod msk;
pub mod offsets;
mod owned_record;
pub mod producer;
pub mod reader;
mod rebootstrap;
pub mod record;
pub mod retry;
pub mod settings;

pub use error::KafkaError;
pub use ffi::{commit_async, is_group_member, known_end};
pub use membership::{Membership, membership};
pub use offsets::{Committed, GroupOffsets};
pub use owned_record::OwnedProducerRecord;
pub use producer::{Ack, ProduceError, Producer, ProducerRecord};
pub use reader::{Read, Reader};
pub use rebootstrap::Rebootstrap;
pub use record::Record;
pub use settings::KafkaSettings;

//! Millrace's domain: event types, validation, partition keys, payments, insights and dead-letter headers.
//!
//! The crate is pure: it does no I/O and depends on no runtime, Kafka, AWS or HTTP crate, which a test over the package
//! graph asserts. Callers pass in times and random numbers.

pub mod backoff;
pub mod catalogue;
pub mod cloud_event;
pub mod dead_letter;
pub mod digest;
pub mod envelope;
pub mod error_class;
pub mod event;
pub mod field;
pub mod id;
pub mod insight;
pub mod key;
pub mod payment;
pub mod record_count;
pub mod topic_plan;
pub mod traceparent;
pub mod utc;

pub use backoff::Backoff;
pub use digest::Digest;
pub use envelope::Envelope;
pub use error_class::{DeadLetterClass, ErrorClass};
pub use field::{FieldError, ValidationErrors};
pub use id::EventId;
pub use key::{KeyError, check_key};
pub use record_count::RecordCount;
pub use utc::UtcDateTime;

//! Millrace's pure decisions: what an event is, where it goes, what becomes of a record.
//!
//! Nothing here does I/O, knows the time or draws a random number by itself: callers pass both in.
//! The crate depends on no runtime, Kafka, AWS or HTTP crate, and a test over the package graph keeps it so.

pub mod backoff;
pub mod catalogue;
pub mod cloud_event;
pub mod dead_letter;
pub mod digest;
pub mod done;
pub mod envelope;
pub mod event;
pub mod field;
pub mod id;
pub mod insight;
pub mod json;
pub mod ledger;
pub mod outcome;
pub mod payment;
pub mod traceparent;

pub use backoff::Backoff;
pub use digest::Digest;
pub use done::Done;
pub use envelope::Envelope;
pub use field::{FieldError, FieldErrors};
pub use id::EventId;
pub use ledger::Ledger;
pub use outcome::{DeadLetterClass, ErrorClass, Outcome};

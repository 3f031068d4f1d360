//! Events, notifications and consumers' offsets, kept in PostgreSQL or in a SQLite file behind one port: [`Store`].
//!
//! - A batch of events and the offset it ends at are one transaction ([`Store::write_events`]), so a partition resumes
//!   exactly behind its rows. Whoever writes says which offset it believes to be stored; where that is wrong, somebody
//!   else has moved on, and nothing is written ([`StoreError::Superseded`]).
//! - An id names one payload, known by its digest, be it a row's or a notification's (a payment's is both). The same
//!   payload again changes nothing; another one is refused ([`Refusal::IdempotencyConflict`]).
//! - A notification is accepted once ([`Store::accept_notifications`]), and what was delivered is remembered
//!   ([`Store::record_deliveries`]).
//! - Old rows can be deleted, in batches ([`Store::delete_older`]).
//!
//! Migrations are in the program and run when it connects. The SQL is plain, and the tests run all of it on both
//! databases.

mod accept;
mod address;
mod error;
mod event;
mod id_conflicts;
mod id_uniqueness;
mod migrations;
mod notification;
mod postgres;
mod retention;
mod sqlite;
mod store;
mod tables;
mod write;

pub use address::{check_url, sqlite_url};
pub use error::StoreError;
pub use event::{EventBatch, EventRow, Refusal, Refused, StoredEvent};
pub use notification::{
    AcceptResult, Delivery, DeliveryStatus, DestinationProgress, NewNotification, NotificationOutcome,
    NotificationResult, NotificationStatus, Progress, StoredDelivery, StoredNotification,
};
pub use retention::RetainedTable;
pub use store::Store;
pub use write::PendingWrite;

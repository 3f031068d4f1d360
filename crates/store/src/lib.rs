//! Events, notifications and consumers' offsets in PostgreSQL or a SQLite file, behind one port: [`Store`].
//!
//! - A batch of events and the offset after it are one transaction ([`Store::write_events`]), so a partition resumes
//!   exactly after its rows. The writer states the stored offset that it expects; if another owner has moved it, nothing
//!   is written ([`StoreError::Superseded`]).
//! - An id names one payload, identified by its digest, in events and notifications together (a payment is both). The
//!   same payload again changes nothing; another one is refused ([`Refusal::IdempotencyConflict`]).
//! - A notification is accepted once ([`Store::accept_notifications`]), and its deliveries are recorded
//!   ([`Store::record_deliveries`]).
//! - Old rows are deleted in batches ([`Store::delete_older`]).
//!
//! Migrations are compiled in and run on connect. The tests run all SQL on both databases.

mod accept;
mod address;
mod backend;
mod credentials;
mod error;
mod event;
mod id_conflicts;
mod id_uniqueness;
mod migrations;
mod notification;
mod postgres;
mod retention;
#[cfg(feature = "sqlite")]
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

//! [`Lookup`] in the database.

use millrace_store::{Store, StoreError};
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use crate::sink::BoxFuture;
use crate::stored::{
    DeliveryStatus, Lookup, LookupError, NotificationStatus, StoredDelivery, StoredEvent, StoredNotification,
};

impl Lookup for Store {
    fn event<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredEvent>, LookupError>> {
        Box::pin(async move { Self::event(self, id).await.map_err(unavailable)?.map(event).transpose() })
    }

    fn notification<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredNotification>, LookupError>> {
        Box::pin(async move { Ok(Self::notification(self, id).await.map_err(unavailable)?.map(notification)) })
    }
}

/// A database that connects on the first lookup: accepting events does not wait for it.
#[derive(Debug)]
pub struct LazyDatabase {
    url: String,
    store: OnceCell<Store>,
}

impl LazyDatabase {
    /// The database at this URL.
    ///
    /// # Errors
    /// [`StoreError::Url`] where the URL is not a database's.
    pub fn at(url: String) -> Result<Self, StoreError> {
        millrace_store::check_url(&url)?;
        Ok(Self { url, store: OnceCell::new() })
    }

    async fn open(&self) -> Result<&Store, LookupError> {
        self.store.get_or_try_init(|| Store::connect(&self.url)).await.map_err(unavailable)
    }
}

impl Lookup for LazyDatabase {
    fn event<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredEvent>, LookupError>> {
        Box::pin(async move { Lookup::event(self.open().await?, id).await })
    }

    fn notification<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredNotification>, LookupError>> {
        Box::pin(async move { Lookup::notification(self.open().await?, id).await })
    }
}

fn event(stored: millrace_store::StoredEvent) -> Result<StoredEvent, LookupError> {
    Ok(StoredEvent {
        id: stored.id,
        event_type: stored.event_type,
        source: stored.source,
        topic: stored.topic,
        partition: stored.partition,
        offset: stored.offset,
        key: stored.key,
        time: stored.time.to_string(),
        received_at: stored.received_at.to_string(),
        data: RawValue::from_string(stored.data).map_err(unavailable)?,
    })
}

fn notification(stored: millrace_store::StoredNotification) -> StoredNotification {
    StoredNotification {
        id: stored.id,
        user_id: stored.user_id,
        status: match stored.status {
            millrace_store::NotificationStatus::Accepted => NotificationStatus::Accepted,
            millrace_store::NotificationStatus::Delivered => NotificationStatus::Delivered,
            millrace_store::NotificationStatus::Failed => NotificationStatus::Failed,
        },
        deliveries: stored.deliveries.into_iter().map(delivery).collect(),
    }
}

fn delivery(stored: millrace_store::StoredDelivery) -> StoredDelivery {
    StoredDelivery {
        destination: stored.destination,
        attempt: stored.attempt,
        status: match stored.status {
            millrace_store::DeliveryStatus::Delivered => DeliveryStatus::Delivered,
            millrace_store::DeliveryStatus::Failed => DeliveryStatus::Failed,
        },
        at: stored.at.to_string(),
        error: stored.error,
    }
}

fn unavailable(error: impl std::fmt::Display) -> LookupError {
    LookupError::Unavailable { reason: error.to_string() }
}

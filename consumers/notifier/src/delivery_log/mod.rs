//! The delivery log: accepted notifications, attempts and outcomes in the database, so that nothing recorded as delivered
//! is delivered again.
//!
//! A notification is recorded as accepted before its first attempt, and its outcome is recorded before the offset is
//! committed. After a crash between a delivery and its record the notification is delivered again, under the same id.

mod context;
mod group_commit;

use jiff::Timestamp;
use millrace_domain::Digest;
use millrace_store::{AcceptResult, Delivery, NewNotification, NotificationOutcome, NotificationResult, Store};
use tokio::sync::oneshot;

pub(crate) use self::context::DeliveryContext;
use self::group_commit::{GroupCommit, commit};

/// Writes to the tables of notifications and deliveries, each by group commit.
pub(crate) struct DeliveryLog {
    accepting: GroupCommit<AcceptRequest>,
    recording: GroupCommit<LogEntry>,
}

/// The origin of a notification's id, with the digest of the payload that it names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum IdOrigin {
    /// The producer's `ce_id`.
    Producer(Digest),
    /// The record's position, which another record of a recreated topic may have had.
    Position(Digest),
}

/// A notification to be recorded as accepted.
struct AcceptRequest {
    id: String,
    user_id: String,
    origin: IdOrigin,
    at: Timestamp,
    reply: oneshot::Sender<Result<AcceptResult, String>>,
}

/// An entry to be written.
enum LogEntry {
    Attempt(AttemptRecord),
    Outcome { event_id: String, outcome: NotificationOutcome, reply: oneshot::Sender<Result<(), String>> },
}

/// A finished attempt.
pub(crate) struct AttemptRecord {
    pub(crate) event_id: String,
    pub(crate) user_id: String,
    pub(crate) destination: String,
    pub(crate) attempt: i32,
    pub(crate) at: Timestamp,
    pub(crate) error: Option<String>,
}

impl DeliveryLog {
    /// A log in this store. Writes run in tasks of the current runtime, and end with it.
    pub(crate) fn new(store: Store) -> Self {
        group_commit::describe();
        let recording = store.clone();
        Self {
            accepting: GroupCommit::start(move |requests| accept(store.clone(), requests)),
            recording: GroupCommit::start(move |entries| record(recording.clone(), entries)),
        }
    }

    /// Records a notification as accepted. Waits while the database is unavailable.
    ///
    /// # Errors
    /// The store's error, where it is not transient.
    pub(crate) async fn accept(&self, id: &str, user_id: &str, origin: IdOrigin) -> Result<AcceptResult, String> {
        self.submit(id, user_id, origin).await.unwrap_or_else(|_| Err(SHUTTING_DOWN.to_owned()))
    }

    /// Records a notification as accepted, in the background. It is accepted again when it is processed.
    pub(crate) fn accept_in_background(&self, id: &str, user_id: &str, origin: IdOrigin) {
        drop(self.submit(id, user_id, origin));
    }

    fn submit(&self, id: &str, user_id: &str, origin: IdOrigin) -> oneshot::Receiver<Result<AcceptResult, String>> {
        let (reply, accepted) = oneshot::channel();
        let (id, user_id) = (id.to_owned(), user_id.to_owned());
        self.accepting.submit(AcceptRequest { id, user_id, origin, at: Timestamp::now(), reply });
        accepted
    }

    /// Records an attempt, in the background.
    pub(crate) fn record_attempt(&self, attempt: AttemptRecord) {
        self.recording.submit(LogEntry::Attempt(attempt));
    }

    /// Records a notification's outcome, after its attempts. Waits while the database is unavailable.
    ///
    /// # Errors
    /// The store's error, where it is not transient.
    pub(crate) async fn record_outcome(&self, event_id: &str, outcome: NotificationOutcome) -> Result<(), String> {
        let (reply, written) = oneshot::channel();
        self.recording.submit(LogEntry::Outcome { event_id: event_id.to_owned(), outcome, reply });
        written.await.unwrap_or_else(|_| Err(SHUTTING_DOWN.to_owned()))
    }
}

const SHUTTING_DOWN: &str = "the process is shutting down";

async fn accept(store: Store, requests: Vec<AcceptRequest>) {
    let new: Vec<_> = requests.iter().map(AcceptRequest::as_new).collect();
    match commit(|| store.accept_notifications(&new)).await {
        Ok(accepted) => {
            for (request, accepted) in requests.into_iter().zip(accepted) {
                // The receiver may be dropped: its partition was revoked.
                let _ = request.reply.send(Ok(accepted));
            }
        }
        Err(error) => {
            for request in requests {
                let _ = request.reply.send(Err(error.clone()));
            }
        }
    }
}

async fn record(store: Store, entries: Vec<LogEntry>) {
    let (mut attempts, mut results) = (Vec::new(), Vec::new());
    for entry in &entries {
        match entry {
            LogEntry::Attempt(attempt) => attempts.push(attempt.as_delivery()),
            LogEntry::Outcome { event_id, outcome, .. } => {
                results.push(NotificationResult { event_id, outcome: *outcome });
            }
        }
    }
    let written = commit(|| store.record_deliveries(&attempts, &results)).await;
    for entry in entries {
        if let LogEntry::Outcome { reply, .. } = entry {
            // The receiver may be dropped: its partition was revoked.
            let _ = reply.send(written.clone());
        }
    }
}

impl AcceptRequest {
    fn as_new(&self) -> NewNotification<'_> {
        let (digest, is_synthetic_id) = match self.origin {
            IdOrigin::Producer(digest) => (digest, false),
            IdOrigin::Position(digest) => (digest, true),
        };
        NewNotification { id: &self.id, user_id: &self.user_id, digest, accepted_at: self.at, is_synthetic_id }
    }
}

impl AttemptRecord {
    fn as_delivery(&self) -> Delivery<'_> {
        use millrace_store::DeliveryStatus::{Delivered, Failed};
        Delivery {
            event_id: &self.event_id,
            user_id: &self.user_id,
            destination: &self.destination,
            attempt: self.attempt,
            status: if self.error.is_none() { Delivered } else { Failed },
            at: self.at,
            error: self.error.as_deref(),
        }
    }
}

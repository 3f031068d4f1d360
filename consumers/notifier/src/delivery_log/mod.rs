//! What the database remembers of deliveries, so that nothing recorded as delivered is delivered again.
//!
//! | file | its one idea |
//! |---|---|
//! | `group_commit` | many notifications share a transaction |
//! | `turn` | one notification on its way: what is known of it, and what it adds |
//!
//! A notification is taken up before it is delivered and concluded after, both committed before anything follows from
//! it. Between a delivery and its record a crash may fall: then it is delivered again, under the same id.

mod context;
mod group_commit;

use jiff::Timestamp;
use millrace_domain::Digest;
use millrace_store::{AcceptResult, Delivery, NewNotification, NotificationOutcome, NotificationResult, Store};
use tokio::sync::oneshot;

pub(crate) use self::context::DeliveryContext;
use self::group_commit::{GroupCommit, Tries};

/// The deliveries table, and those who wait for it.
pub(crate) struct DeliveryLog {
    accepting: GroupCommit<NotificationRecord>,
    recording: GroupCommit<Note>,
}

/// Where a notification's id is from, with the digest of what it names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Name {
    /// From its producer.
    Given(Digest),
    /// From its record's place, at which another record may have stood.
    Place(Digest),
}

/// A notification that wants to be taken up.
struct NotificationRecord {
    id: String,
    user_id: String,
    name: Name,
    at: Timestamp,
    answer: oneshot::Sender<Result<AcceptResult, String>>,
}

/// What is to be written down.
enum Note {
    Attempt(AttemptRecord),
    NotificationResult { event_id: String, outcome: NotificationOutcome, answer: oneshot::Sender<Result<(), String>> },
}

/// An attempt that ended.
pub(crate) struct AttemptRecord {
    pub(crate) event_id: String,
    pub(crate) user_id: String,
    pub(crate) destination: String,
    pub(crate) attempt: i32,
    pub(crate) at: Timestamp,
    pub(crate) error: Option<String>,
}

impl DeliveryLog {
    /// The table in this store. Writes run in tasks of the current runtime, and end with it.
    pub(crate) fn of(store: Store) -> Self {
        let recording = store.clone();
        Self {
            accepting: GroupCommit::start(move |arrivals| accept(store.clone(), arrivals)),
            recording: GroupCommit::start(move |notes| record(recording.clone(), notes)),
        }
    }

    /// Takes a notification up. Waits for as long as the database is away.
    ///
    /// # Errors
    /// What a person must mend.
    pub(crate) async fn accept(&self, id: &str, user_id: &str, name: Name) -> Result<AcceptResult, String> {
        self.submit(id, user_id, name).await.unwrap_or_else(|_| Err(ENDED.to_owned()))
    }

    /// Takes a notification up that is not to be delivered yet. It is taken up again then.
    pub(crate) fn announce(&self, id: &str, user_id: &str, name: Name) {
        drop(self.submit(id, user_id, name));
    }

    fn submit(&self, id: &str, user_id: &str, name: Name) -> oneshot::Receiver<Result<AcceptResult, String>> {
        let (answer, accepted) = oneshot::channel();
        let (id, user_id) = (id.to_owned(), user_id.to_owned());
        self.accepting.submit(NotificationRecord { id, user_id, name, at: Timestamp::now(), answer });
        accepted
    }

    /// Writes an attempt down, with whatever comes next.
    pub(crate) fn note(&self, attempt: AttemptRecord) {
        self.recording.submit(Note::Attempt(attempt));
    }

    /// Writes down how a notification ended, after its attempts. Waits for as long as the database is away.
    ///
    /// # Errors
    /// What a person must mend.
    pub(crate) async fn conclude(&self, event_id: &str, outcome: NotificationOutcome) -> Result<(), String> {
        let (answer, written) = oneshot::channel();
        self.recording.submit(Note::NotificationResult { event_id: event_id.to_owned(), outcome, answer });
        written.await.unwrap_or_else(|_| Err(ENDED.to_owned()))
    }
}

const ENDED: &str = "the process is ending";

async fn accept(store: Store, arrivals: Vec<NotificationRecord>) {
    let new: Vec<_> = arrivals.iter().map(NotificationRecord::as_new).collect();
    let mut tries = Tries::default();
    let accepted = loop {
        match store.accept_notifications(&new).await {
            Ok(accepted) => break Ok(accepted),
            Err(error) => {
                if let Err(reason) = tries.after(error).await {
                    break Err(reason);
                }
            }
        }
    };
    match accepted {
        Ok(accepted) => {
            for (arrival, accepted) in arrivals.into_iter().zip(accepted) {
                // Whoever waited may have given up.
                let _ = arrival.answer.send(Ok(accepted));
            }
        }
        Err(error) => {
            for arrival in arrivals {
                let _ = arrival.answer.send(Err(error.clone()));
            }
        }
    }
}

async fn record(store: Store, notes: Vec<Note>) {
    let (mut attempts, mut conclusions) = (Vec::new(), Vec::new());
    for note in &notes {
        match note {
            Note::Attempt(ended) => attempts.push(ended.as_delivery()),
            Note::NotificationResult { event_id, outcome, .. } => {
                conclusions.push(NotificationResult { event_id, outcome: *outcome });
            }
        }
    }
    let mut tries = Tries::default();
    let written = loop {
        match store.record_deliveries(&attempts, &conclusions).await {
            Ok(()) => break Ok(()),
            Err(error) => {
                if let Err(reason) = tries.after(error).await {
                    break Err(reason);
                }
            }
        }
    };
    for note in notes {
        if let Note::NotificationResult { answer, .. } = note {
            // Whoever waited may have given up.
            let _ = answer.send(written.clone());
        }
    }
}

impl NotificationRecord {
    fn as_new(&self) -> NewNotification<'_> {
        let (digest, is_synthetic_id) = match self.name {
            Name::Given(digest) => (digest, false),
            Name::Place(digest) => (digest, true),
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

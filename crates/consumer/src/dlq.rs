//! The dead-letter queue: the record byte for byte, why it was rejected, and an acknowledgement before it counts as done.

pub(crate) mod cause;
pub(crate) mod size_limit;

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use millrace_domain::catalogue::dead_letter_topic;
use millrace_domain::dead_letter::DeadLetter;
use millrace_domain::{Backoff, ErrorClass};

use crate::attempts::Attempt;
use crate::dlq::cause::Cause;
use crate::dlq::size_limit::{Refusals, SizeLimits};
use crate::scheduler::TaskOutcome;
use millrace_kafka::KafkaSettings;
use millrace_kafka::OwnedProducerRecord;
use millrace_kafka::ProduceError;
use millrace_kafka::Record;
use millrace_kafka::failpoint;
use millrace_kafka::headers;
use millrace_kafka::producer::Producer;

/// Delays between attempts to write a dead letter: nothing is committed meanwhile, so it is tried for as long as it takes.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) };

/// Why a record is rejected.
#[derive(Debug, Clone)]
pub(crate) struct Rejection<'r> {
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// What is wrong, as one of a fixed set.
    pub(crate) cause: Cause,
    /// What is wrong.
    pub(crate) reason: &'r str,
}

/// The dead-letter queue of one group.
pub(crate) struct DeadLetterQueue<'p> {
    group: &'p str,
    /// Writes dead letters at once; without it they go with the record's transaction.
    writer: Option<Writer<'p>>,
}

/// Writes dead letters at once.
struct Writer<'p> {
    producer: &'p Producer,
    limits: SizeLimits<'p>,
}

impl<'p> DeadLetterQueue<'p> {
    /// Dead letters that `producer` writes at once.
    pub(crate) fn immediate(producer: &'p Producer, kafka: &'p KafkaSettings, group: &'p str) -> Self {
        Self { group, writer: Some(Writer { producer, limits: SizeLimits::new(kafka) }) }
    }

    /// Dead letters that the committer writes in a transaction.
    pub(crate) fn transactional(group: &'p str) -> Self {
        Self { group, writer: None }
    }

    /// Makes the dead letters of records. Where they are to be written at once, they are acknowledged when this returns, and
    /// none is returned.
    ///
    /// # Errors
    /// [`DlqWriteError`]: some may not be written.
    pub(crate) fn reject<'a, 'r, 'c: 'r>(
        &'a self,
        rejected: impl Iterator<Item = (&'r Record<'c>, Rejection<'r>)>,
        attempt: &'a Attempt<'_>,
    ) -> BoxFuture<'a, Result<Vec<OwnedProducerRecord>, DlqWriteError>> {
        self.write(rejected.map(|(record, rejection)| self.letter(record, &rejection)).collect(), attempt)
    }

    /// Boxed: what waits for a rare rejection stays small, and is compiled once, not with each processor.
    fn write<'a>(
        &'a self,
        letters: Vec<OwnedProducerRecord>,
        attempt: &'a Attempt<'_>,
    ) -> BoxFuture<'a, Result<Vec<OwnedProducerRecord>, DlqWriteError>> {
        async move {
            match &self.writer {
                Some(writer) => writer.write(letters, attempt).await.map(|()| Vec::new()),
                None => Ok(letters),
            }
        }
        .boxed()
    }

    /// The group that refuses records.
    pub(crate) fn group(&self) -> &'p str {
        self.group
    }

    fn letter(&self, record: &Record<'_>, rejection: &Rejection<'_>) -> OwnedProducerRecord {
        let Rejection { attempts, cause, reason } = *rejection;
        let class = cause.class();
        tracing::warn!(
            topic = record.topic(), partition = record.partition(), offset = record.offset(), event_id = record.id(),
            trace_id = record.trace_id(), attempts, %class, reason,
            "dead-lettering a record"
        );
        let letter = DeadLetter {
            topic: record.topic().to_owned(),
            partition: record.partition(),
            offset: record.offset(),
            timestamp: record.timestamp(),
            group: self.group.to_owned(),
            attempts,
            class,
            reason: reason.to_owned(),
        };
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        OwnedProducerRecord {
            topic: dead_letter_topic(record.topic()).into(),
            key: owned(record.key()),
            value: owned(record.value()),
            headers: headers::append(record.detach_headers(), letter.headers()),
        }
    }
}

/// Why dead letters were not written.
#[derive(Debug)]
pub(crate) enum DlqWriteError {
    /// The partition was revoked meanwhile: its next owner reads the records.
    Revoked,
    /// The broker refuses them for good.
    Refused(String),
}

impl DlqWriteError {
    /// What the records' tasks end with.
    pub(crate) fn outcome<T>(self) -> TaskOutcome<T> {
        match self {
            Self::Revoked => TaskOutcome::Abandoned,
            Self::Refused(reason) => TaskOutcome::DeadLetterRefused(reason),
        }
    }
}

impl Writer<'_> {
    /// Writes dead letters, all at once, until each is acknowledged.
    async fn write(&self, mut letters: Vec<OwnedProducerRecord>, attempt: &Attempt<'_>) -> Result<(), DlqWriteError> {
        let mut refusals = Refusals::default();
        for attempt_number in 1.. {
            failpoint!("letter.refused");
            let reports = self.producer.send_all(letters.iter().map(OwnedProducerRecord::as_record).collect()).await;
            let (mut left, mut too_large) = (Vec::new(), None);
            for (letter, report) in letters.into_iter().zip(reports) {
                match report {
                    Ok(_) => {}
                    Err(ProduceError::TooLarge) => {
                        too_large = too_large.max(Some(letter.size()));
                        left.push(letter);
                    }
                    Err(error) if error.class() == ErrorClass::Transient => {
                        tracing::error!(%error, topic = &*letter.topic, "dead letter not acknowledged, retrying");
                        left.push(letter);
                    }
                    Err(error) => {
                        let topic = letter.topic;
                        let reason = format!("a dead letter cannot be written to {topic}: {error}");
                        return Err(DlqWriteError::Refused(reason));
                    }
                }
            }
            let Some(first) = left.first() else {
                failpoint!("letter.acknowledged");
                return Ok(());
            };
            if let Some(bytes) = too_large {
                self.limits.raise(&first.topic, bytes, &mut refusals).await.map_err(DlqWriteError::Refused)?;
            }
            letters = left;
            let delay = BACKOFF.delay(attempt_number, None, &mut rand::rng());
            if attempt.until_revoked(tokio::time::sleep(delay)).await.is_none() {
                break;
            }
        }
        Err(DlqWriteError::Revoked)
    }
}

/// Why a record is rejected by every consumer; `None` where it is not.
pub(crate) fn poison(record: &Record<'_>) -> Option<&'static str> {
    match record.value() {
        None => Some("the value is null"),
        Some([]) => Some("the value is empty"),
        Some(_) => None,
    }
}

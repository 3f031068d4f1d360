//! Dead letters: the record byte for byte, why it was refused, and an acknowledgement before it counts as done.

use std::time::Duration;

use millrace_domain::catalogue::dead_letter_topic;
use millrace_domain::dead_letter::DeadLetter;
use millrace_domain::{Backoff, DeadLetterClass, ErrorClass};

use super::attempts::Attempt;
use super::work::Verdict;
use crate::failpoint::failpoint;
use crate::headers;
use crate::new_record::NewRecord;
use crate::producer::Producer;
use crate::record::Record;

/// Delays between tries to write a letter: nothing is committed meanwhile, so it is tried for as long as it takes.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) };

/// Why a record is refused.
#[derive(Debug, Clone)]
pub(super) struct Refusal<'r> {
    /// How often it was tried.
    pub(super) attempts: u32,
    /// Whose fault it is.
    pub(super) class: DeadLetterClass,
    /// What is wrong.
    pub(super) reason: &'r str,
}

/// The dead letters of one group.
pub(super) struct Letters<'p> {
    group: &'p str,
    /// Writes them at once; without it they go with the transaction that they belong to.
    producer: Option<&'p Producer>,
}

impl<'p> Letters<'p> {
    /// Letters that `producer` writes at once.
    pub(super) fn by(producer: &'p Producer, group: &'p str) -> Self {
        Self { group, producer: Some(producer) }
    }

    /// Letters that somebody writes in a transaction.
    pub(super) fn in_transactions(group: &'p str) -> Self {
        Self { group, producer: None }
    }

    /// Makes the letters of records. Where they are to be written at once, that is done when this returns, and none is
    /// returned.
    ///
    /// # Errors
    /// Some may not be written.
    pub(super) async fn refuse<'r, 'c: 'r>(
        &self,
        refused: impl Iterator<Item = (&'r Record<'c>, Refusal<'r>)>,
        attempt: &Attempt<'_>,
    ) -> Result<Vec<NewRecord>, Unwritten> {
        let letters: Vec<_> = refused.map(|(record, refusal)| self.letter(record, &refusal)).collect();
        match self.producer {
            Some(producer) => write(producer, letters, attempt).await.map(|()| Vec::new()),
            None => Ok(letters),
        }
    }

    fn letter(&self, record: &Record<'_>, refusal: &Refusal<'_>) -> NewRecord {
        let Refusal { attempts, class, reason } = *refusal;
        tracing::warn!(
            topic = record.topic(), partition = record.partition(), offset = record.offset(), attempts, %class, reason,
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
        NewRecord {
            topic: dead_letter_topic(record.topic()).into(),
            key: owned(record.key()),
            value: owned(record.value()),
            headers: headers::append(record.detach_headers(), letter.headers()),
        }
    }
}

/// Why letters are not written.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// There is no more point in it: their records are read again.
    GivenUp,
    /// They cannot be written.
    Refused(String),
}

impl Unwritten {
    /// What becomes of the records.
    pub(super) fn verdict<T>(self) -> Verdict<T> {
        match self {
            Self::GivenUp => Verdict::Abandoned,
            Self::Refused(reason) => Verdict::Halt(reason),
        }
    }
}

/// Writes letters, all at once, until each is acknowledged.
async fn write(producer: &Producer, mut letters: Vec<NewRecord>, attempt: &Attempt<'_>) -> Result<(), Unwritten> {
    for tries in 1.. {
        failpoint!("letter.refused");
        let reports = producer.send_all(letters.iter().map(NewRecord::as_outgoing).collect()).await;
        let mut left = Vec::new();
        for (letter, report) in letters.into_iter().zip(reports) {
            match report {
                Ok(_) => {}
                Err(error) if error.class() == ErrorClass::Transient => {
                    tracing::error!(%error, topic = &*letter.topic, "a dead letter was not acknowledged, trying again");
                    left.push(letter);
                }
                Err(error) => {
                    let topic = letter.topic;
                    return Err(Unwritten::Refused(format!("a dead letter cannot be written to {topic}: {error}")));
                }
            }
        }
        if left.is_empty() {
            failpoint!("letter.acknowledged");
            return Ok(());
        }
        letters = left;
        let delay = BACKOFF.delay(tries, None, &mut rand::rng());
        if attempt.unless_given_up(tokio::time::sleep(delay)).await.is_none() {
            break;
        }
    }
    Err(Unwritten::GivenUp)
}

/// Why a record is refused whatever a consumer makes of records; `None` where it is not.
pub(super) fn poison(record: &Record<'_>) -> Option<&'static str> {
    match record.value() {
        None => Some("the value is null"),
        Some([]) => Some("the value is empty"),
        Some(_) => None,
    }
}

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
use crate::producer::{OutgoingRecord, Producer};
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

    /// Makes a record's letter, and writes it where that is to be done at once.
    pub(super) async fn refuse<T>(
        &self,
        record: &Record<'_>,
        refusal: &Refusal<'_>,
        attempt: &Attempt<'_>,
    ) -> Verdict<T> {
        let Refusal { attempts, class, reason } = *refusal;
        tracing::warn!(
            topic = record.topic(), partition = record.partition(), offset = record.offset(), attempts, %class, reason,
            "dead-lettering a record"
        );
        let letter = self.letter(record, refusal);
        let Some(producer) = self.producer else {
            let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            let headers = headers::append(record.detach_headers(), letter.headers());
            let topic = dead_letter_topic(record.topic()).into();
            let letter = NewRecord { topic, key: owned(record.key()), value: owned(record.value()), headers };
            return Verdict::DeadLettered { class, letter: Some(letter) };
        };
        let topic = dead_letter_topic(record.topic());
        for tries in 1.. {
            failpoint!("letter.refused");
            let sent = producer.send(OutgoingRecord {
                topic: &topic,
                partition: None,
                key: record.key(),
                value: record.value(),
                headers: headers::append(record.detach_headers(), letter.headers()),
            });
            match sent.await {
                Ok(_) => {
                    failpoint!("letter.acknowledged");
                    return Verdict::DeadLettered { class, letter: None };
                }
                Err(error) if error.class() == ErrorClass::Transient => {
                    tracing::error!(%error, topic, "a dead letter was not acknowledged, trying again");
                    let delay = BACKOFF.delay(tries, None, &mut rand::rng());
                    if attempt.unless_given_up(tokio::time::sleep(delay)).await.is_none() {
                        break;
                    }
                }
                Err(error) => {
                    return Verdict::Halt(format!("a dead letter cannot be written to {topic}: {error}"));
                }
            }
        }
        Verdict::Abandoned
    }

    fn letter(&self, record: &Record<'_>, refusal: &Refusal<'_>) -> DeadLetter {
        DeadLetter {
            topic: record.topic().to_owned(),
            partition: record.partition(),
            offset: record.offset(),
            timestamp: record.timestamp(),
            group: self.group.to_owned(),
            attempts: refusal.attempts,
            class: refusal.class,
            reason: refusal.reason.to_owned(),
        }
    }
}

/// Why a record is refused whatever a consumer makes of records; `None` where it is not.
pub(super) fn poison(record: &Record<'_>) -> Option<&'static str> {
    match record.value() {
        None => Some("the value is null"),
        Some([]) => Some("the value is empty"),
        Some(_) => None,
    }
}

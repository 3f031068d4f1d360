//! Dead letters: the record byte for byte, why it was refused, and an acknowledgement before it counts as done.

use millrace_domain::catalogue::dead_letter_topic;
use millrace_domain::dead_letter::DeadLetter;
use millrace_domain::{DeadLetterClass, ErrorClass};

use crate::headers;
use crate::producer::{OutgoingRecord, ProduceError, Producer};
use crate::record::Record;

/// Writes the dead letters of one group.
pub(super) struct Letters<'p> {
    producer: &'p Producer,
    group: &'p str,
}

impl<'p> Letters<'p> {
    pub(super) fn new(producer: &'p Producer, group: &'p str) -> Self {
        Self { producer, group }
    }

    /// Writes one letter; `Ok` once the broker has it.
    pub(super) async fn send(
        &self,
        record: &Record<'_>,
        attempts: u32,
        class: DeadLetterClass,
        reason: &str,
    ) -> Result<(), ProduceError> {
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
        let topic = dead_letter_topic(record.topic());
        let sent = self.producer.send(OutgoingRecord {
            topic: &topic,
            partition: None,
            key: record.key(),
            value: record.value(),
            headers: headers::append(record.detach_headers(), letter.headers()),
        });
        sent.await.map(drop)
    }
}

/// Whether writing a letter may be tried again: all but what will fail the same way for ever.
pub(super) fn is_worth_retrying(error: &ProduceError) -> bool {
    error.class() == ErrorClass::Transient
}

//! Records that a stage writes to a topic, acknowledged by the brokers.

use millrace_domain::envelope::Envelope;
use millrace_domain::{ErrorClass, EventId};
use millrace_kafka::{Producer, ProducerRecord, headers};
use rdkafka::message::OwnedHeaders;

use crate::error::StageError;

/// A topic, and what its records say of themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) topic: &'static str,
    /// `ce_type`.
    pub(crate) event_type: &'static str,
    /// `ce_source`.
    pub(crate) source: &'static str,
}

/// A record.
#[derive(Debug)]
pub(crate) struct Record {
    /// `ce_id`.
    pub(crate) id: String,
    /// `ce_time`: RFC 3339.
    pub(crate) time: String,
    pub(crate) key: Option<String>,
    /// JSON.
    pub(crate) value: Vec<u8>,
}

impl Stream {
    /// Writes records, and waits until all are acknowledged. One that Kafka refuses for good is in the log, and the others do not
    /// wait for it: the lake has it.
    pub(crate) async fn send(self, producer: &Producer, records: Vec<Record>) -> Result<(), StageError> {
        let prepared = records.iter().map(|record| ProducerRecord {
            topic: self.topic,
            partition: None,
            key: record.key.as_deref().map(str::as_bytes),
            value: Some(&record.value),
            headers: self.envelope(record),
        });
        let reports = producer.send_all(prepared.collect()).await;
        for (record, report) in records.iter().zip(reports) {
            match report {
                Ok(_) => {}
                Err(error) if error.class() == ErrorClass::Permanent => {
                    tracing::error!(id = record.id, topic = self.topic, %error, "a record is in the lake and not on its topic: Kafka refuses it");
                }
                Err(error) => return Err(StageError::KafkaUnavailable(error.to_string())),
            }
        }
        Ok(())
    }

    fn envelope(self, record: &Record) -> OwnedHeaders {
        let envelope = Envelope {
            id: EventId::new(&*record.id),
            event_type: self.event_type.into(),
            source: self.source.into(),
            time: record.time.as_str().into(),
            content_type: "application/json".into(),
            traceparent: None,
            attributes: Vec::new(),
        };
        headers::append(OwnedHeaders::new(), envelope.headers())
    }
}

//! The port to Kafka, and its implementation by the producer.

use std::borrow::Cow;
use std::pin::Pin;

use millrace_domain::{Envelope, ErrorClass};
use millrace_kafka::{ProduceError, Producer, ProducerRecord, headers};
use millrace_trace::Span;

/// An event as a record, to be written.
#[derive(Debug)]
pub struct EventRecord<'a> {
    /// The topic.
    pub topic: &'static str,
    /// The partition key.
    pub key: Cow<'a, str>,
    /// The CloudEvents attributes.
    pub envelope: Envelope<'a>,
    /// The record's value.
    pub value: Cow<'a, [u8]>,
    /// The span of its being written.
    pub span: Span,
}

impl EventRecord<'_> {
    /// Notes in its span what became of it.
    pub(crate) fn reported(&mut self, report: &Result<Ack, SinkError>) {
        match report {
            Ok(Ack { partition, offset }) => {
                self.span.set_text("messaging.destination.partition.id", &partition.to_string());
                self.span.set_number("messaging.kafka.offset", *offset);
            }
            Err(error) => self.span.failed(error.reason()),
        }
    }
}

/// The position of a written event, acknowledged by all in-sync replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// Why an event was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkError {
    /// Nothing was written.
    NotWritten {
        /// Whether a retry may help.
        class: ErrorClass,
        /// The cause.
        reason: String,
    },
    /// The record exceeds the topic's `max.message.bytes`. Nothing was written.
    TooLarge,
    /// The event may have been written.
    OutcomeUnknown,
}

impl SinkError {
    /// The cause.
    pub fn reason(&self) -> &str {
        match self {
            Self::NotWritten { reason, .. } => reason,
            Self::TooLarge => "the record is larger than the topic takes",
            Self::OutcomeUnknown => "not acknowledged in time",
        }
    }
}

/// A future that a port returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Writes events; an [`Ack`] means that all in-sync replicas have the event.
pub trait Sink: Send + Sync {
    /// Writes all events; one result for each, in their order.
    fn write<'a>(&'a self, events: &'a [EventRecord<'a>]) -> BoxFuture<'a, Vec<Result<Ack, SinkError>>>;
}

/// The sink that writes to Kafka.
#[derive(Debug, Clone)]
pub struct KafkaSink(pub Producer);

impl Sink for KafkaSink {
    fn write<'a>(&'a self, events: &'a [EventRecord<'a>]) -> BoxFuture<'a, Vec<Result<Ack, SinkError>>> {
        Box::pin(async move {
            let reports = self.0.send_all(events.iter().map(to_producer_record).collect()).await;
            reports.into_iter().map(to_ack).collect()
        })
    }
}

fn to_producer_record<'a>(event: &'a EventRecord<'a>) -> ProducerRecord<'a> {
    ProducerRecord {
        topic: event.topic,
        partition: None,
        key: Some(event.key.as_bytes()),
        value: Some(&event.value),
        headers: headers::from_envelope(&event.envelope),
    }
}

fn to_ack(report: Result<millrace_kafka::Ack, ProduceError>) -> Result<Ack, SinkError> {
    match report {
        Ok(ack) => Ok(Ack { partition: ack.partition, offset: ack.offset }),
        Err(error) if error.may_be_written() => Err(SinkError::OutcomeUnknown),
        Err(ProduceError::TooLarge) => Err(SinkError::TooLarge),
        Err(error) => Err(SinkError::NotWritten { class: error.class(), reason: error.to_string() }),
    }
}

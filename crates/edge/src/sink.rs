//! The port to Kafka, and the producer behind it.

use std::borrow::Cow;
use std::pin::Pin;

use millrace_domain::{Envelope, ErrorClass};
use millrace_kafka::{ProduceError, Producer, ProducerRecord, headers};

/// An event on its way to a topic.
#[derive(Debug)]
pub struct EventRecord<'a> {
    /// The topic.
    pub topic: &'static str,
    /// The partition key.
    pub key: Cow<'a, str>,
    /// What is known about the event.
    pub envelope: Envelope<'a>,
    /// The record's value.
    pub value: Cow<'a, [u8]>,
}

/// Where an event was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// Why an event has no receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkError {
    /// Nothing was written.
    NotWritten {
        /// Whether trying again may help.
        class: ErrorClass,
        /// What was in the way.
        reason: String,
    },
    /// The topic does not take a record of this size. Nothing was written.
    TooLarge,
    /// It may have been written.
    OutcomeUnknown,
}

/// A future that a port returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Writes events; an answer means that every in-sync replica has them.
pub trait Sink: Send + Sync {
    /// Writes all events and answers for each, in their order.
    fn write<'a>(&'a self, events: &'a [EventRecord<'a>]) -> BoxFuture<'a, Vec<Result<Ack, SinkError>>>;
}

/// The sink that writes to Kafka.
#[derive(Debug, Clone)]
pub struct KafkaSink(pub Producer);

impl Sink for KafkaSink {
    fn write<'a>(&'a self, events: &'a [EventRecord<'a>]) -> BoxFuture<'a, Vec<Result<Ack, SinkError>>> {
        Box::pin(async move {
            let reports = self.0.send_all(events.iter().map(outgoing).collect()).await;
            reports.into_iter().map(receipt).collect()
        })
    }
}

fn outgoing<'a>(event: &'a EventRecord<'a>) -> ProducerRecord<'a> {
    ProducerRecord {
        topic: event.topic,
        partition: None,
        key: Some(event.key.as_bytes()),
        value: Some(&event.value),
        headers: headers::from_envelope(&event.envelope),
    }
}

fn receipt(report: Result<millrace_kafka::Ack, ProduceError>) -> Result<Ack, SinkError> {
    match report {
        Ok(ack) => Ok(Ack { partition: ack.partition, offset: ack.offset }),
        Err(error) if error.may_be_written() => Err(SinkError::OutcomeUnknown),
        Err(ProduceError::TooLarge) => Err(SinkError::TooLarge),
        Err(error) => Err(SinkError::NotWritten { class: error.class(), reason: error.to_string() }),
    }
}

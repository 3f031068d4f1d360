//! Producing records byte for byte.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use super::{Kafka, TIMEOUT};

/// A record to be produced, byte for byte.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RawRecord {
    /// The partition; `None`: by the key's hash.
    pub partition: Option<i32>,
    /// The key; `None` is a null key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers in order; `None` is a null value.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The timestamp in milliseconds since the Unix epoch; `None`: now.
    pub timestamp: Option<i64>,
}

impl RawRecord {
    /// A record with this value alone.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Appends a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Sets the partition.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }
}

/// The position of a record.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

impl Kafka {
    /// Writes the records in order with `acks=all`, and returns their positions once all are acknowledged.
    ///
    /// # Panics
    /// Where one is not acknowledged.
    pub async fn produce(&self, topic: &str, records: impl IntoIterator<Item = RawRecord>) -> Vec<Place> {
        let producer: FutureProducer = self.producer_config().create().unwrap_or_else(|error| panic!("{error}"));
        send(&producer, topic, records).await
    }

    /// Writes the records in a transaction and ends it. Either end writes a control record to each partition.
    ///
    /// # Panics
    /// If the transaction fails.
    pub async fn produce_transaction(
        &self,
        topic: &str,
        records: impl IntoIterator<Item = RawRecord>,
        end: TransactionEnd,
    ) -> Vec<Place> {
        let mut config = self.producer_config();
        config.set("transactional.id", super::unique("millrace-test"));
        let producer: FutureProducer = config.create().unwrap_or_else(|error| panic!("{error}"));
        // These calls block.
        let blocking = async |call: fn(&FutureProducer) -> KafkaResult<()>| {
            let producer = producer.clone();
            let done = tokio::task::spawn_blocking(move || call(&producer)).await;
            done.unwrap_or(Err(RdKafkaError::Canceled)).unwrap_or_else(|error| panic!("{topic}: {error}"));
        };
        blocking(|producer| producer.init_transactions(TIMEOUT)).await;
        blocking(Producer::begin_transaction).await;
        let positions = send(&producer, topic, records).await;
        match end {
            TransactionEnd::Commit => blocking(|producer| producer.commit_transaction(TIMEOUT)).await,
            TransactionEnd::Abort => blocking(|producer| producer.abort_transaction(TIMEOUT)).await,
        }
        positions
    }

    fn producer_config(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "1")
            .set("message.timeout.ms", TIMEOUT.as_millis().to_string())
            .set("message.max.bytes", (64 * 1024 * 1024).to_string());
        config
    }
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionEnd {
    /// Commit: its records are visible.
    Commit,
    /// Abort: `read_committed` readers never see its records.
    Abort,
}

async fn send(producer: &FutureProducer, topic: &str, records: impl IntoIterator<Item = RawRecord>) -> Vec<Place> {
    /// librdkafka enqueues a record at once or returns that its queue is full.
    const QUEUE_FULL: RdKafkaError = RdKafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
    let mut reports = Vec::new();
    for raw in records {
        let mut record = raw.as_record(topic);
        let report = loop {
            match producer.send_result(record) {
                Ok(report) => break report,
                Err((error, back)) if error == QUEUE_FULL => {
                    record = back;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err((error, _)) => panic!("{topic} refuses a record: {error}"),
            }
        };
        reports.push(report);
    }
    let mut positions = Vec::with_capacity(reports.len());
    for report in reports {
        match report.await {
            Ok(Ok(delivery)) => positions.push(Place { partition: delivery.partition, offset: delivery.offset }),
            Ok(Err((error, _))) => panic!("{topic} did not acknowledge a record: {error}"),
            Err(canceled) => panic!("the producer ended before {topic} acknowledged a record: {canceled}"),
        }
    }
    positions
}

impl RawRecord {
    fn as_record<'a>(&'a self, topic: &'a str) -> FutureRecord<'a, [u8], [u8]> {
        let mut record = FutureRecord::to(topic);
        record.partition = self.partition;
        record.key = self.key.as_deref();
        record.payload = self.value.as_deref();
        record.timestamp = self.timestamp;
        if !self.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(self.headers.len());
            record.headers = Some(
                self.headers
                    .iter()
                    .fold(headers, |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() })),
            );
        }
        record
    }
}

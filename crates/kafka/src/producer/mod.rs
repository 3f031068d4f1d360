//! The producer: a record counts as written once every in-sync replica has it.
//!
//! Concurrent callers share batches: `linger.ms` collects them, no call flushes. librdkafka's queue bounds the memory;
//! when it is full, callers wait for space for a bounded time.

mod delivery;
mod error;
mod sent;
mod telemetry;
mod transaction;
mod transactional_id;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::delivery::{Deliveries, DeliveryContext, Opaque, Undelivered};
pub use self::error::ProduceError;
pub use self::transaction::{TransactionError, TransactionalProducer};
use crate::error::{KafkaError, describe};
use crate::rebootstrap::Rebootstrap;
use crate::settings::KafkaSettings;

/// Where a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
}

/// A record to be written.
#[derive(Debug)]
pub struct ProducerRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition; `None` leaves it to the key.
    pub partition: Option<i32>,
    /// The key; `None` is a null key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: OwnedHeaders,
}

/// Latency, throughput and time-outs of a producer.
#[derive(Debug, Clone, Copy)]
pub struct ProducerSettings {
    /// How long a batch collects records (`linger.ms`).
    pub linger: Duration,
    /// When an unacknowledged record fails (`message.timeout.ms`).
    pub delivery_timeout: Duration,
    /// How long a caller waits for space in a full queue.
    pub queue_wait: Duration,
    /// How long a broker may take to answer (`socket.timeout.ms`); `None` is librdkafka's default.
    pub socket_timeout: Option<Duration>,
    /// When the client closes an idle connection (`connections.max.idle.ms`); `None` is librdkafka's default.
    pub idle_timeout: Option<Duration>,
}

impl Default for ProducerSettings {
    fn default() -> Self {
        Self {
            linger: Duration::from_micros(2_500),
            delivery_timeout: Duration::from_secs(10),
            queue_wait: Duration::from_secs(2),
            socket_timeout: None,
            idle_timeout: None,
        }
    }
}

/// An idempotent producer with `acks=all`. Clones share one client.
#[derive(Clone)]
pub struct Producer {
    client: Arc<ThreadedProducer<DeliveryContext>>,
    queue_wait: Duration,
    /// The bootstrap servers.
    bootstrap: Arc<str>,
    /// For a client that got no answer.
    rebootstrap: Arc<Rebootstrap>,
}

/// How many requests may be in flight to a broker.
const MAX_IN_FLIGHT: u32 = 2;

/// The memory for queued records, in KiB.
const QUEUE_KIB: u32 = 64 << 10;

/// The largest record, in bytes: as much as the queue holds. Topics have lower limits of their own.
const MAX_RECORD_BYTES: u32 = QUEUE_KIB << 10;

impl Producer {
    /// A producer; it connects in the background.
    ///
    /// # Errors
    /// [`KafkaError`] where the settings are wrong.
    pub fn new(kafka: &KafkaSettings, settings: &ProducerSettings) -> Result<Self, KafkaError> {
        Self::connect(kafka, settings, &[])
    }

    /// A producer with `more` of librdkafka's properties.
    fn connect(
        kafka: &KafkaSettings,
        settings: &ProducerSettings,
        more: &[(&str, String)],
    ) -> Result<Self, KafkaError> {
        let mut config = kafka.client_config("producer")?;
        let millis = |duration: Duration| duration.as_millis().to_string();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // Keys go to the partition that Java clients choose: order holds across producers.
            .set("partitioner", "murmur2_random")
            // librdkafka sends one request of an idempotent producer to a partition at a time, and busy-waits where
            // another is due (`rd_kafka_toppar_producer_serve` of 2.12 counts records in flight as requests). It does
            // not busy-wait for a connection at its limit: measured, a quarter less CPU a request, and more records in
            // each.
            .set("max.in.flight", MAX_IN_FLIGHT.to_string())
            .set("linger.ms", format!("{}", settings.linger.as_secs_f64() * 1e3))
            .set("message.timeout.ms", millis(settings.delivery_timeout))
            .set("message.max.bytes", MAX_RECORD_BYTES.to_string())
            .set("queue.buffering.max.messages", "100000")
            .set("queue.buffering.max.kbytes", QUEUE_KIB.to_string())
            .set("retry.backoff.ms", "50")
            .set("statistics.interval.ms", millis(sent::STATS_INTERVAL));
        if let Some(timeout) = settings.socket_timeout {
            config.set("socket.timeout.ms", millis(timeout));
        }
        if let Some(timeout) = settings.idle_timeout {
            config.set("connections.max.idle.ms", millis(timeout));
        }
        for (name, value) in more {
            config.set(*name, value);
        }
        kafka.override_in(&mut config);
        let context = DeliveryContext::new(kafka)?;
        let client = config.create_with_context(context).map_err(KafkaError::call("creating the producer"))?;
        let bootstrap = kafka.bootstrap_servers.as_str().into();
        let rebootstrap = Arc::new(Rebootstrap::new(&kafka.bootstrap_servers));
        Ok(Self { client: Arc::new(client), queue_wait: settings.queue_wait, bootstrap, rebootstrap })
    }

    /// Writes one record and waits for its acknowledgement.
    ///
    /// # Errors
    /// [`ProduceError`] says whether the record may be on the broker all the same.
    pub async fn send(&self, record: ProducerRecord<'_>) -> Result<Ack, ProduceError> {
        self.send_all(vec![record]).await.pop().unwrap_or(Err(ProduceError::Closed))
    }

    /// Writes records and waits until each is acknowledged or has failed; results are in the order of the records.
    pub async fn send_all(&self, records: Vec<ProducerRecord<'_>>) -> Vec<Result<Ack, ProduceError>> {
        let sent_before = self.client.context().sent().snapshot();
        let metrics = self.client.context().metrics();
        let deliveries = Deliveries::new(records.len());
        for (index, record) in records.into_iter().enumerate() {
            if let Err(error) = self.enqueue(record, &deliveries, index).await {
                metrics.failed(&error);
                if let Some(duration) = deliveries.settle(index, Err(error.into())) {
                    metrics.settled(duration);
                }
            }
        }
        let reports = deliveries.settled().await;
        if reports.iter().any(Result::is_err) {
            self.check_fatal_error();
            self.rebootstrap.run(self.client.client());
        }
        let needs_check =
            |report: &Result<_, Undelivered>| report.as_ref().is_err_and(|undelivered| undelivered.check.is_some());
        let sent_since =
            if reports.iter().any(needs_check) { self.client.context().sent().next_snapshot().await } else { None };
        let report = |report: Result<_, Undelivered>| {
            report.map_err(|undelivered| {
                let is_checked = undelivered.check.is_some();
                let error = undelivered.confirmed(&sent_before, sent_since.as_ref());
                if is_checked {
                    metrics.failed(&error);
                }
                error
            })
        };
        reports.into_iter().map(report).collect()
    }

    /// librdkafka reports a fatal error under the code of its cause, so query `fatal_error` after any error.
    fn check_fatal_error(&self) {
        let fatal = self.fatal();
        if !fatal.is_cancelled()
            && let Some((code, reason)) = self.client.client().fatal_error()
        {
            tracing::error!(code = describe(code), reason, "fatal producer error");
            fatal.cancel();
        }
    }

    /// Enqueues a record in librdkafka, and waits for space where its queue is full.
    async fn enqueue(
        &self,
        record: ProducerRecord<'_>,
        deliveries: &Arc<Deliveries>,
        index: usize,
    ) -> Result<(), ProduceError> {
        let mut record: BaseRecord<'_, [u8], [u8], Box<Opaque>> = BaseRecord {
            topic: record.topic,
            partition: record.partition,
            payload: record.value,
            key: record.key,
            timestamp: None,
            headers: Some(record.headers),
            delivery_opaque: deliveries.opaque(index),
        };
        let mut deadline = None;
        loop {
            let queue_space = self.client.context().queue_space();
            match self.client.send(record) {
                Ok(()) => return Ok(()),
                Err((RdKafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => record = refused,
                Err((error, _)) => return Err(ProduceError::not_written(error)),
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.queue_wait);
            if tokio::time::timeout_at(deadline, queue_space).await.is_err() {
                return Err(ProduceError::QueueFull);
            }
        }
    }

    /// Connects and fetches metadata, so that the first record does not wait for it.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where no broker answers in time.
    pub async fn warm_up(&self, timeout: Duration) -> Result<(), KafkaError> {
        let client = Arc::clone(&self.client);
        let fetch = move || client.client().fetch_metadata(None, timeout).map(drop);
        tokio::task::spawn_blocking(fetch)
            .await
            .unwrap_or(Err(RdKafkaError::Canceled))
            .map_err(|error| KafkaError::unreachable(&self.bootstrap, error))
    }

    /// Cancelled after a fatal client error: the process should end.
    pub fn fatal(&self) -> &CancellationToken {
        self.client.context().fatal()
    }

    /// The bootstrap servers.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap
    }

    /// The number of records in flight.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.client.in_flight_count()).unwrap_or(0)
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("in_flight", &self.in_flight()).finish_non_exhaustive()
    }
}

//! The producer: a record is written when every in-sync replica has it, and only then.
//!
//! Requests in flight at the same time share batches: `linger.ms` gathers them, nobody flushes. Memory is bounded by
//! librdkafka's queue; when it is full, callers wait for room, and not for ever.

mod delivery;
mod error;
mod sent;
mod transaction;
mod transactional_id;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::delivery::{Deliveries, DeliveryContext, Slot, Undelivered};
pub use self::error::ProduceError;
pub use self::transaction::{TransactionError, TransactionalProducer};
use crate::error::{KafkaError, describe};
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

/// How a producer trades latency for throughput, and when it gives up.
#[derive(Debug, Clone, Copy)]
pub struct ProducerSettings {
    /// How long a batch waits for company.
    pub linger: Duration,
    /// When an unacknowledged record is given up.
    pub delivery_timeout: Duration,
    /// How long a caller waits for room in a full queue.
    pub queue_wait: Duration,
    /// How long a broker may take to answer before the connection is given up; `None` is librdkafka's default.
    pub socket_timeout: Option<Duration>,
    /// When an idle connection is closed by this side; `None` is librdkafka's default.
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
    /// Where the brokers were looked for.
    bootstrap: Arc<str>,
}

/// How many requests may be under way to a broker.
const MAX_IN_FLIGHT: u32 = 2;

/// The memory for records on their way, in KiB.
const QUEUE_KIB: u32 = 64 << 10;

/// The largest record, in bytes: as much as the queue holds. Each topic says by itself what is too large for it.
const LARGEST_RECORD: u32 = QUEUE_KIB << 10;

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
            // The partition of a key is the one the Java clients choose: order holds across producers.
            .set("partitioner", "murmur2_random")
            // librdkafka has one request of an idempotent producer under way to a partition, and spins where another is
            // due (it takes records in flight for requests, in `rd_kafka_toppar_producer_serve` of 2.12). What a full
            // connection keeps back it does not look at: a quarter less CPU a request, and the records in a request
            // are more.
            .set("max.in.flight", MAX_IN_FLIGHT.to_string())
            .set("linger.ms", format!("{}", settings.linger.as_secs_f64() * 1e3))
            .set("message.timeout.ms", millis(settings.delivery_timeout))
            .set("message.max.bytes", LARGEST_RECORD.to_string())
            .set("queue.buffering.max.messages", "100000")
            .set("queue.buffering.max.kbytes", QUEUE_KIB.to_string())
            .set("retry.backoff.ms", "50")
            .set("statistics.interval.ms", millis(sent::INTERVAL));
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
        Ok(Self { client: Arc::new(client), queue_wait: settings.queue_wait, bootstrap })
    }

    /// Writes one record and waits for its acknowledgement.
    ///
    /// # Errors
    /// [`ProduceError`] says whether the record may be on the broker all the same.
    pub async fn send(&self, record: ProducerRecord<'_>) -> Result<Ack, ProduceError> {
        self.send_all(vec![record]).await.pop().unwrap_or(Err(ProduceError::Closed))
    }

    /// Writes many records and waits until each is acknowledged or given up; the answers come in the records' order.
    pub async fn send_all(&self, records: Vec<ProducerRecord<'_>>) -> Vec<Result<Ack, ProduceError>> {
        let sent_before = self.client.context().sent().snapshot();
        let deliveries = Deliveries::new(records.len());
        for (index, record) in records.into_iter().enumerate() {
            if let Err(error) = self.enqueue(record, &deliveries, index).await {
                deliveries.settle(index, Err(error.into()));
            }
        }
        let reports = deliveries.settled().await;
        if reports.iter().any(Result::is_err) {
            self.look_for_fatal_error();
        }
        let is_doubtful =
            |report: &Result<_, Undelivered>| report.as_ref().is_err_and(|given_up| given_up.doubt.is_some());
        let sent_since =
            if reports.iter().any(is_doubtful) { self.client.context().sent().next_snapshot().await } else { None };
        let report = |report: Result<_, Undelivered>| {
            report.map_err(|given_up| given_up.confirmed(&sent_before, sent_since.as_ref()))
        };
        reports.into_iter().map(report).collect()
    }

    /// librdkafka reports a fatal error under the code of its cause; only asking tells that it was one.
    fn look_for_fatal_error(&self) {
        let fatal = self.fatal();
        if !fatal.is_cancelled()
            && let Some((code, reason)) = self.client.client().fatal_error()
        {
            tracing::error!(code = describe(code), reason, "the producer cannot go on");
            fatal.cancel();
        }
    }

    /// Hands a record to librdkafka, waiting for room where its queue is full.
    async fn enqueue(
        &self,
        record: ProducerRecord<'_>,
        deliveries: &Arc<Deliveries>,
        index: usize,
    ) -> Result<(), ProduceError> {
        let mut record: BaseRecord<'_, [u8], [u8], Box<Slot>> = BaseRecord {
            topic: record.topic,
            partition: record.partition,
            payload: record.value,
            key: record.key,
            timestamp: None,
            headers: Some(record.headers),
            delivery_opaque: deliveries.slot(index),
        };
        let mut give_up = None;
        loop {
            let room = self.client.context().room();
            match self.client.send(record) {
                Ok(()) => return Ok(()),
                Err((RdKafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => record = refused,
                Err((error, _)) => return Err(ProduceError::not_written(error)),
            }
            let give_up = *give_up.get_or_insert_with(|| Instant::now() + self.queue_wait);
            if tokio::time::timeout_at(give_up, room).await.is_err() {
                return Err(ProduceError::QueueFull);
            }
        }
    }

    /// Connects and learns where partitions are, so that the first record need not wait for it.
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

    /// Cancelled when the client met an error that it cannot recover from: the process should end.
    pub fn fatal(&self) -> &CancellationToken {
        self.client.context().fatal()
    }

    /// Where the brokers were looked for.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap
    }

    /// How many records wait for their acknowledgement.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.client.in_flight_count()).unwrap_or(0)
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("in_flight", &self.in_flight()).finish_non_exhaustive()
    }
}

//! Back-pressure for the embedded broker, so that it loses no unprocessed record.
//!
//! In memory a partition holds 5 MiB or 100,000 batches, and the broker silently drops the oldest beyond that. Before
//! the unprocessed records of a partition reach this limit, writes wait for the consumers, and fail with a transient
//! error (503) after a time-out. Topics without a consumer in this process are not limited: dropping their oldest is
//! retention.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millrace_consumer::Progress;
use millrace_domain::ErrorClass;
use millrace_edge::{Ack, BoxFuture, EventRecord, KafkaSink, Sink, SinkError};
use tokio::time::Instant;

use super::consumers::Running;

/// Unprocessed bytes of a partition: well under the broker's 5 MiB, which include its own overhead.
const PARTITION_BYTES_LIMIT: usize = 3 << 20;

/// Unprocessed records of a partition: each may be a batch of its own.
const PARTITION_RECORDS_LIMIT: usize = 60_000;

/// How long a write waits for the consumers, and how often it checks their positions.
const ENQUEUE_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Bytes of a record besides key and value: its headers and the broker's bookkeeping.
const RECORD_OVERHEAD: usize = 400;

/// A sink that rejects writes beyond what the embedded broker can hold.
pub(super) struct BoundedSink {
    inner: KafkaSink,
    topics: HashMap<&'static str, Topic>,
}

struct Topic {
    readers: Vec<Arc<Progress>>,
    unprocessed: Mutex<Unprocessed>,
}

/// Unprocessed records of a topic.
#[derive(Default)]
struct Unprocessed {
    partitions: HashMap<i32, Partition>,
    /// Bytes and records sent to the broker and not acknowledged: their partition is not known yet.
    in_flight: (usize, usize),
}

#[derive(Default)]
struct Partition {
    records: VecDeque<(i64, usize)>,
    bytes: usize,
}

impl BoundedSink {
    pub(super) fn new(inner: KafkaSink, running: &[Running]) -> Self {
        let mut topics: HashMap<&'static str, Topic> = HashMap::new();
        for consumer in running {
            for topic in consumer.catalogue_topics() {
                let entry =
                    topics.entry(topic).or_insert_with(|| Topic { readers: Vec::new(), unprocessed: Mutex::default() });
                entry.readers.push(Arc::clone(&consumer.progress));
            }
        }
        Self { inner, topics }
    }

    /// Reserves capacity for events; fails after [`ENQUEUE_TIMEOUT`].
    async fn reserve(&self, events: &[EventRecord<'_>]) -> Result<Vec<InFlight<'_>>, SinkError> {
        let deadline = Instant::now() + ENQUEUE_TIMEOUT;
        loop {
            match self.admit(events) {
                Err(_) if Instant::now() < deadline => tokio::time::sleep(POLL_INTERVAL).await,
                outcome => return outcome,
            }
        }
    }

    fn admit(&self, events: &[EventRecord<'_>]) -> Result<Vec<InFlight<'_>>, SinkError> {
        let mut admitted = Vec::new();
        for (name, topic) in &self.topics {
            let sizes = events.iter().filter(|event| event.topic == *name).map(size);
            let (bytes, records) = sizes.fold((0, 0), |(bytes, records), size| (bytes + size, records + 1));
            if records > 0 {
                admitted.push(topic.admit(name, bytes, records)?);
            }
        }
        Ok(admitted)
    }
}

impl Topic {
    fn admit(&self, name: &str, bytes: usize, records: usize) -> Result<InFlight<'_>, SinkError> {
        let mut unprocessed = self.unprocessed();
        for (&partition, waiting) in &mut unprocessed.partitions {
            let slowest = self.readers.iter().map(|reader| reader.position(name, partition).unwrap_or(0)).min();
            waiting.remove_below(slowest.unwrap_or(i64::MAX));
        }
        // Everything in flight may go to the fullest partition.
        let most_bytes = unprocessed.partitions.values().map(|partition| partition.bytes).max().unwrap_or(0);
        let most_records = unprocessed.partitions.values().map(|partition| partition.records.len()).max().unwrap_or(0);
        let (in_flight_bytes, in_flight_records) = unprocessed.in_flight;
        if most_bytes + in_flight_bytes + bytes > PARTITION_BYTES_LIMIT
            || most_records + in_flight_records + records > PARTITION_RECORDS_LIMIT
        {
            let reason = format!(
                "the embedded broker is full: the consumers of {name} lag, and it keeps records in memory only"
            );
            return Err(SinkError::NotWritten { class: ErrorClass::Transient, reason });
        }
        unprocessed.in_flight = (in_flight_bytes + bytes, in_flight_records + records);
        Ok(InFlight { topic: self, bytes, records })
    }

    fn acknowledged(&self, size: usize, ack: Ack) {
        let mut unprocessed = self.unprocessed();
        let partition = unprocessed.partitions.entry(ack.partition).or_default();
        partition.records.push_back((ack.offset, size));
        partition.bytes += size;
    }

    fn unprocessed(&self) -> MutexGuard<'_, Unprocessed> {
        self.unprocessed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Capacity reserved for events in flight; released on drop, however the request ends.
struct InFlight<'a> {
    topic: &'a Topic,
    bytes: usize,
    records: usize,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut unprocessed = self.topic.unprocessed();
        unprocessed.in_flight.0 -= self.bytes;
        unprocessed.in_flight.1 -= self.records;
    }
}

impl Partition {
    fn remove_below(&mut self, position: i64) {
        // Acknowledgements may arrive slightly out of order: at worst a record is counted for a moment longer.
        while let Some(&(offset, size)) = self.records.front()
            && offset < position
        {
            self.records.pop_front();
            self.bytes -= size;
        }
    }
}

fn size(event: &EventRecord<'_>) -> usize {
    event.key.len() + event.value.len() + RECORD_OVERHEAD
}

impl Sink for BoundedSink {
    fn write<'a>(&'a self, events: &'a [EventRecord<'a>]) -> BoxFuture<'a, Vec<Result<Ack, SinkError>>> {
        Box::pin(async move {
            let in_flight = match self.reserve(events).await {
                Ok(in_flight) => in_flight,
                Err(error) => return vec![Err(error); events.len()],
            };
            let reports = self.inner.write(events).await;
            for (event, report) in events.iter().zip(&reports) {
                if let (Some(topic), Ok(ack)) = (self.topics.get(event.topic), report) {
                    topic.acknowledged(size(event), *ack);
                }
            }
            drop(in_flight);
            reports
        })
    }
}

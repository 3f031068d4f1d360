//! Keeps the embedded broker from losing records.
//!
//! In memory a partition holds 5 MiB or 100,000 batches, and the broker silently drops the oldest when more come. What
//! the consumers have not processed yet must therefore never grow that large: before it would, callers wait for the
//! consumers, and where they do not get on, the edge refuses. Topics that nobody here consumes are not held back: dropping their oldest is retention.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millrace_consumer::Progress;
use millrace_domain::ErrorClass;
use millrace_edge::{Ack, BoxFuture, EventRecord, KafkaSink, Sink, SinkError};
use tokio::time::Instant;

use super::consumers::Running;

/// How many unprocessed bytes a partition may hold: well under the broker's 5 MiB, which counts its own overhead.
const MOST_BYTES: usize = 3 << 20;

/// How many unprocessed records a partition may hold: each may be a batch of its own.
const MOST_RECORDS: usize = 60_000;

/// How long a caller waits for the consumers, and how often it looks at them.
const ENQUEUE_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// What a record takes besides key and value: its headers and the broker's bookkeeping.
const OVERHEAD: usize = 400;

/// A sink that refuses what the embedded broker could not hold.
pub(super) struct BoundedSink {
    inner: KafkaSink,
    topics: HashMap<&'static str, Topic>,
}

struct Topic {
    readers: Vec<Arc<Progress>>,
    held: Mutex<Held>,
}

/// Unprocessed records of a topic.
#[derive(Default)]
struct Held {
    partitions: HashMap<i32, Partition>,
    /// Bytes and records on their way to the broker, whose partition is not known yet.
    under_way: (usize, usize),
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
                    topics.entry(topic).or_insert_with(|| Topic { readers: Vec::new(), held: Mutex::default() });
                entry.readers.push(Arc::clone(&consumer.progress));
            }
        }
        Self { inner, topics }
    }

    /// Waits until there is room for events, or refuses them.
    async fn room(&self, events: &[EventRecord<'_>]) -> Result<Vec<UnderWay<'_>>, SinkError> {
        let give_up = Instant::now() + ENQUEUE_TIMEOUT;
        loop {
            match self.admit(events) {
                Err(_) if Instant::now() < give_up => tokio::time::sleep(POLL_INTERVAL).await,
                outcome => return outcome,
            }
        }
    }

    fn admit(&self, events: &[EventRecord<'_>]) -> Result<Vec<UnderWay<'_>>, SinkError> {
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
    fn admit(&self, name: &str, bytes: usize, records: usize) -> Result<UnderWay<'_>, SinkError> {
        let mut held = self.held();
        for (&partition, waiting) in &mut held.partitions {
            let slowest = self.readers.iter().map(|reader| reader.position(name, partition).unwrap_or(0)).min();
            waiting.forget_below(slowest.unwrap_or(i64::MAX));
        }
        // Whatever is under way may all go to the fullest partition.
        let most_bytes = held.partitions.values().map(|partition| partition.bytes).max().unwrap_or(0);
        let most_records = held.partitions.values().map(|partition| partition.records.len()).max().unwrap_or(0);
        let (under_way_bytes, under_way_records) = held.under_way;
        if most_bytes + under_way_bytes + bytes > MOST_BYTES
            || most_records + under_way_records + records > MOST_RECORDS
        {
            let reason = format!(
                "the embedded broker is full: the consumers of {name} are behind, and it keeps records in memory only"
            );
            return Err(SinkError::NotWritten { class: ErrorClass::Transient, reason });
        }
        held.under_way = (under_way_bytes + bytes, under_way_records + records);
        Ok(UnderWay { topic: self, bytes, records })
    }

    fn arrived(&self, size: usize, receipt: Ack) {
        let mut held = self.held();
        let partition = held.partitions.entry(receipt.partition).or_default();
        partition.records.push_back((receipt.offset, size));
        partition.bytes += size;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events on their way to the broker; they no longer count as such when this goes, however the request ends.
struct UnderWay<'a> {
    topic: &'a Topic,
    bytes: usize,
    records: usize,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut held = self.topic.held();
        held.under_way.0 -= self.bytes;
        held.under_way.1 -= self.records;
    }
}

impl Partition {
    fn forget_below(&mut self, position: i64) {
        // Acknowledgements may come a little out of order: at worst a record is counted for a moment longer.
        while let Some(&(offset, size)) = self.records.front()
            && offset < position
        {
            self.records.pop_front();
            self.bytes -= size;
        }
    }
}

fn size(event: &EventRecord<'_>) -> usize {
    event.key.len() + event.value.len() + OVERHEAD
}

impl Sink for BoundedSink {
    fn write<'a>(&'a self, events: &'a [EventRecord<'a>]) -> BoxFuture<'a, Vec<Result<Ack, SinkError>>> {
        Box::pin(async move {
            let under_way = match self.room(events).await {
                Ok(under_way) => under_way,
                Err(error) => return vec![Err(error); events.len()],
            };
            let reports = self.inner.write(events).await;
            for (event, report) in events.iter().zip(&reports) {
                if let (Some(topic), Ok(receipt)) = (self.topics.get(event.topic), report) {
                    topic.arrived(size(event), *receipt);
                }
            }
            drop(under_way);
            reports
        })
    }
}

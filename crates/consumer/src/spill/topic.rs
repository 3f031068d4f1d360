//! Records of a topic, read again by a client of its own outside of the group, so that the group's polling goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use millrace_kafka::{KafkaError, KafkaSettings, Read, Reader};
use tokio_util::task::AbortOnDropHandle;

use crate::spill::{READ_MAX_BYTES, ReadResult, SpilledRecords};

/// A seek waits for the fetch that is under way, and drops what was fetched ahead: both are kept small. A full queue is
/// looked at again after 5 ms, not after librdkafka's second.
const FETCH: [(&str, &str); 4] = [
    ("fetch.wait.max.ms", "10"),
    ("fetch.message.max.bytes", "262144"),
    ("queued.max.messages.kbytes", "1024"),
    ("fetch.queue.backoff.ms", "5"),
];

/// What lies at most so many offsets ahead is read up to, without a seek.
const SEEK_MIN_DISTANCE: i64 = 1_000;

/// Reads from Kafka.
pub(crate) struct TopicRecords {
    kafka: KafkaSettings,
    /// Where the last read ended; none while one is under way.
    cursor: Arc<Mutex<Option<Cursor>>>,
}

impl TopicRecords {
    pub(crate) fn new(kafka: &KafkaSettings) -> Self {
        Self { kafka: kafka.clone(), cursor: Arc::default() }
    }
}

impl SpilledRecords for TopicRecords {
    fn read(
        &mut self,
        topic: &str,
        partition: i32,
        offsets: Vec<i64>,
    ) -> BoxFuture<'static, Result<ReadResult, String>> {
        let topic_partition = TopicPartition { topic: topic.to_owned(), partition };
        let (kafka, place) = (self.kafka.clone(), Arc::clone(&self.cursor));
        let reading = AbortOnDropHandle::new(tokio::spawn(async move {
            let cursor = place.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (cursor, result) = read(&kafka, cursor, &topic_partition, &offsets).await?;
            *place.lock().unwrap_or_else(PoisonError::into_inner) = cursor;
            Ok::<_, KafkaError>(result)
        }));
        async move {
            match reading.await {
                Ok(result) => result.map_err(|error| error.to_string()),
                Err(panic) => Err(panic.to_string()),
            }
        }
        .boxed()
    }

    fn close(&mut self) {
        if let Some(cursor) = self.cursor.lock().unwrap_or_else(PoisonError::into_inner).take() {
            cursor.close();
        }
    }
}

/// A reader and its position.
struct Cursor {
    reader: Reader,
    topic_partition: TopicPartition,
    next: i64,
    /// Whether it came to the end of the partition, which it says only once.
    is_at_end: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TopicPartition {
    topic: String,
    partition: i32,
}

/// Reads these offsets. That a record is not there counts only where the reader was new: one that was sought may have
/// passed it. A cursor at the end is of no further use.
async fn read(
    kafka: &KafkaSettings,
    cursor: Option<Cursor>,
    topic_partition: &TopicPartition,
    offsets: &[i64],
) -> Result<(Option<Cursor>, ReadResult), KafkaError> {
    let first = offsets.first().copied().unwrap_or(0);
    if let Some(cursor) = cursor {
        let mut cursor = cursor.at(topic_partition, first)?;
        let result = cursor.find(offsets).await?;
        if result.lost.is_empty() {
            return Ok((Some(cursor), result));
        }
        cursor.close();
    }
    let mut cursor = Cursor::open(kafka, topic_partition.clone(), first)?;
    let result = cursor.find(offsets).await?;
    if cursor.is_at_end {
        cursor.close();
        return Ok((None, result));
    }
    Ok((Some(cursor), result))
}

impl Cursor {
    fn open(kafka: &KafkaSettings, topic_partition: TopicPartition, offset: i64) -> Result<Self, KafkaError> {
        let from = BTreeMap::from([(topic_partition.partition, offset)]);
        let reader = Reader::with(kafka, "spill", &FETCH, &topic_partition.topic, &from)?;
        Ok(Self { reader, topic_partition, next: offset, is_at_end: false })
    }

    /// Closes the client in the background, which waits for its threads.
    fn close(self) {
        drop(tokio::task::spawn_blocking(move || drop(self)));
    }

    /// Seeks, unless `offset` is near ahead.
    fn at(mut self, topic_partition: &TopicPartition, offset: i64) -> Result<Self, KafkaError> {
        let near = self.next..=self.next.saturating_add(SEEK_MIN_DISTANCE);
        if self.topic_partition != *topic_partition || !near.contains(&offset) {
            let from = BTreeMap::from([(topic_partition.partition, offset)]);
            self.reader.go_to(&topic_partition.topic, &from)?;
            self.topic_partition = topic_partition.clone();
            self.next = offset;
        }
        Ok(self)
    }

    async fn find(&mut self, offsets: &[i64]) -> Result<ReadResult, KafkaError> {
        let (mut result, mut bytes) = (ReadResult::default(), 0);
        let mut requested = offsets.iter().copied().peekable();
        while bytes < READ_MAX_BYTES && requested.peek().is_some() {
            let TopicPartition { topic, partition } = &self.topic_partition;
            let record = match self.reader.next().await? {
                Read::Record(record) => record,
                Read::End(ended) if ended == *partition => {
                    self.is_at_end = true;
                    result.lost.extend(requested.by_ref());
                    break;
                }
                Read::End(_) => continue,
            };
            let offset = record.offset();
            if record.partition() != *partition || record.topic() != topic {
                continue;
            }
            self.next = offset + 1;
            while let Some(lost) = requested.next_if(|&requested| requested < offset) {
                result.lost.push(lost);
            }
            bytes += record.size();
            if requested.next_if_eq(&offset).is_some() {
                result.records.push(record.into_owned());
            }
        }
        Ok(result)
    }
}

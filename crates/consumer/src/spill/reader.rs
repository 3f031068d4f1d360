//! Reads spilled records again, by a client of its own outside of the group, so that the group's polling goes on.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use millrace_domain::Backoff;
use millrace_kafka::{KafkaError, KafkaSettings, Read, Reader, Record};
use tokio::time::Sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::spill::index::ReadRequest;

/// A read ends early after this many bytes, of what is requested and of what lies between.
pub(crate) const READ_MAX_BYTES: usize = 8 << 20;

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

/// A seek costs about as much as reading so many records. After a smaller read the next one waits a little, until more
/// records are requested.
const SMALL_READ: usize = 100;

const SMALL_READ_BACKOFF: Duration = Duration::from_millis(50);

/// Delays after a failed read.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) };

/// Reads spilled records again, one request at a time.
pub(crate) struct SpillReader<'c> {
    kafka: &'c KafkaSettings,
    /// Where the last read ended.
    cursor: Option<Cursor>,
    running: Option<Running>,
    pause: Option<Pin<Box<Sleep>>>,
    failures: u32,
}

type Running = AbortOnDropHandle<Result<(Option<Cursor>, ReadRequest, ReadResult), KafkaError>>;

/// What was found of what was requested, as far as the read went.
#[derive(Debug, Default)]
pub(crate) struct ReadResult {
    pub(crate) records: Vec<Record<'static>>,
    /// Offsets that have no record any more: retention, compaction or `DeleteRecords` took them.
    pub(crate) lost: Vec<i64>,
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

impl<'c> SpillReader<'c> {
    pub(crate) fn new(kafka: &'c KafkaSettings) -> Self {
        Self { kafka, cursor: None, running: None, pause: None, failures: 0 }
    }

    /// Whether a read is under way, or the next one may not begin yet.
    pub(crate) fn is_busy(&self) -> bool {
        self.running.is_some() || self.pause.is_some()
    }

    /// Begins a read. None may be under way.
    pub(crate) fn begin(&mut self, request: ReadRequest, topic: &str, partition: i32) {
        let (kafka, cursor) = (self.kafka.clone(), self.cursor.take());
        let (first, count) = (request.offsets.first(), request.offsets.len());
        tracing::debug!(topic, partition, first, count, reason = ?request.reason, "reading spilled records");
        let topic_partition = TopicPartition { topic: topic.to_owned(), partition };
        let reading = async move {
            let (cursor, result) = read(&kafka, cursor, &topic_partition, &request.offsets).await?;
            Ok((cursor, request, result))
        };
        self.running = Some(AbortOnDropHandle::new(tokio::spawn(reading)));
    }

    /// The result of the read, when it ends. `None` where it failed, and when the next one may begin.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<(ReadRequest, ReadResult)>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
            return Poll::Ready(None);
        }
        let Some(running) = &mut self.running else { return Poll::Pending };
        let read = ready!(running.poll_unpin(context));
        self.running = None;
        let error = match read {
            Ok(Ok((cursor, request, result))) => {
                self.cursor = cursor;
                self.failures = 0;
                if request.offsets.len() < SMALL_READ {
                    self.pause = Some(Box::pin(tokio::time::sleep(SMALL_READ_BACKOFF)));
                }
                return Poll::Ready(Some((request, result)));
            }
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic.to_string(),
        };
        self.failures += 1;
        let delay = BACKOFF.delay(self.failures, None, &mut rand::rng());
        tracing::warn!(error, ?delay, "reading spilled records failed, retrying");
        self.pause = Some(Box::pin(tokio::time::sleep(delay)));
        Poll::Ready(None)
    }

    /// Ends the read that is under way.
    pub(crate) fn stop(&mut self) {
        self.running = None;
        self.pause = None;
        self.close();
    }

    /// Closes the client: nothing is spilled any more.
    pub(crate) fn close(&mut self) {
        if let Some(cursor) = self.cursor.take() {
            cursor.close();
        }
    }
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

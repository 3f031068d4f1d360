//! Reads postponed records again: by a client of its own, which belongs to no group, so that the group's reading goes on.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use millrace_domain::Backoff;
use tokio::time::Sleep;
use tokio_util::task::AbortOnDropHandle;

use super::offers::Wanted;
use crate::error::KafkaFailure;
use crate::reader::{Read, Reader};
use crate::record::Record;
use crate::settings::KafkaSettings;

/// Reading ends early after this many bytes, of what is wanted and of what lies between.
pub(super) const MOST_BYTES: usize = 8 << 20;

/// Going elsewhere waits for the fetch that is under way, and what was fetched ahead is dropped: both are kept small.
/// A full queue is looked at again after 5 ms, not after librdkafka's second.
const FETCH: [(&str, &str); 4] = [
    ("fetch.wait.max.ms", "10"),
    ("fetch.message.max.bytes", "262144"),
    ("queued.max.messages.kbytes", "1024"),
    ("fetch.queue.backoff.ms", "5"),
];

/// What lies at most so many offsets ahead is read towards rather than gone to.
const NEAR: i64 = 1_000;

/// Going elsewhere costs about as much as reading so many records. After fewer were wanted, the next reading waits a
/// little, until more are.
const FEW: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Delays after reading failed.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) };

/// See the module's text. One reading at a time.
pub(super) struct Again<'c> {
    kafka: &'c KafkaSettings,
    /// Where the last reading ended.
    cursor: Option<Cursor>,
    running: Option<Running>,
    pause: Option<Pin<Box<Sleep>>>,
    failures: u32,
}

type Running = AbortOnDropHandle<Result<(Cursor, Wanted, Found), KafkaFailure>>;

/// What was found of what was wanted, as far as it was looked for.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) records: Vec<Record<'static>>,
    /// Offsets that have no record any more.
    pub(super) gone: Vec<i64>,
}

/// A reader and where it stands.
struct Cursor {
    reader: Reader,
    place: Place,
    next: i64,
}

/// A topic's partition.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    topic: String,
    partition: i32,
}

impl<'c> Again<'c> {
    pub(super) fn new(kafka: &'c KafkaSettings) -> Self {
        Self { kafka, cursor: None, running: None, pause: None, failures: 0 }
    }

    /// Whether something is being read, or nothing is to be read yet.
    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some() || self.pause.is_some()
    }

    /// Begins to read what is wanted. Nothing may be running.
    pub(super) fn begin(&mut self, wanted: Wanted, topic: &str, partition: i32) {
        let (kafka, cursor) = (self.kafka.clone(), self.cursor.take());
        let (first, count) = (wanted.offsets.first(), wanted.offsets.len());
        tracing::debug!(topic, partition, first, count, behind = ?wanted.behind, "reading postponed records");
        let place = Place { topic: topic.to_owned(), partition };
        let reading = async move {
            let (cursor, found) = read(&kafka, cursor, &place, &wanted.offsets).await?;
            Ok((cursor, wanted, found))
        };
        self.running = Some(AbortOnDropHandle::new(tokio::spawn(reading)));
    }

    /// What was read, when it is. `None` when that failed, and when more may be read.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<(Wanted, Found)>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
            return Poll::Ready(None);
        }
        let Some(running) = &mut self.running else { return Poll::Pending };
        let read = ready!(running.poll_unpin(context));
        self.running = None;
        let error = match read {
            Ok(Ok((cursor, wanted, found))) => {
                self.cursor = Some(cursor);
                self.failures = 0;
                if wanted.offsets.len() < FEW {
                    self.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
                }
                return Poll::Ready(Some((wanted, found)));
            }
            Ok(Err(failure)) => failure.to_string(),
            Err(panic) => panic.to_string(),
        };
        self.failures += 1;
        let delay = BACKOFF.delay(self.failures, None, &mut rand::rng());
        tracing::warn!(error, ?delay, "postponed records cannot be read, trying again");
        self.pause = Some(Box::pin(tokio::time::sleep(delay)));
        Poll::Ready(None)
    }

    /// Ends what is being read.
    pub(super) fn stop(&mut self) {
        self.running = None;
        self.pause = None;
        self.rest();
    }

    /// Nothing is to be read for some time.
    pub(super) fn rest(&mut self) {
        if let Some(cursor) = self.cursor.take() {
            // Closing waits for the client's threads.
            drop(tokio::task::spawn_blocking(move || drop(cursor)));
        }
    }
}

/// Reads what is wanted. That a record is not there counts where the reader was new: one that went on from elsewhere
/// might have been there still.
async fn read(
    kafka: &KafkaSettings,
    cursor: Option<Cursor>,
    place: &Place,
    offsets: &[i64],
) -> Result<(Cursor, Found), KafkaFailure> {
    let first = offsets.first().copied().unwrap_or(0);
    if let Some(cursor) = cursor {
        let mut cursor = cursor.at(place, first)?;
        let found = cursor.find(offsets).await?;
        if found.gone.is_empty() {
            return Ok((cursor, found));
        }
        drop(tokio::task::spawn_blocking(move || drop(cursor)));
    }
    let mut cursor = Cursor::open(kafka, place.clone(), first)?;
    let found = cursor.find(offsets).await?;
    Ok((cursor, found))
}

impl Cursor {
    fn open(kafka: &KafkaSettings, place: Place, offset: i64) -> Result<Self, KafkaFailure> {
        let from = BTreeMap::from([(place.partition, offset)]);
        let reader = Reader::with(kafka, "postponed", &FETCH, &place.topic, &from)?;
        Ok(Self { reader, place, next: offset })
    }

    /// Where `offset` is near ahead, it is read towards.
    fn at(mut self, place: &Place, offset: i64) -> Result<Self, KafkaFailure> {
        if self.place != *place || !(self.next..=self.next.saturating_add(NEAR)).contains(&offset) {
            self.reader.go_to(&place.topic, &BTreeMap::from([(place.partition, offset)]))?;
            self.place = place.clone();
            self.next = offset;
        }
        Ok(self)
    }

    async fn find(&mut self, offsets: &[i64]) -> Result<Found, KafkaFailure> {
        let (mut found, mut bytes) = (Found::default(), 0);
        let mut wanted = offsets.iter().copied().peekable();
        while bytes < MOST_BYTES && wanted.peek().is_some() {
            let record = match self.reader.next().await? {
                Read::Record(record) => record,
                Read::End(partition) if partition == self.place.partition => {
                    found.gone.extend(wanted.by_ref());
                    break;
                }
                Read::End(_) => continue,
            };
            let offset = record.offset();
            if record.partition() != self.place.partition || record.topic() != self.place.topic {
                continue;
            }
            self.next = offset + 1;
            while let Some(gone) = wanted.next_if(|&wanted| wanted < offset) {
                found.gone.push(gone);
            }
            bytes += record.size();
            if wanted.next_if_eq(&offset).is_some() {
                found.records.push(record.into_owned());
            }
        }
        Ok(found)
    }
}

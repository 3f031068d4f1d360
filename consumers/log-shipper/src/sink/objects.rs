//! A batch is an object, named by where it begins: `raw/YYYY/MM/DD/HH/TOPIC-PARTITION-OFFSET-TIMESTAMP.jsonl.gz`.
//!
//! Place and name are those of the first record, and an object is written once: where there is one, an earlier attempt has
//! shipped the lines in it (and ended before it could commit, or was cut off from the group), and those behind them are the
//! next object. So a line is in one object, whoever wrote it. Were objects replaced, a member that was cut off could replace a
//! longer one late. Where a process goes on, an object of an earlier one may end behind there, because a batch that found an
//! object with more lines was committed: the object that begins last before that record is looked for. The record's timestamp
//! (in milliseconds) tells offsets of a topic apart from those of one that was made anew under its name.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use metrics::Counter;
use millrace_consumer::{Batch, BatchError};
use millrace_objects::Objects;

use crate::RAW;
use crate::line::Line;
use crate::settings::Compression;

/// The Zstandard level: the default takes twice the CPU time of gzip's above.
const ZSTD_LEVEL: i32 = 1;

/// How many lines are compressed before other tasks may run.
const LINES_PER_STEP: usize = 256;

/// The gzip level: a level above costs more CPU time than the bytes it saves are worth.
const GZIP_LEVEL: u32 = 4;

/// As long as lines may wait at most before they are an object.
const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The counter of objects.
const OBJECTS_TOTAL: &str = "millrace_log_shipper_objects_total";

/// Writes batches as objects.
#[derive(Debug)]
pub(crate) struct ObjectSink {
    objects: Objects,
    compression: Compression,
    /// By topic and partition, the last object of an earlier attempt: it may have more lines than the batch that met it.
    shipped: Mutex<HashMap<(String, i32), Shipped>>,
    /// By topic and partition, the offset that the next batch begins at or after, unless another process was in between.
    next: Mutex<HashMap<(String, i32), i64>>,
    written: Counter,
    failed: Counter,
}

/// What an object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shipped {
    /// The offset of its last line.
    last: i64,
    /// The latest timestamp of its lines.
    latest: Timestamp,
}

impl ObjectSink {
    pub(crate) fn new(objects: Objects, compression: Compression) -> Self {
        metrics::describe_counter!(
            OBJECTS_TOTAL,
            "Objects of raw logs by result: written, or failed (and tried again)"
        );
        let counter = |result: &'static str| metrics::counter!(OBJECTS_TOTAL, "result" => result);
        let (written, failed) = (counter("written"), counter("failed"));
        Self { objects, compression, shipped: Mutex::default(), next: Mutex::default(), written, failed }
    }

    pub(crate) async fn write(&self, batch: &Batch<'_, Line<'_>>) -> Result<(), BatchError> {
        let partition = (batch.topic.to_owned(), batch.partition);
        let Some(first) = batch.rows.first() else { return Ok(()) };
        let goes_on = guard(&self.next).get(&partition) == Some(&first.offset());
        if !goes_on {
            let covering = self.covering(batch.topic, batch.partition, first).await;
            let covering = covering.map_err(|reason| {
                self.failed.increment(1);
                BatchError::Unavailable { reason }
            })?;
            if let Some(shipped) = covering {
                guard(&self.shipped).insert(partition.clone(), shipped);
            }
        }
        self.write_rows(batch, &partition).await?;
        guard(&self.next).insert(partition, batch.next);
        Ok(())
    }

    async fn write_rows(&self, batch: &Batch<'_, Line<'_>>, partition: &(String, i32)) -> Result<(), BatchError> {
        let mut rows = self.not_shipped(partition, batch.rows);
        while let Some(first) = rows.first() {
            let path = path(batch.topic, batch.partition, first.offset(), first.timestamp(), self.compression);
            let content = compressed(rows, self.compression).await;
            let content = content.map_err(|error| BatchError::Fatal { reason: format!("{path}: {error}") })?;
            let failed = |reason: String| {
                self.failed.increment(1);
                BatchError::Unavailable { reason: format!("{path}: {reason}") }
            };
            if self.objects.create(&path, content.into()).await.map_err(|error| failed(error.to_string()))? {
                self.written.increment(1);
                return Ok(());
            }
            let shipped = self.read_shipped(&path).await.map_err(failed)?;
            tracing::info!(path, last = shipped.last, "an earlier attempt has shipped these lines");
            guard(&self.shipped).insert(partition.clone(), shipped);
            let left = self.not_shipped(partition, rows);
            if left.len() == rows.len() {
                return Err(failed(format!("it has other lines: its last has the offset {}", shipped.last)));
            }
            rows = left;
        }
        Ok(())
    }

    /// The lines of a partition that no object is known to have. An offset counts as shipped only with a time that the object
    /// reaches, too: of a topic that was made anew, offsets come again.
    fn not_shipped<'r, 'l>(&self, partition: &(String, i32), rows: &'r [Line<'l>]) -> &'r [Line<'l>] {
        let mut known = guard(&self.shipped);
        let Some(shipped) = known.get(partition).copied() else { return rows };
        if rows.first().is_some_and(|row| row.offset() > shipped.last) {
            known.remove(partition);
            return rows;
        }
        let count =
            rows.iter().take_while(|row| row.offset() <= shipped.last && row.timestamp() <= shipped.latest).count();
        rows.get(count..).unwrap_or_default()
    }

    /// What an object has: read to its end, line by line.
    async fn read_shipped(&self, path: &str) -> Result<Shipped, String> {
        let content = self.objects.read(path).await.map_err(|error| error.to_string())?.bytes;
        let read: Box<dyn Read + Send> = match self.compression {
            Compression::Gzip => Box::new(GzDecoder::new(&content[..])),
            Compression::Zstd => {
                Box::new(zstd::stream::read::Decoder::new(&content[..]).map_err(|error| error.to_string())?)
            }
        };
        let (mut lines, mut line, mut shipped) = (BufReader::new(read), String::new(), None);
        while lines.read_line(&mut line).map_err(|error| error.to_string())? > 0 {
            let (offset, timestamp) = Line::place(&line).ok_or("a line of it has no offset")?;
            let latest = shipped.map_or(timestamp, |shipped: Shipped| shipped.latest.max(timestamp));
            shipped = Some(Shipped { last: offset, latest });
            line.clear();
        }
        shipped.ok_or_else(|| "it is empty".to_owned())
    }

    /// What the object has that begins last before this line, in the line's hour or the one before: no batch waits longer.
    async fn covering(&self, topic: &str, partition: i32, line: &Line<'_>) -> Result<Option<Shipped>, String> {
        let mut latest: Option<(i64, String)> = None;
        for time in [line.timestamp() - AN_HOUR, line.timestamp()] {
            let folder = folder(time);
            let listed = self.objects.list(&folder).await.map_err(|error| error.to_string())?;
            for name in listed.into_keys() {
                let begins = begins_at(&name, topic, partition)
                    .filter(|&(offset, time)| offset < line.offset() && time <= line.timestamp().as_millisecond());
                if let Some((offset, _)) = begins
                    && latest.as_ref().is_none_or(|(known, _)| *known < offset)
                {
                    latest = Some((offset, format!("{folder}/{name}")));
                }
            }
        }
        let Some((_, path)) = latest else { return Ok(None) };
        let shipped = self.read_shipped(&path).await.map_err(|reason| format!("{path}: {reason}"))?;
        Ok((shipped.last >= line.offset()).then_some(shipped))
    }
}

/// What a lock guards. A panic while it is held leaves it as it was.
fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder of objects whose first record is of this time.
fn folder(time: Timestamp) -> String {
    format!("{RAW}/{}", time.strftime("%Y/%m/%d/%H"))
}

/// The offset and the timestamp (in milliseconds) at which an object begins, by its name; `None` where it is not of this
/// partition.
fn begins_at(name: &str, topic: &str, partition: i32) -> Option<(i64, i64)> {
    let (place, _) = name.strip_prefix(topic)?.strip_prefix(&format!("-{partition}-"))?.split_once('.')?;
    let (offset, time) = place.split_once('-')?;
    Some((offset.parse().ok()?, time.parse().ok()?))
}

/// The path of an object whose first record is this one.
fn path(topic: &str, partition: i32, offset: i64, time: Timestamp, compression: Compression) -> String {
    let (folder, millisecond) = (folder(time), time.as_millisecond());
    let suffix = match compression {
        Compression::Gzip => "gz",
        Compression::Zstd => "zst",
    };
    format!("{folder}/{topic}-{partition}-{offset:020}-{millisecond}.jsonl.{suffix}")
}

async fn compressed(lines: &[Line<'_>], compression: Compression) -> io::Result<Vec<u8>> {
    match compression {
        Compression::Gzip => {
            let encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL));
            written(lines, encoder).await?.finish()
        }
        Compression::Zstd => written(lines, zstd::stream::Encoder::new(Vec::new(), ZSTD_LEVEL)?).await?.finish(),
    }
}

/// Writes lines step by step, so that the process's other tasks run in between.
async fn written<W: Write>(lines: &[Line<'_>], mut encoder: W) -> io::Result<W> {
    let mut text = Vec::new();
    for lines in lines.chunks(LINES_PER_STEP) {
        text.clear();
        for line in lines {
            line.write(&mut text);
        }
        encoder.write_all(&text)?;
        tokio::task::yield_now().await;
    }
    Ok(encoder)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use millrace_kafka::Record;
    use millrace_objects::Location;
    use proptest::prelude::*;
    use rdkafka::Timestamp as KafkaTimestamp;
    use rdkafka::message::OwnedMessage;

    use super::*;

    const RECORDS: i64 = 60;

    #[test]
    fn a_path_is_that_of_the_first_record() {
        let time = Timestamp::from_millisecond(1_769_860_800_005).unwrap();
        assert_eq!(
            path("raw-logs", 2, 41, time, Compression::Gzip),
            "raw/2026/01/31/12/raw-logs-2-00000000000000000041-1769860800005.jsonl.gz"
        );
        assert!(path("raw-logs", 2, 41, Timestamp::UNIX_EPOCH, Compression::Zstd).starts_with("raw/1970/01/01/00/"));
    }

    #[test]
    fn a_name_says_where_its_object_begins() {
        let name = "raw-logs-2-00000000000000000041-1769860800005.jsonl.gz";
        assert_eq!(begins_at(name, "raw-logs", 2), Some((41, 1_769_860_800_005)));
        for (topic, partition) in [("raw-logs", 22), ("raw-logs", 1), ("raw", 2), ("raw-logs-2", 0)] {
            assert_eq!(begins_at(name, topic, partition), None, "{topic} {partition}");
        }
        for other in ["logs-1-2026-01-31-12-00-00-uuid.gz", "raw-logs-2-x-1.jsonl.gz", "raw-logs-2-"] {
            assert_eq!(begins_at(other, "raw-logs", 2), None, "{other}");
        }
    }

    /// A record of a topic whose records begin at `time`.
    fn record(time: i64, offset: i64) -> Record<'static> {
        let (value, topic) = (Some(format!("{time} {offset}").into_bytes()), "raw-logs".to_owned());
        let time = KafkaTimestamp::CreateTime(time + offset);
        Record::from(OwnedMessage::new(value, None, topic, time, 0, offset, None))
    }

    fn sink(folder: &Path) -> ObjectSink {
        let objects = Objects::open(&Location::Folder(folder.to_owned())).unwrap();
        ObjectSink::new(objects, Compression::Gzip)
    }

    /// Ships these offsets, as a batch.
    fn ship(sink: &ObjectSink, time: i64, offsets: std::ops::Range<i64>) {
        let next = offsets.end;
        let records: Vec<_> = offsets.map(|offset| record(time, offset)).collect();
        let rows: Vec<_> = records.iter().map(|record| Line::read(record).unwrap()).collect();
        let batch = Batch { topic: "raw-logs", partition: 0, expected: None, next, rows: &rows };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(sink.write(&batch)).unwrap();
    }

    /// The values of all lines in a folder, sorted.
    fn values(folder: &Path) -> Vec<String> {
        let mut values = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                    continue;
                }
                let mut text = String::new();
                GzDecoder::new(std::fs::File::open(entry).unwrap()).read_to_string(&mut text).unwrap();
                let value = |line: &str| line.split_once("\"record\":").map(|(_, value)| value.to_owned()).unwrap();
                values.extend(text.lines().map(value));
            }
        }
        values.sort();
        values
    }

    fn expected(time: i64, offsets: std::ops::Range<i64>) -> Vec<String> {
        let mut values: Vec<_> = offsets.map(|offset| format!("\"{time} {offset}\"}}")).collect();
        values.sort();
        values
    }

    #[test]
    fn a_topic_that_is_made_anew_loses_nothing_to_offsets_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        ship(&sink(folder.path()), 0, 0..30);
        let sink = sink(folder.path());
        ship(&sink, 0, 0..10);
        ship(&sink, 1_000_000, 0..20);
        let mut all = [expected(0, 0..30), expected(1_000_000, 0..20)].concat();
        all.sort();
        assert_eq!(values(folder.path()), all);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Owners of a partition ship batches from the committed offset on, end at any time, with some of what they shipped
        /// committed, and their last batch may be written late, when the next owner is at work: each line is in one object.
        #[test]
        fn each_line_is_in_one_object_whoever_writes_it(
            owners in proptest::collection::vec(
                (proptest::collection::vec(1i64..25, 1..5), any::<bool>(), 0usize..4, 0usize..4), 1..6),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut committed = 0;
            let mut late: Option<(ObjectSink, std::ops::Range<i64>)> = None;
            for (batches, is_late, late_after, commits) in owners {
                let sink = sink(folder.path());
                let mut at = committed;
                let last = batches.len() - 1;
                let mut own_late = None;
                for (index, length) in batches.into_iter().enumerate() {
                    let batch = at..(at + length).min(RECORDS);
                    if index == late_after && let Some((zombie, batch)) = late.take() {
                        ship(&zombie, 0, batch);
                    }
                    if index == last && is_late {
                        own_late = Some(batch);
                        break;
                    }
                    ship(&sink, 0, batch.clone());
                    at = batch.end;
                    if index < commits {
                        committed = at;
                    }
                }
                if let Some((zombie, batch)) = late.take() {
                    ship(&zombie, 0, batch);
                }
                late = own_late.map(|batch| (sink, batch));
            }
            // The last owner ships and commits all.
            let sink = sink(folder.path());
            while committed < RECORDS {
                let next = (committed + 7).min(RECORDS);
                ship(&sink, 0, committed..next);
                committed = next;
                if let Some((zombie, batch)) = late.take() {
                    ship(&zombie, 0, batch);
                }
            }
            prop_assert_eq!(values(folder.path()), expected(0, 0..RECORDS));
        }
    }
}

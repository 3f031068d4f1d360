//! A batch is an object, named by where it begins: `raw/YYYY/MM/DD/HH/TOPIC-PARTITION-OFFSET-TIMESTAMP.jsonl.gz`.
//!
//! Place and name are those of the first record, so that a batch that is shipped again, be it with more or fewer records,
//! replaces its object. The record's timestamp (in milliseconds) tells offsets of a topic apart from those of one that was
//! made anew under its name.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use jiff::Timestamp;
use metrics::Counter;
use millrace_consumer::{Batch, BatchError};
use millrace_objects::Objects;

use crate::line::Line;
use crate::settings::Compression;

/// The prefix of raw objects in the lake.
const RAW: &str = "raw";

/// The Zstandard level: the default takes twice the CPU time of gzip's above.
const ZSTD_LEVEL: i32 = 1;

/// How many lines are compressed before other tasks may run.
const LINES_PER_STEP: usize = 256;

/// The gzip level: a level above costs more CPU time than the bytes it saves are worth.
const GZIP_LEVEL: u32 = 4;

/// The counter of objects.
const OBJECTS_TOTAL: &str = "millrace_log_shipper_objects_total";

/// Writes batches as objects.
#[derive(Debug)]
pub(crate) struct ObjectSink {
    objects: Objects,
    compression: Compression,
    written: Counter,
    failed: Counter,
}

impl ObjectSink {
    pub(crate) fn new(objects: Objects, compression: Compression) -> Self {
        metrics::describe_counter!(
            OBJECTS_TOTAL,
            "Objects of raw logs by result: written, or failed (and tried again)"
        );
        let counter = |result: &'static str| metrics::counter!(OBJECTS_TOTAL, "result" => result);
        Self { objects, compression, written: counter("written"), failed: counter("failed") }
    }

    pub(crate) async fn write(&self, batch: &Batch<'_, Line<'_>>) -> Result<(), BatchError> {
        let Some(first) = batch.rows.first() else { return Ok(()) };
        let path = path(batch.topic, batch.partition, first.offset(), first.timestamp(), self.compression);
        let content = compressed(batch.rows, self.compression).await;
        let content = content.map_err(|error| BatchError::Fatal { reason: format!("{path}: {error}") })?;
        match self.objects.put(&path, content.into()).await {
            Ok(()) => {
                self.written.increment(1);
                Ok(())
            }
            Err(error) => {
                self.failed.increment(1);
                Err(BatchError::Unavailable { reason: format!("{path}: {error}") })
            }
        }
    }
}

/// The path of an object whose first record is this one.
fn path(topic: &str, partition: i32, offset: i64, time: Timestamp, compression: Compression) -> String {
    let (folder, millisecond) = (time.strftime("%Y/%m/%d/%H"), time.as_millisecond());
    let suffix = match compression {
        Compression::Gzip => "gz",
        Compression::Zstd => "zst",
    };
    format!("{RAW}/{folder}/{topic}-{partition}-{offset:020}-{millisecond}.jsonl.{suffix}")
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
    use super::*;

    #[test]
    fn a_path_is_that_of_the_first_record() {
        let time = Timestamp::from_millisecond(1_769_860_800_005).unwrap();
        assert_eq!(
            path("raw-logs", 2, 41, time, Compression::Gzip),
            "raw/2026/01/31/12/raw-logs-2-00000000000000000041-1769860800005.jsonl.gz"
        );
        assert!(path("raw-logs", 2, 41, Timestamp::UNIX_EPOCH, Compression::Zstd).starts_with("raw/1970/01/01/00/"));
    }
}

//! The lake: Firehose, the objects that it makes, and the functions that make rows of them.

pub(crate) use super::GIB;
use super::{Bill, DAY, HOURS, SECONDS};
use crate::{Prices, Stage, Workload};

/// What log-shipper's line has beside the record's value: id, service, time and offset.
const LINE_OVERHEAD: f64 = 130.0;

/// Bytes of gzip for a byte of a line: JSON with ids of traces, as in docs/benchmarks.md, comes to 0.17.
const RAW_KEPT: f64 = 0.17;

/// Bytes of Parquet for a byte of a line: the same lines come to 0.15.
pub(crate) const ROWS_KEPT: f64 = 0.15;

/// `lake.raw_days` where nothing is set.
const RAW_DAYS: f64 = 90.0;

/// An object of Firehose's: after a minute, or at 64 MiB.
const OBJECT_SECONDS: f64 = 60.0;
const OBJECT_BYTES: f64 = 67_108_864.0;

/// Calls for a raw object: of S3 to write (the object, its rows, two manifests, the hour's metrics) and to read (the object, manifests, the
/// rows twice and once more to compact them, the metrics), and of SQS for its two events.
pub(crate) const WRITES: f64 = 5.0;
pub(crate) const READS: f64 = 9.0;
const MESSAGES: f64 = 6.0;

/// Lambda looks into each of three queues by five connections, three times a minute, whether there is something or not.
const IDLE_POLLS: f64 = 3.0 * 5.0 * 3.0 * 60.0 * HOURS;

/// Processor time of a byte, in seconds: four times what cleaning takes in docs/benchmarks.md; compaction and metrics are guesses.
pub(crate) const CLEAN_CPU: f64 = 4.0 / 176e6;
pub(crate) const METRICS_CPU: f64 = COMPACT_CPU / 2.0;
const COMPACT_CPU: f64 = 4.0 / 131e6;

/// Gigabyte-seconds of a processor's second: Lambda gives a whole processor with 1,769 MB.
pub(crate) const GB_SECONDS: f64 = 1.769;

/// Gigabyte-seconds of looking for what is unusual, each minute: half a gigabyte for half a second.
const WATCH: f64 = 0.25 * 60.0 * HOURS;

pub(super) fn add(bill: &mut Bill, prices: &Prices, workload: &Workload, events: f64) {
    let line = f64::from(workload.value_bytes) + LINE_OVERHEAD;
    let taken = events * line / GIB;
    bill.add(Stage::Lake, "Firehose", taken, "GB", taken * prices.firehose_gb);
    let a_day = workload.events_per_second * DAY * line / GIB;
    let raw = a_day * RAW_DAYS * RAW_KEPT;
    bill.add(Stage::Lake, "raw objects, of 90 days", raw, "GB", raw * prices.bucket_gb_month);
    let rows = a_day * f64::from(workload.lake_days) * ROWS_KEPT;
    bill.add(Stage::Lake, "rows, once kept for all their days", rows, "GB", rows * prices.bucket_gb_month);
    let objects = if events > 0.0 { (SECONDS / OBJECT_SECONDS).max(events * line / OBJECT_BYTES) } else { 0.0 };
    let requests = objects * (WRITES * prices.bucket_thousand_writes + READS * prices.bucket_thousand_reads) / 1e3;
    bill.add(Stage::Lake, "requests to the bucket", objects * (WRITES + READS) / 1e3, "thousand", requests);
    let messages = (objects * MESSAGES + IDLE_POLLS) / 1e6;
    bill.add(Stage::Lake, "queues", messages, "million requests", messages * prices.queue_million_requests);
    let gb_seconds = events * line * (CLEAN_CPU + METRICS_CPU + COMPACT_CPU) * GB_SECONDS + WATCH;
    bill.add(Stage::Lake, "functions, time", gb_seconds, "GB-seconds", gb_seconds * prices.function_gb_second);
}

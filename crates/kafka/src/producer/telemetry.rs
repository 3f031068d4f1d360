//! The metrics of a producer. All producers of a process share them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};

use super::ProduceError;

const RECORDS: &str = "millrace_kafka_produced_records_total";
const ERRORS: &str = "millrace_kafka_produce_errors_total";
const DURATION: &str = "millrace_kafka_produce_duration_seconds";
const QUEUED_RECORDS: &str = "millrace_kafka_producer_queue_records";
const QUEUED_BYTES: &str = "millrace_kafka_producer_queue_bytes";

/// The label `result` of errors.
const NOT_WRITTEN: &str = "not_written";
const UNKNOWN: &str = "unknown";

/// The metrics of one producer. Made once: a lookup by name costs more than a record.
pub(super) struct ProducerMetrics {
    acknowledged: Counter,
    duration: Histogram,
    queued_records: Gauge,
    queued_bytes: Gauge,
    /// This producer's part of the two gauges: records and bytes.
    queued: Mutex<(f64, f64)>,
}

impl ProducerMetrics {
    pub(super) fn new() -> Self {
        describe_counter!(RECORDS, "Records acknowledged by all in-sync replicas");
        describe_counter!(
            ERRORS,
            "Records that were not acknowledged, by error class and result: not_written, or unknown"
        );
        describe_histogram!(
            DURATION,
            Unit::Seconds,
            "From handing records to the producer to their acknowledgement, or failure"
        );
        describe_gauge!(QUEUED_RECORDS, "Records that producers hold until they are acknowledged");
        describe_gauge!(QUEUED_BYTES, Unit::Bytes, "Bytes of the records that producers hold");
        // From the start, at 0: a rate sees no rise in a series that begins with 1.
        for (class, result) in [("transient", NOT_WRITTEN), ("transient", UNKNOWN), ("permanent", NOT_WRITTEN)] {
            counter!(ERRORS, "class" => class, "result" => result).increment(0);
        }
        Self {
            acknowledged: counter!(RECORDS),
            duration: metrics::histogram!(DURATION),
            queued_records: gauge!(QUEUED_RECORDS),
            queued_bytes: gauge!(QUEUED_BYTES),
            queued: Mutex::default(),
        }
    }

    pub(super) fn acknowledged(&self) {
        self.acknowledged.increment(1);
    }

    #[allow(clippy::unused_self, reason = "errors are rare, and have no handle of their own")]
    pub(super) fn failed(&self, error: &ProduceError) {
        let result = if error.may_be_written() { UNKNOWN } else { NOT_WRITTEN };
        counter!(ERRORS, "class" => error.class().as_str(), "result" => result).increment(1);
    }

    /// All records of a call have their report.
    pub(super) fn settled(&self, duration: Duration) {
        self.duration.record(duration);
    }

    /// Sets what the producer holds: records, and their bytes.
    #[allow(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
    pub(super) fn set_queued(&self, records: u64, bytes: u64) {
        let (records, bytes) = (records as f64, bytes as f64);
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        self.queued_records.increment(records - queued.0);
        self.queued_bytes.increment(bytes - queued.1);
        *queued = (records, bytes);
    }
}

impl Drop for ProducerMetrics {
    fn drop(&mut self) {
        self.set_queued(0, 0);
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn gauges_are_the_sum_over_all_producers() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        let shows = |total: &str| page.render().contains(&format!("\n{QUEUED_RECORDS} {total}\n"));
        metrics::with_local_recorder(&recorder, || {
            let (one, other) = (ProducerMetrics::new(), ProducerMetrics::new());
            one.set_queued(5, 50);
            other.set_queued(2, 20);
            one.set_queued(3, 30);
            assert!(shows("5"), "{}", page.render());
            drop(one);
            assert!(shows("2"), "{}", page.render());
        });
    }
}

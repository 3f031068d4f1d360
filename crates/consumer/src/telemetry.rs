//! The metrics of a consumer's group member.
//!
//! Handles are made once: a lookup by name and labels costs more than the work of a small record.

use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

use crate::dlq::cause::Cause;
use crate::options::Subscription;

/// The metrics of one member.
#[derive(Clone)]
pub(crate) struct MemberMetrics {
    consumer: String,
    pub(crate) done: Counter,
    dead_lettered: Counter,
    pub(crate) abandoned: Counter,
    pub(crate) retries: Counter,
    lag: Gauge,
    owned: Gauge,
    in_flight: Gauge,
    in_flight_bytes: Gauge,
    spilled: Gauge,
}

/// What a member has at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Levels {
    /// Offsets between what is committed and the ends of its partitions.
    pub(crate) lag: i64,
    /// Partitions that it owns.
    pub(crate) owned: usize,
    /// Records read and not done.
    pub(crate) in_flight: usize,
    /// Their keys and values.
    pub(crate) in_flight_bytes: usize,
    /// Records that left memory and will be read again.
    pub(crate) spilled: usize,
}

impl MemberMetrics {
    pub(crate) fn new(subscription: &Subscription) -> Self {
        describe();
        let consumer = subscription.name.clone();
        // Each of a consumer's members sets gauges of its own.
        let labels = [("consumer", consumer.clone()), ("topic", subscription.topics.join(","))];
        let records = |result: &'static str| counter!(RECORDS, "consumer" => consumer.clone(), "result" => result);
        // From the start, at 0: a rate sees no rise in a series that begins with 1.
        for (topic, cause) in subscription.topics.iter().flat_map(|topic| Cause::ALL.map(|cause| (topic, cause))) {
            dead_letters(&consumer, topic, cause).increment(0);
        }
        rejoins(&consumer).increment(0);
        Self {
            done: records("done"),
            dead_lettered: records("dead_lettered"),
            abandoned: records("abandoned"),
            retries: counter!(RETRIES, "consumer" => consumer.clone()),
            lag: gauge!(LAG, &labels),
            owned: gauge!(OWNED, &labels),
            in_flight: gauge!(IN_FLIGHT, &labels),
            in_flight_bytes: gauge!(IN_FLIGHT_BYTES, &labels),
            spilled: gauge!(SPILLED, &labels),
            consumer,
        }
    }

    /// Counts a dead letter, by the topic that its record was read from.
    pub(crate) fn dead_letter(&self, topic: &str, cause: Cause) {
        self.dead_lettered.increment(1);
        dead_letters(&self.consumer, topic, cause).increment(1);
    }

    #[allow(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
    pub(crate) fn set(&self, levels: Levels) {
        self.lag.set(levels.lag as f64);
        self.owned.set(levels.owned as f64);
        self.in_flight.set(levels.in_flight as f64);
        self.in_flight_bytes.set(levels.in_flight_bytes as f64);
        self.spilled.set(levels.spilled as f64);
    }

    /// The metrics of this member's commits to `store`.
    pub(crate) fn commits(&self, store: &'static str) -> CommitMetrics {
        let labels = [("consumer", self.consumer.clone()), ("store", store.to_owned())];
        let commits = |result: &'static str| counter!(COMMITS, "consumer" => self.consumer.clone(), "store" => store, "result" => result);
        CommitMetrics {
            committed: commits("committed"),
            failed: commits("failed"),
            unknown: commits("unknown"),
            duration: histogram!(COMMIT_DURATION, &labels),
            // Commits to the group have no batches.
            batch_records: if store == store::GROUP { Histogram::noop() } else { histogram!(BATCH_RECORDS, &labels) },
        }
    }
}

/// Counts how often a consumer joined its group again with new clients.
pub(crate) fn rejoins(consumer: &str) -> Counter {
    counter!(REJOINS, "consumer" => consumer.to_owned())
}

fn dead_letters(consumer: &str, topic: &str, cause: Cause) -> Counter {
    let labels =
        [("consumer", consumer), ("topic", topic), ("class", cause.class().as_str()), ("reason", cause.as_str())];
    counter!(DEAD_LETTERS, labels.map(|(name, value)| Label::new(name, value.to_owned())).to_vec())
}

/// Where progress is kept: the label `store`.
pub(crate) mod store {
    /// Offsets of the consumer group.
    pub(crate) const GROUP: &str = "group";
    /// Rows and offsets in a database.
    pub(crate) const DATABASE: &str = "database";
    /// Batches at a destination; their offsets are the group's.
    pub(crate) const DESTINATION: &str = "destination";
    /// Records and offsets in a Kafka transaction.
    pub(crate) const TRANSACTION: &str = "transaction";
}

/// The metrics of a member's commits.
#[derive(Clone)]
pub(crate) struct CommitMetrics {
    committed: Counter,
    failed: Counter,
    unknown: Counter,
    duration: Histogram,
    batch_records: Histogram,
}

impl CommitMetrics {
    pub(crate) fn committed(&self, duration: Duration) {
        self.committed.increment(1);
        self.duration.record(duration);
    }

    /// It did not take place, and is tried again.
    pub(crate) fn failed(&self) {
        self.failed.increment(1);
    }

    /// There was no answer: it may have taken place.
    pub(crate) fn unknown(&self) {
        self.unknown.increment(1);
    }

    /// So many records, or what was made of them, go together.
    #[allow(clippy::cast_precision_loss, reason = "a batch has far fewer than 2^52 records")]
    pub(crate) fn batch(&self, records: usize) {
        // A transaction without any moves offsets alone.
        if records > 0 {
            self.batch_records.record(records as f64);
        }
    }
}

const RECORDS: &str = "millrace_consumer_records_total";
const RETRIES: &str = "millrace_consumer_retries_total";
const DEAD_LETTERS: &str = "millrace_consumer_dead_letters_total";
const LAG: &str = "millrace_consumer_lag_records";
const OWNED: &str = "millrace_consumer_owned_partitions";
const IN_FLIGHT: &str = "millrace_consumer_in_flight_records";
const IN_FLIGHT_BYTES: &str = "millrace_consumer_in_flight_bytes";
const SPILLED: &str = "millrace_consumer_spilled_records";
const REJOINS: &str = "millrace_consumer_rejoins_total";
const COMMITS: &str = "millrace_consumer_commits_total";
const COMMIT_DURATION: &str = "millrace_consumer_commit_duration_seconds";
const BATCH_RECORDS: &str = "millrace_consumer_batch_records";

fn describe() {
    describe_counter!(RECORDS, "Records by result: done, dead_lettered, or abandoned to the partition's next owner");
    describe_counter!(
        RETRIES,
        "Attempts after the first of a record or of a batch, without those that a consumer makes by itself"
    );
    describe_counter!(
        DEAD_LETTERS,
        "Dead letters by source topic, error class and reason: no_value, rejected, panicked, attempts_exhausted, deleted"
    );
    describe_gauge!(LAG, "Offsets between what is committed and the end, over the partitions that this process owns");
    describe_gauge!(OWNED, "Partitions that this process owns");
    describe_counter!(REJOINS, "Times that a consumer joined its group again because a membership was lost");
    describe_gauge!(IN_FLIGHT, "Records read and not yet done");
    describe_gauge!(IN_FLIGHT_BYTES, Unit::Bytes, "Keys and values of the records in flight");
    describe_gauge!(SPILLED, "Records that left memory and will be read again from their topic");
    describe_counter!(
        COMMITS,
        "Commits of progress to the group, a database or a Kafka transaction, and batches taken by a destination, by result: \
         committed, failed, unknown"
    );
    describe_histogram!(COMMIT_DURATION, Unit::Seconds, "Duration of commits, from the request to its answer");
    describe_histogram!(
        BATCH_RECORDS,
        "Records in one database transaction, one batch to a destination, or one Kafka transaction"
    );
}

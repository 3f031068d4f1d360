//! Writes batches of documents. The consumer runtime calls it for each batch.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use metrics::Counter;
use millrace_consumer::{
    Attempt, Batch, BatchError, BatchLimits, BatchProcessor, ConsumerOptions, OffsetStorage, Refused, Written,
};
use millrace_domain::Backoff;
use millrace_kafka::Record;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::bulk::{self, Fate};
use crate::cluster::{CallError, CallErrorKind, Cluster};
use crate::day_index::{DayIndices, first_day};
use crate::document::Document;

/// Delays between calls that did not take all documents.
const BACKOFF: Backoff =
    Backoff { base: std::time::Duration::from_millis(200), cap: std::time::Duration::from_secs(10) };

/// How long it is relied on that the template is there: a cluster may be replaced by an empty one.
const TEMPLATE_INTERVAL: std::time::Duration = std::time::Duration::from_mins(1);

/// From which attempt on it is logged that documents are not taken: a cluster that is busy takes the rest soon.
const LOGGED_ATTEMPT: u32 = 3;

/// The counter of documents.
const DOCUMENTS_TOTAL: &str = "millrace_log_indexer_documents_total";

/// Indexes cleaned logs.
#[derive(Debug)]
pub struct LogIndexer {
    pub(crate) cluster: Cluster,
    pub(crate) indices: DayIndices,
    /// For how long indices are kept; `None`: for ever.
    pub(crate) retain: Option<SignedDuration>,
    limits: BatchLimits,
    /// Whether requests are to be signed.
    #[cfg_attr(not(feature = "sigv4"), expect(dead_code, reason = "such a build refuses the setting"))]
    pub(crate) is_signed: bool,
    /// For which days the template was seen: an index that is made without it has other types for good.
    template_seen: Mutex<Seen>,
    indexed: Counter,
    retried: Counter,
    too_old: Counter,
}

/// The days for which the template was seen, and since when.
#[derive(Debug, Default)]
struct Seen {
    at: Option<Instant>,
    days: BTreeSet<Date>,
}

impl LogIndexer {
    pub(crate) fn new(
        cluster: Cluster,
        indices: DayIndices,
        retain: Option<SignedDuration>,
        limits: BatchLimits,
        is_signed: bool,
    ) -> Self {
        metrics::describe_counter!(
            DOCUMENTS_TOTAL,
            "Documents by result: indexed, retried (not taken, and sent again), or too_old (older than --index-retain)"
        );
        let counter = |result: &'static str| metrics::counter!(DOCUMENTS_TOTAL, "result" => result);
        let (indexed, retried, too_old) = (counter("indexed"), counter("retried"), counter("too_old"));
        Self { cluster, indices, retain, limits, is_signed, template_seen: Mutex::default(), indexed, retried, too_old }
    }

    /// The options of the consumer runtime: when documents are sent, and enough in flight for that.
    pub fn options(&self, options: ConsumerOptions) -> ConsumerOptions {
        let BatchLimits { records, bytes, .. } = self.limits;
        ConsumerOptions {
            batch: self.limits,
            // Of some partitions one batch that is sent, and one that fills meanwhile.
            max_in_flight: options.max_in_flight.max(4 * records),
            max_in_flight_bytes: options.max_in_flight_bytes.max(2 * bytes),
            ..options
        }
    }

    /// Makes sure that an index of this day would have its types.
    pub(crate) async fn ensure_template(&self, day: Date) -> Result<(), CallError> {
        let mut seen = self.template_seen.lock().await;
        let Seen { at, days } = &mut *seen;
        if at.is_none_or(|at| at.elapsed() >= TEMPLATE_INTERVAL) {
            days.clear();
        }
        if days.contains(&day) {
            return Ok(());
        }
        self.cluster.ensure_template(&self.indices, &self.indices.name(day)).await?;
        if days.is_empty() {
            *at = Some(Instant::now());
        }
        days.insert(day);
        Ok(())
    }

    /// Sends a call, once its indices have their types.
    async fn send(&self, documents: &[Document<'_>], places: &[usize]) -> Result<Vec<Fate>, CallError> {
        let days: BTreeSet<Date> = places.iter().map(|&place| documents[place].day).collect();
        for day in days {
            // Whatever is wrong with it, it is no document's fault.
            let ensured = self.ensure_template(day).await;
            ensured.map_err(|error| CallError { kind: CallErrorKind::Unavailable, ..error })?;
        }
        let body = bulk::body(places.iter().map(|&place| &documents[place]), &self.indices);
        self.cluster.bulk(body, places.len()).await
    }

    /// Sends documents until each is indexed or refused; those that a call did not take are sent again, and no others.
    async fn index(&self, documents: &[Document<'_>], attempt: &Attempt<'_>) -> Result<Vec<Refused>, BatchError> {
        let first_day = self.retain.map(|retain| first_day(Timestamp::now(), retain));
        let is_kept = |place: &usize| first_day.is_none_or(|first_day| documents[*place].day >= first_day);
        let mut waiting: Vec<usize> = (0..documents.len()).filter(is_kept).collect();
        self.too_old.increment((documents.len() - waiting.len()) as u64);

        let (mut refused, mut most, mut failures) = (Vec::new(), usize::MAX, 0);
        while !waiting.is_empty() {
            let rest = waiting.split_off(bulk::call_size(documents, &waiting, most));
            let sent = waiting.len();
            let Some(answer) = attempt.until_revoked(self.send(documents, &waiting)).await else {
                return Err(BatchError::Unavailable { reason: "stopped before OpenSearch has answered".to_owned() });
            };
            let mut is_slow = false;
            let reason = match answer {
                Ok(fates) => {
                    most = most.saturating_mul(2);
                    let (mut left, mut last) = (Vec::new(), None);
                    for (index, fate) in waiting.into_iter().zip(fates) {
                        match fate {
                            Fate::Indexed => self.indexed.increment(1),
                            Fate::Refused(reason) => refused.push(Refused { index, reason }),
                            Fate::Again(reason) => {
                                left.push(index);
                                last = Some(reason);
                            }
                        }
                    }
                    waiting = left;
                    last
                }
                // One of them is at fault, or all together are too many: halves, until each is taken or refused alone.
                Err(CallError { kind: CallErrorKind::Refused, reason }) => {
                    if let [index] = waiting[..] {
                        refused.push(Refused { index, reason });
                        waiting.clear();
                    }
                    most = (sent / 2).max(1);
                    None
                }
                Err(CallError { kind, reason }) => {
                    is_slow = kind == CallErrorKind::TooMuch;
                    if is_slow {
                        most = (sent / 2).max(1);
                    }
                    *self.template_seen.lock().await = Seen::default();
                    Some(reason)
                }
            };
            let left = waiting.len();
            waiting.extend(rest);
            let Some(reason) = reason else {
                failures = 0;
                continue;
            };
            failures += 1;
            self.retried.increment(left as u64);
            let delay = BACKOFF.delay(failures, None, &mut rand::rng());
            if is_slow || failures >= LOGGED_ATTEMPT {
                tracing::warn!(
                    sent,
                    left,
                    failures,
                    ?delay,
                    reason,
                    "OpenSearch did not take all, sending the rest again"
                );
            }
            if attempt.until_revoked(tokio::time::sleep(delay)).await.is_none() {
                return Err(BatchError::Unavailable { reason });
            }
        }
        refused.sort_unstable_by_key(|refused| refused.index);
        Ok(refused)
    }
}

impl BatchProcessor for LogIndexer {
    const OFFSETS: OffsetStorage = OffsetStorage::Group;

    type Row<'r> = Document<'r>;
    type Pending = ();

    fn read<'r>(&self, record: &'r Record<'_>) -> Result<Document<'r>, String> {
        Document::read(record)
    }

    async fn write(&self, batch: &Batch<'_, Self::Row<'_>>, attempt: &Attempt<'_>) -> Result<Written<()>, BatchError> {
        let refused = self.index(batch.rows, attempt).await?;
        Ok(Written { pending: (), refused })
    }

    async fn commit(&self, (): ()) -> Result<(), BatchError> {
        Ok(())
    }
}

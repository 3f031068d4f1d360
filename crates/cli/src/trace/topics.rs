//! What the topics have of an event: all of them are read, from a time on, to where they end now.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use millrace_domain::catalogue::catalogue;
use millrace_domain::{dead_letter, event, payment};
use millrace_edge::SOURCE;
use millrace_kafka::{Read, Reader, Record};
use millrace_payments::payment_id_of;
use serde_json::{Value, json};

use super::hop::{Hop, HopKind};
use super::ids::Ids;
use crate::bound::Bound;
use crate::broker::{BROKER_TIMEOUT, Broker};
use crate::progress_bar;

/// How far the edge's time of an event is from that of its record.
const ACCEPTED_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// How long the brokers may send nothing.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(25);

/// How many offsets pass between two moves of the progress bar.
const STEP: u64 = 4_096;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) hops: Vec<Hop>,
    /// Where it is a log record.
    pub(super) log: OfLog,
}

/// When a log record was.
#[derive(Debug, Default)]
pub(super) struct OfLog {
    /// When it was written to its topic.
    pub(super) written: Option<Timestamp>,
    /// The times of the rows that the topic of cleaned logs has of it.
    pub(super) row_times: Vec<Timestamp>,
}

impl OfLog {
    /// Whether a topic has it.
    pub(super) fn is_known(&self) -> bool {
        self.written.is_some() || !self.row_times.is_empty()
    }
}

/// Reads the catalogue's topics, and their dead letters. Payments come after orders there, whose records name them.
pub(super) async fn search(broker: &Broker, ids: &mut Ids, since: Option<Timestamp>) -> anyhow::Result<Found> {
    let names =
        catalogue().topics.iter().flat_map(|topic| std::iter::once(&topic.name).chain(&topic.dead_letter_topic));
    let there: Vec<(String, i32)> =
        names.filter_map(|name| Some((name.clone(), *broker.overview.topics.get(name)?))).collect();
    let topics: BTreeMap<String, i32> = there.iter().cloned().collect();
    let ends = broker.cluster.end_offsets(&topics, BROKER_TIMEOUT).await?;
    // The in-memory broker knows no times.
    let since = match since {
        Some(since) if !broker.cluster.is_in_memory(BROKER_TIMEOUT).await? => Some(since),
        _ => None,
    };
    let begins = match since {
        Some(since) => broker.cluster.offsets_since(&topics, since.as_millisecond(), BROKER_TIMEOUT).await?,
        None => broker.cluster.first_offsets(&topics, BROKER_TIMEOUT).await?,
    };
    let length = ends.iter().map(|(place, end)| end - begins.get(place).unwrap_or(end));
    let bar = progress_bar::on_stderr(Some(length.sum::<i64>().try_into().unwrap_or(0)));

    let mut found = Found::default();
    for (topic, _) in there {
        bar.set_message(topic.clone());
        let of_topic = ends.iter().filter(|((name, _), _)| *name == topic);
        let end: BTreeMap<i32, i64> = of_topic.map(|((_, partition), &end)| (*partition, end)).collect();
        let begin_of = |partition: i32, end: i64| begins.get(&(topic.clone(), partition)).copied().unwrap_or(end);
        let begin: BTreeMap<i32, i64> =
            end.iter().map(|(&partition, &end)| (partition, begin_of(partition, end))).collect();
        let mut bound = Bound::between(&begin, &end);
        if bound.is_reached() {
            continue;
        }
        let reader = Reader::new(&broker.settings, "trace", &topic, &begin)?;
        let mut read = 0;
        while !bound.is_reached() {
            let next = tokio::time::timeout(SILENCE_TIMEOUT, reader.next()).await.with_context(|| {
                let (servers, seconds) = (&broker.settings.bootstrap_servers, SILENCE_TIMEOUT.as_secs());
                format!("no broker at {servers} sends records of {topic}: no answer within {seconds} s")
            })?;
            match next? {
                Read::End(partition) => bound.ended(partition),
                Read::Record(record) => {
                    if bound.advance(record.partition(), record.offset())
                        && let Some(id) = ids.id_of(&record)
                    {
                        found.take(&record, &id, ids);
                    }
                    read += 1;
                    if read % STEP == 0 {
                        bar.inc(STEP);
                    }
                }
            }
        }
        bar.inc(read % STEP);
    }
    bar.finish_and_clear();
    Ok(found)
}

impl Found {
    /// Takes a record with one of the ids.
    fn take(&mut self, record: &Record<'_>, id: &str, ids: &mut Ids) {
        let place = format!("{}-{}-{}", record.topic(), record.partition(), record.offset());
        let written = Timestamp::from_millisecond(record.timestamp()).unwrap_or_default();
        let other = ids.other(id);
        let (topic, partition, offset) = (record.topic(), record.partition(), record.offset());
        let position = json!({"topic": topic, "partition": partition, "offset": offset, "id": other});
        if catalogue().topics.iter().any(|known| known.dead_letter_topic.as_deref() == Some(topic)) {
            self.hops.push(Hop::new(HopKind::DeadLetter, written, place, with(position, letter(record))));
            return;
        }
        let envelope = record.envelope();
        if topic == payment::TOPIC {
            self.hops.push(paid(written, &place, record.value().unwrap_or_default(), position));
            return;
        }
        let time = envelope.time.parse().ok();
        self.hops.extend(time.and_then(|at| accepted(&envelope.event_type, &envelope.source, at, written, other)));
        let key = record.key().map(|key| String::from_utf8_lossy(key).into_owned());
        let about = json!({"key": key, "type": envelope.event_type, "trace_id": record.trace_id()});
        self.hops.push(Hop::new(HopKind::Kafka, written, place, with(position, about)));
        if topic == event::ORDER.topic {
            ids.add_payment(&payment_id_of(record));
        } else if topic == event::LOG.topic {
            self.log.written.get_or_insert(written);
        } else if topic == millrace_log_indexer::TOPIC {
            let row: Value = serde_json::from_slice(record.value().unwrap_or_default()).unwrap_or_default();
            self.log.row_times.extend(row["time"].as_str().and_then(|time| time.parse::<Timestamp>().ok()));
        }
    }
}

/// The hop of a payment, by its value.
pub(super) fn paid(at: Timestamp, place: &str, value: &[u8], details: Value) -> Hop {
    let value: Value = serde_json::from_slice(value).unwrap_or_default();
    let settled = json!({"status": value["status"], "reason": value["reason"], "order_id": value["order_id"]});
    Hop::new(HopKind::Paid, at, place, with(details, settled))
}

/// The edge's hop, where the edge took an event: its time says when. A caller may say that the edge is the source of its event,
/// too, and give it a time: that of the edge is close to when the record was `written`.
pub(super) fn accepted(
    event_type: &str,
    source: &str,
    at: Timestamp,
    written: Timestamp,
    id: Option<&str>,
) -> Option<Hop> {
    if source != SOURCE || at.duration_since(written).abs() > ACCEPTED_WITHIN {
        return None;
    }
    // The database has microseconds.
    let at = Timestamp::from_microsecond(at.as_microsecond()).ok()?;
    Some(Hop::new(HopKind::Accepted, at, SOURCE, json!({"type": event_type, "id": id})))
}

/// What a dead letter says: the latest refusal.
fn letter(record: &Record<'_>) -> Value {
    let Some(letter) = dead_letter::sets(record.headers()).into_iter().rev().find_map(Result::ok) else {
        return json!({});
    };
    let source = format!("{}-{}-{}", letter.topic, letter.partition, letter.offset);
    json!({
        "source": source, "group": letter.group, "attempts": letter.attempts, "class": letter.class.as_str(),
        "reason": letter.reason,
    })
}

/// The entries of both objects.
fn with(mut first: Value, second: Value) -> Value {
    if let (Value::Object(first), Value::Object(second)) = (&mut first, second) {
        first.extend(second);
    }
    first
}

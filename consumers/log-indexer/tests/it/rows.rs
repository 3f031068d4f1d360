//! Rows on the topic.

use jiff::{SignedDuration, Timestamp};
use millrace_broker::embedded::Embedded;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord, headers};
use rdkafka::message::OwnedHeaders;
use serde_json::{Value, json};

pub(crate) const TOPIC: &str = "cleaned-logs";
pub(crate) const DLQ: &str = "cleaned-logs.dlq";

/// An embedded broker with the topics of cleaned logs.
pub(crate) fn broker() -> Embedded {
    Embedded::start(&[(TOPIC, 1), (DLQ, 1)]).unwrap()
}

/// A time so long ago, with nanoseconds.
pub(crate) fn ago(hours: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(hours) + SignedDuration::from_nanos(1)
}

/// The index of a time's day.
pub(crate) fn index_of(prefix: &str, time: Timestamp) -> String {
    format!("{prefix}-{}", time.strftime("%Y.%m.%d"))
}

/// A row as log-clean publishes it.
pub(crate) fn row(id: &str, time: Timestamp, body: &str) -> Value {
    json!({
        "id": id, "time": time, "time_ns": i64::try_from(time.as_nanosecond()).unwrap(), "time_source": "record",
        "observed_time": time, "severity_number": 17, "severity_text": "ERROR", "service": "checkout", "body": body,
        "attributes": {"user.id": "u1", "": "no name", "a": "1", "a.b": "2"}, "trace_id": null, "span_id": null,
        "exception_type": null, "exception_message": null, "exception_stacktrace": null, "duration_ms": 12.7, "status": 503,
        "format": "json", "source": "raw/2026/01/31/12/x.gz", "line": 7, "lines": 1
    })
}

/// Produces values under these ids.
pub(crate) async fn produce(broker: &Embedded, values: impl IntoIterator<Item = (String, String)>) {
    let kafka = KafkaSettings::plaintext(broker.bootstrap_servers());
    let producer = Producer::new(&kafka, &ProducerSettings::default()).unwrap();
    for (id, value) in values {
        let headers = headers::append(OwnedHeaders::new(), [("ce_id", id)]);
        let (key, value) = (Some(&b"checkout"[..]), Some(value.as_bytes()));
        producer.send(ProducerRecord { topic: TOPIC, partition: None, key, value, headers }).await.unwrap();
    }
}

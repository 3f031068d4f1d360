//! The function on a broker with the catalogue's topics, requests and responses.

use bytes::Bytes;
use http::{Request, Response};
use millrace_broker::topics::TopicSpec;
use millrace_domain::catalogue::catalogue;
use millrace_testkit::Kafka;
use millrace_testkit::kafka::{Isolation, OwnedRecord, unique};
use millrace_testkit::lambda::{Function, Lambda, event, read_answer};
use serde_json::{Value, json};

/// The function's binary, without settings.
pub(crate) fn function() -> Function {
    Function::new(env!("CARGO_BIN_EXE_millrace-api"))
}

/// The function on this broker.
pub(crate) async fn function_on(kafka: &Kafka) -> Function {
    let topics = catalogue().topics.iter().map(|topic| TopicSpec::new(&topic.name, topic.partitions));
    kafka.create_topics(&topics.collect::<Vec<_>>()).await;
    function().variable("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers())
}

/// A notification request, and its event's id.
pub(crate) fn notification() -> (Request<Bytes>, String) {
    let id = unique("api");
    let body = json!({"user_id": "12345", "message": "Your parcel is on its way."}).to_string();
    (post("/send-notification", &id).body(body.into()).unwrap(), id)
}

/// A JSON request with an Idempotency-Key.
pub(crate) fn post(path: &str, id: &str) -> http::request::Builder {
    Request::post(path).header("content-type", "application/json").header("idempotency-key", id)
}

/// The function's response to an event.
pub(crate) async fn answer(lambda: &Lambda, event: &Value) -> Response<Bytes> {
    let payload = lambda.invoke(event).await.unwrap_or_else(|failure| panic!("{failure}"));
    read_answer(&payload).unwrap()
}

/// The function's response to a request through an HTTP API.
pub(crate) async fn send(lambda: &Lambda, request: &Request<Bytes>) -> Response<Bytes> {
    answer(lambda, &event::http_api(request, "$default")).await
}

pub(crate) fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_else(|error| panic!("{error}: {response:?}"))
}

/// The records of this event.
pub(crate) async fn records(kafka: &Kafka, topic: &str, id: &str) -> Vec<OwnedRecord> {
    let records = kafka.read_all(topic, Isolation::Committed).await;
    records.into_iter().filter(|record| record.header("ce_id") == Some(id)).collect()
}

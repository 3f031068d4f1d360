//! A host for the edge with an in-memory sink, status and lookup.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use millrace_edge::{
    Ack, BoxFuture, BrokerStatus, DeliveryStatus, Edge, EventRecord, Limits, Lookup, LookupError, NotificationStatus,
    Sink, SinkError, Status, StatusSource, StoredDelivery, StoredEvent, StoredNotification,
};
use serde_json::Value;
use serde_json::value::RawValue;
use tower::ServiceExt;

/// An event as written to the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) topic: &'static str,
    pub(crate) key: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) value: Vec<u8>,
}

impl Record {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(candidate, _)| candidate == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "repeated header {name}: {:?}", self.headers);
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.value).unwrap()
    }
}

/// A sink that keeps all events and answers as configured.
#[derive(Default)]
pub(crate) struct MemorySink {
    records: Mutex<Vec<Record>>,
    outcomes: Mutex<VecDeque<Result<(), SinkError>>>,
    hangs: AtomicBool,
    omits_last_report: AtomicBool,
}

impl Sink for MemorySink {
    fn write<'a>(&'a self, events: &'a [EventRecord<'a>]) -> BoxFuture<'a, Vec<Result<Ack, SinkError>>> {
        Box::pin(async move {
            assert!(!events.is_empty(), "write without events");
            let mut reports = self.record(events);
            if self.hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            if self.omits_last_report.load(Ordering::Relaxed) {
                reports.pop();
            }
            reports
        })
    }
}

impl MemorySink {
    fn record(&self, events: &[EventRecord<'_>]) -> Vec<Result<Ack, SinkError>> {
        let mut records = self.records.lock().unwrap();
        let mut outcomes = self.outcomes.lock().unwrap();
        let mut reports = Vec::with_capacity(events.len());
        for event in events {
            let offset = i64::try_from(records.len()).unwrap();
            let headers = event.envelope.headers();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            records.push(Record {
                topic: event.topic,
                key: event.key.to_string(),
                headers: headers.map(|(name, value)| (name.to_owned(), text(value))).collect(),
                value: event.value.to_vec(),
            });
            let outcome = outcomes.pop_front().unwrap_or(Ok(()));
            reports.push(outcome.map(|()| Ack { partition: 3, offset }));
        }
        reports
    }
}

/// A status source that answers as configured.
#[derive(Default)]
pub(crate) struct FixedStatus {
    is_down: AtomicBool,
    hangs: AtomicBool,
}

impl StatusSource for FixedStatus {
    fn status(&self) -> BoxFuture<'_, Status> {
        Box::pin(async move {
            if self.hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            if self.is_down.load(Ordering::Relaxed) {
                return Status::unreachable();
            }
            Status { status: "ok", kafka: BrokerStatus { connected: true, brokers: 3 }, ..Status::default() }
        })
    }
}

/// A lookup of one event and one notification, both with the id of the document's examples.
#[derive(Default)]
pub(crate) struct FixedLookup {
    is_down: AtomicBool,
    hangs: AtomicBool,
}

pub(crate) const STORED: &str = "0198c5a0-0000-7000-8000-000000000001";

impl FixedLookup {
    async fn answer<T>(&self, id: &str, stored: T) -> Result<Option<T>, LookupError> {
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.is_down.load(Ordering::Relaxed) {
            return Err(LookupError::Unavailable { reason: "refused".to_owned() });
        }
        Ok((id == STORED || id == "a/b c").then_some(stored))
    }
}

impl Lookup for FixedLookup {
    fn event<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredEvent>, LookupError>> {
        Box::pin(self.answer(
            id,
            StoredEvent {
                id: id.to_owned(),
                event_type: "t".to_owned(),
                source: "/s".to_owned(),
                topic: "events".to_owned(),
                partition: 2,
                offset: 17,
                key: None,
                time: "2026-01-31T12:00:00Z".to_owned(),
                received_at: "2026-01-31T12:00:00.004Z".to_owned(),
                data: RawValue::from_string(r#"{"n": 12345678901234567890.50}"#.to_owned()).unwrap(),
            },
        ))
    }

    fn notification<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredNotification>, LookupError>> {
        let delivery = StoredDelivery {
            destination: "hook".to_owned(),
            attempt: 1,
            status: DeliveryStatus::Failed,
            at: "2026-01-31T12:00:01Z".to_owned(),
            error: Some("status 410".to_owned()),
        };
        Box::pin(self.answer(
            id,
            StoredNotification {
                id: id.to_owned(),
                user_id: "12345".to_owned(),
                status: NotificationStatus::Accepted,
                deliveries: vec![delivery],
            },
        ))
    }
}

/// The edge with these ports.
pub(crate) struct Host {
    router: Router,
    sink: Arc<MemorySink>,
    status: Arc<FixedStatus>,
    lookup: Arc<FixedLookup>,
}

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let (sink, status) = (Arc::<MemorySink>::default(), Arc::<FixedStatus>::default());
        let lookup = Arc::<FixedLookup>::default();
        let edge = Edge::new(sink.clone(), status.clone(), limits).with_lookup(lookup.clone());
        Self { router: edge.router(), sink, status, lookup }
    }

    /// An edge without a database.
    pub(crate) fn without_database() -> Self {
        let host = Self::new();
        let edge = Edge::new(host.sink.clone(), host.status.clone(), Limits::default());
        Self { router: edge.router(), ..host }
    }

    /// Sets the sink's results of the next events, in order; all later ones are written.
    pub(crate) fn answer_with(&self, outcomes: impl IntoIterator<Item = Result<(), SinkError>>) {
        self.sink.outcomes.lock().unwrap().extend(outcomes);
    }

    /// From now on no port answers.
    pub(crate) fn hang(&self) {
        self.sink.hangs.store(true, Ordering::Relaxed);
        self.status.hangs.store(true, Ordering::Relaxed);
        self.lookup.hangs.store(true, Ordering::Relaxed);
    }

    /// From now on the sink omits its last report.
    pub(crate) fn omit_the_last_report(&self) {
        self.sink.omits_last_report.store(true, Ordering::Relaxed);
    }

    /// From now on no broker answers the status source, and no database the lookup.
    pub(crate) fn disconnect(&self) {
        self.status.is_down.store(true, Ordering::Relaxed);
        self.lookup.is_down.store(true, Ordering::Relaxed);
    }

    /// The records written since the last call.
    pub(crate) fn take_records(&self) -> Vec<Record> {
        std::mem::take(&mut *self.sink.records.lock().unwrap())
    }

    /// The only record written since the last call.
    pub(crate) fn take_record(&self) -> Record {
        let mut records = self.take_records();
        assert_eq!(records.len(), 1, "{records:?}");
        records.remove(0)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let request = headers.iter().fold(Request::builder().method(method).uri(path), |request, (name, value)| {
            request.header(*name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        self.send(request.body(body.into()).unwrap()).await
    }

    /// POST without headers.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.call("POST", path, &[], body).await
    }

    /// POST with a Content-Type.
    pub(crate) async fn post_as(&self, media_type: &str, path: &str, body: impl Into<Body>) -> Answer {
        self.call("POST", path, &[("content-type", media_type)], body).await
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The body of a problem with this status, after [`assert_problem`].
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:?}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert!(self.header("x-request-id").is_some());
        let problem = self.json();
        assert_problem(&problem, status);
        let retries = [429, 503, 504].contains(&status);
        let after = self.header("retry-after").map(|seconds| seconds.parse::<u32>().unwrap());
        assert_eq!(after.is_some_and(|seconds| (1..=60).contains(&seconds)), retries, "{after:?}");
        problem
    }

    /// The JSON pointers of a problem's errors.
    pub(crate) fn pointers(&self, status: u16) -> Vec<String> {
        pointers(&self.problem(status))
    }
}

/// Asserts that a problem has all members of RFC 9457 and of the contract.
pub(crate) fn assert_problem(problem: &Value, status: u16) {
    assert_eq!(problem["status"], status);
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["title"], StatusCode::from_u16(status).unwrap().canonical_reason().unwrap());
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    for error in problem["errors"].as_array().into_iter().flatten() {
        assert!(error["pointer"].is_string() && error["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
}

/// The JSON pointers of a problem's errors.
pub(crate) fn pointers(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().into_iter().flatten();
    errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}

//! S3, `EventBridge`, SNS and Athena, as far as the lake's functions use them: objects are listed, read, written and deleted, events
//! are put, notifications published, queries started.
//!
//! Requests are not checked for signatures. An upload in parts is one object once it is completed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// When every object was written.
const WRITTEN: &str = "Sat, 31 Jan 2026 12:00:00 GMT";

/// A server of one bucket, one bus and topics; dropping it ends it.
#[derive(Debug)]
pub struct Bucket {
    name: &'static str,
    address: SocketAddr,
    content: Shared,
    server: JoinHandle<()>,
}

type Shared = Arc<Mutex<Content>>;

#[derive(Debug, Default)]
struct Content {
    objects: BTreeMap<String, Bytes>,
    uploads: HashMap<String, BTreeMap<u32, Bytes>>,
    events: Vec<Value>,
    /// Requests that are answered 503: all whose path contains this.
    failing: Option<String>,
    /// Events that the bus does not take, in an answer of status 200.
    refused_events: usize,
    notifications: Vec<BTreeMap<String, String>>,
    /// Notifications that are answered 503.
    refused_notifications: usize,
    queries: Vec<AthenaQuery>,
    /// How many queries fail that are started next.
    failing_queries: usize,
}

/// A query of Athena: it runs when it is looked at first, and has ended then.
#[derive(Debug)]
struct AthenaQuery {
    request: Value,
    fails: bool,
    was_looked_at: bool,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Bucket {
    /// Starts a server with an empty bucket of this name.
    pub async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.unwrap_or_else(|error| panic!("a port: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("its address: {error}"));
        let content = Shared::default();
        let routes = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&content));
        let server = tokio::spawn(async {
            // It ends with the test.
            let _ = axum::serve(listener, routes).await;
        });
        Self { name, address, content, server }
    }

    /// What makes an AWS client of a child process talk to it.
    pub fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ]
    }

    /// Writes an object.
    pub fn put(&self, key: &str, content: impl Into<Bytes>) {
        self.content().objects.insert(self.path(key), content.into());
    }

    /// The bucket's objects, by their keys.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        let below = self.path("");
        let objects = &self.content().objects;
        objects
            .iter()
            .filter_map(|(path, content)| Some((path.strip_prefix(&below)?.to_owned(), content.clone())))
            .collect()
    }

    /// The events that were put: the requests' entries.
    pub fn events(&self) -> Vec<Value> {
        self.content().events.clone()
    }

    /// Answers 503 to requests whose path contains this text; `None`: to none.
    pub fn fail(&self, text: Option<&str>) {
        self.content().failing = text.map(str::to_owned);
    }

    /// Refuses the next events, in an answer of status 200.
    pub fn refuse_events(&self, count: usize) {
        self.content().refused_events = count;
    }

    /// The notifications that were published: the requests' parameters.
    pub fn notifications(&self) -> Vec<BTreeMap<String, String>> {
        self.content().notifications.clone()
    }

    /// Answers 503 to the next notifications.
    pub fn refuse_notifications(&self, count: usize) {
        self.content().refused_notifications = count;
    }

    /// The queries that were started: the requests.
    pub fn queries(&self) -> Vec<Value> {
        self.content().queries.iter().map(|query| query.request.clone()).collect()
    }

    /// Takes the next queries, which fail then.
    pub fn fail_queries(&self, count: usize) {
        self.content().failing_queries = count;
    }

    fn path(&self, key: &str) -> String {
        format!("/{}/{key}", self.name)
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    State(content): State<Shared>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut content = content.lock().unwrap_or_else(PoisonError::into_inner);
    match headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
        Some("AWSEvents.PutEvents") => return content.put_events(&body),
        Some("AmazonAthena.StartQueryExecution") => return content.start_query(&body),
        Some("AmazonAthena.GetQueryExecution") => return content.look_at_query(&body),
        _ => {}
    }
    if uri.path() == "/" && method == Method::POST {
        return content.publish(&body);
    }
    // Keys such as `dt=2026-01-31/…` may come percent-encoded.
    let path = uri.path().replace("%3D", "=");
    if content.failing.as_ref().is_some_and(|text| path.contains(text)) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let part = query.get("partNumber").and_then(|number| number.parse().ok());
    match (method.as_str(), query.get("uploadId"), part) {
        ("PUT", Some(upload), Some(part)) => {
            let tag = tag(&body);
            content.uploads.entry(upload.clone()).or_default().insert(part, body);
            [("etag", tag)].into_response()
        }
        ("POST", Some(upload), _) => {
            let parts = content.uploads.remove(upload).unwrap_or_default();
            let whole: Vec<u8> = parts.into_values().flatten().collect();
            let tag = tag(&whole);
            content.objects.insert(path, whole.into());
            let body = format!("<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>");
            body.into_response()
        }
        ("POST", None, _) if query.contains_key("delete") => {
            // Names of the lake need no escape in XML.
            let text = String::from_utf8_lossy(&body).into_owned();
            let mut deleted = String::new();
            for key in text.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0)) {
                content.objects.remove(&format!("{}/{key}", path.trim_end_matches('/')));
                let _ = write!(deleted, "<Deleted><Key>{key}</Key></Deleted>");
            }
            format!("<DeleteResult>{deleted}</DeleteResult>").into_response()
        }
        ("POST", None, _) => {
            let id = content.uploads.len().to_string();
            content.uploads.insert(id.clone(), BTreeMap::new());
            let body =
                format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
            body.into_response()
        }
        ("PUT", None, _) if !content.may_write(&path, &headers) => StatusCode::PRECONDITION_FAILED.into_response(),
        ("PUT", None, _) => {
            let tag = tag(&body);
            content.objects.insert(path, body);
            [("etag", tag)].into_response()
        }
        _ if query.contains_key("list-type") => content.list(&path, query.get("prefix").map_or("", String::as_str)),
        _ => match content.objects.get(&path) {
            Some(object) => {
                ([("etag", tag(object)), ("last-modified", WRITTEN.to_owned())], object.clone()).into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        },
    }
}

impl Content {
    /// Whether an object is what a write expects: `If-None-Match: *` none, `If-Match` that of a tag.
    fn may_write(&self, path: &str, headers: &HeaderMap) -> bool {
        let object = self.objects.get(path);
        let is_new = !headers.contains_key("if-none-match") || object.is_none();
        let expected = headers.get("if-match").map(axum::http::HeaderValue::as_bytes);
        is_new && expected.is_none_or(|expected| object.is_some_and(|object| tag(object).as_bytes() == expected))
    }

    /// The objects of a bucket below a prefix, and the folders there with their objects left out: in one page.
    fn list(&self, bucket: &str, prefix: &str) -> Response {
        let below = format!("{}/{prefix}", bucket.trim_end_matches('/'));
        let mut listed = String::new();
        let mut folders = BTreeSet::new();
        for (path, object) in &self.objects {
            let Some(name) = path.strip_prefix(&below) else { continue };
            if let Some((folder, _)) = name.split_once('/') {
                folders.insert(format!("{prefix}{folder}/"));
            } else {
                let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
                let (tag, size) = (tag(object).replace('"', "&quot;"), object.len());
                let _ = write!(
                    listed,
                    "<Contents><Key>{key}</Key><LastModified>2026-01-31T12:00:00.000Z</LastModified><ETag>{tag}</ETag>\
                     <Size>{size}</Size></Contents>"
                );
            }
        }
        for folder in folders {
            let _ = write!(listed, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>");
        }
        let body = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>");
        ([("content-type", "application/xml")], body).into_response()
    }

    /// Publishes a notification: SNS's query protocol.
    fn publish(&mut self, body: &[u8]) -> Response {
        if self.refused_notifications > 0 {
            self.refused_notifications -= 1;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let parameters: Vec<(String, String)> = serde_urlencoded::from_bytes(body).unwrap_or_default();
        self.notifications.push(parameters.into_iter().collect());
        let id = self.notifications.len();
        let body =
            format!("<PublishResponse><PublishResult><MessageId>{id}</MessageId></PublishResult></PublishResponse>");
        ([("content-type", "text/xml")], body).into_response()
    }

    fn put_events(&mut self, body: &[u8]) -> Response {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut entries = Vec::new();
        for entry in request["Entries"].as_array().into_iter().flatten() {
            if self.refused_events > 0 {
                self.refused_events -= 1;
                entries.push(json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "so says the test"}));
            } else {
                self.events.push(entry.clone());
                entries.push(json!({"EventId": self.events.len().to_string()}));
            }
        }
        let failed = entries.iter().filter(|entry| entry["ErrorCode"].is_string()).count();
        in_json(&json!({"FailedEntryCount": failed, "Entries": entries}))
    }

    fn start_query(&mut self, body: &[u8]) -> Response {
        let fails = self.failing_queries > 0;
        self.failing_queries = self.failing_queries.saturating_sub(1);
        let request = serde_json::from_slice(body).unwrap_or_default();
        self.queries.push(AthenaQuery { request, fails, was_looked_at: false });
        in_json(&json!({"QueryExecutionId": (self.queries.len() - 1).to_string()}))
    }

    fn look_at_query(&mut self, body: &[u8]) -> Response {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let id = request["QueryExecutionId"].as_str().and_then(|id| id.parse::<usize>().ok());
        let Some(query) = id.and_then(|id| self.queries.get_mut(id)) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let status = match (std::mem::replace(&mut query.was_looked_at, true), query.fails) {
            (false, _) => json!({"State": "RUNNING"}),
            (true, false) => json!({"State": "SUCCEEDED"}),
            (true, true) => json!({"State": "FAILED", "StateChangeReason": "so says the test"}),
        };
        in_json(&json!({"QueryExecution": {"QueryExecutionId": id.map(|id| id.to_string()), "Status": status}}))
    }
}

/// An answer of AWS's JSON protocol.
fn in_json(body: &Value) -> Response {
    ([("content-type", "application/x-amz-json-1.1")], body.to_string()).into_response()
}

/// An entity tag: a checksum of the content.
fn tag(content: &[u8]) -> String {
    let sum = content.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte));
    format!("\"{sum:016x}-{}\"", content.len())
}

//! A cluster that answers what a script says.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use millrace_broker::embedded::Embedded;
use millrace_testkit::{Program, eventually};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::program::command;
use crate::rows::{ago, broker, produce, row};

const WAIT_TIMEOUT: Duration = Duration::from_secs(40);

/// How a call of `_bulk` is answered.
#[derive(Debug, Clone, Copy)]
enum Answer {
    All,
    /// 429 for the documents whose index is not a multiple of this number.
    OnlyMultiplesOf(usize),
    /// This status for the whole call.
    Status(u16),
    /// No answer where there are more documents than this.
    HangsAbove(usize),
    /// This status where there are more documents than this.
    AtMost(usize, u16),
    /// 400 where a document has this id, in OpenSearch's words.
    NotWith(&'static str),
    /// An answer of fewer items than documents.
    Short,
}

#[derive(Debug)]
struct Script {
    answers: Vec<Answer>,
    last: Answer,
    /// The ids of each call.
    calls: Vec<Vec<String>>,
    /// The documents that were taken.
    taken: BTreeMap<String, Value>,
    template: Option<Value>,
    authorizations: Vec<String>,
}

type Shared = Arc<Mutex<Script>>;

async fn serve(State(script): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut script = script.lock().unwrap();
    let authorization = headers.get("authorization").map_or("", |value| value.to_str().unwrap());
    script.authorizations.push(authorization.to_owned());
    match (method.as_str(), uri.path()) {
        ("GET", "/search/_index_template/millrace-logs") => (StatusCode::NOT_FOUND, "{}").into_response(),
        ("PUT", "/search/_index_template/millrace-logs") => {
            script.template = Some(serde_json::from_slice(&body).unwrap());
            "{\"acknowledged\":true}".into_response()
        }
        ("POST", path) if path.starts_with("/search/_index_template/_simulate_index/millrace-logs-20") => {
            let template = script.template.as_ref().map(|template| &template["template"]);
            json!({"template": template}).to_string().into_response()
        }
        ("GET", "/search/millrace-logs-%2A/_mapping") => "{}".into_response(),
        ("POST", "/search/_bulk") => script.bulk(str::from_utf8(&body).unwrap()),
        other => panic!("{other:?}"),
    }
}

impl Script {
    fn bulk(&mut self, body: &str) -> Response {
        assert!(self.template.is_some(), "no index is made without its template");
        assert!(body.len() < 6 << 20 && body.ends_with('\n'));
        let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let documents: Vec<(String, Value)> = lines
            .chunks(2)
            .map(|pair| (pair[0]["index"]["_id"].as_str().unwrap().to_owned(), pair[1].clone()))
            .collect();
        let ids: Vec<String> = documents.iter().map(|(id, _)| id.clone()).collect();
        self.calls.push(ids.clone());
        let answer = if self.answers.is_empty() { self.last } else { self.answers.remove(0) };
        let status = match answer {
            Answer::Status(status) => status,
            Answer::HangsAbove(most) if ids.len() > most => 0,
            Answer::AtMost(most, status) if ids.len() > most => status,
            Answer::NotWith(id) if ids.iter().any(|own| own == id) => {
                let error = json!({"type": "action_request_validation_exception", "reason": "so says the script"});
                let body = json!({"error": error, "status": 400}).to_string();
                return (StatusCode::BAD_REQUEST, body).into_response();
            }
            _ => 200,
        };
        if status == 0 {
            let hanging = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
            return hanging.into_response();
        }
        if status != 200 {
            return (StatusCode::from_u16(status).unwrap(), "so says the script").into_response();
        }
        let mut items = Vec::new();
        for (index, (id, document)) in documents.into_iter().enumerate() {
            if matches!(answer, Answer::OnlyMultiplesOf(number) if !index.is_multiple_of(number)) {
                let error = json!({"type": "rejected_execution_exception", "reason": "queue is full"});
                items.push(json!({"index": {"status": 429, "error": error}}));
            } else {
                self.taken.insert(id, document);
                items.push(json!({"index": {"status": 201}}));
            }
        }
        if matches!(answer, Answer::Short) {
            items.pop();
        }
        json!({"items": items}).to_string().into_response()
    }
}

/// A cluster with this script, and the command of an indexer to it.
async fn cluster(answers: &[Answer], last: Answer, broker: &Embedded) -> (Shared, Command) {
    cluster_with("logs:pa%20ss@", answers, last, broker).await
}

/// The same, with these credentials in the URL.
async fn cluster_with(credentials: &str, answers: &[Answer], last: Answer, broker: &Embedded) -> (Shared, Command) {
    let (answers, calls, taken) = (answers.to_vec(), Vec::new(), BTreeMap::new());
    let script = Script { answers, last, calls, taken, template: None, authorizations: Vec::new() };
    let script = Arc::new(Mutex::new(script));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{credentials}{}/search", listener.local_addr().unwrap());
    let server = Router::new().fallback(serve).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&script));
    tokio::spawn(async { axum::serve(listener, server).await.unwrap() });
    let mut start = command();
    start.args(["--kafka", broker.bootstrap_servers(), "--index-to", &url, "--index-batch-age", "500ms"]);
    (script, start)
}

fn rows(count: usize) -> impl Iterator<Item = (String, String)> {
    (0..count).map(|number| (number.to_string(), row(&number.to_string(), ago(1), "x").to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_did_not_take_is_sent_again_and_nothing_else() {
    let broker = broker();
    let answers = [
        Answer::OnlyMultiplesOf(2),
        Answer::Status(503),
        Answer::OnlyMultiplesOf(2),
        Answer::Status(401),
        Answer::Status(429),
    ];
    let (script, mut start) = cluster(&answers, Answer::All, &broker).await;
    produce(&broker, rows(100)).await;
    let program = Program::start(&mut start).await;
    program.processed("log-indexer", 100).await;
    program.stop().await;

    let script = script.lock().unwrap();
    assert_eq!(script.taken.len(), 100);
    let half = |ids: &[String]| -> Vec<String> { ids.iter().skip(1).step_by(2).cloned().collect() };
    let [first, rest @ ..] = &script.calls[..] else { panic!("no calls") };
    let (odd, left) = (half(first), half(&half(first)));
    assert_eq!(rest, [odd.clone(), odd, left.clone(), left.clone(), left], "of {} calls", script.calls.len());
    // "logs:pa ss"
    assert!(
        script.authorizations.iter().all(|header| header == "Basic bG9nczpwYSBzcw=="),
        "{:?}",
        script.authorizations
    );
    assert_eq!(script.template.as_ref().unwrap()["index_patterns"], json!(["millrace-logs-*"]));
}

/// A proxy may take less than a cluster (413), or not wait so long (504).
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_too_much_is_halved() {
    for status in [413, 504] {
        let broker = broker();
        let (script, mut start) = cluster(&[], Answer::AtMost(40, status), &broker).await;
        produce(&broker, rows(100)).await;
        let program = Program::start(&mut start).await;
        program.processed("log-indexer", 100).await;
        program.stop().await;
        assert_eq!(script.lock().unwrap().taken.len(), 100, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_answered_is_halved() {
    let broker = broker();
    let (script, mut start) = cluster(&[], Answer::HangsAbove(40), &broker).await;
    produce(&broker, rows(100)).await;
    let program = Program::start(start.args(["--index-timeout", "1s"])).await;
    program.processed("log-indexer", 100).await;
    program.stop().await;
    let script = script.lock().unwrap();
    assert_eq!(script.taken.len(), 100);
    assert!(script.calls.len() < 12, "{} calls", script.calls.len());
}

/// What a proxy says of a call says nothing about its documents.
#[tokio::test(flavor = "multi_thread")]
async fn a_400_that_is_not_opensearchs_dead_letters_nothing() {
    let broker = broker();
    let (script, mut start) = cluster(&[Answer::Status(400), Answer::Status(400)], Answer::All, &broker).await;
    produce(&broker, rows(10)).await;
    let program = Program::start(&mut start).await;
    program.processed("log-indexer", 10).await;
    program.stop().await;
    assert_eq!(script.lock().unwrap().calls.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_call_that_is_refused_only_the_guilty_document_is_dead_lettered() {
    let broker = broker();
    let (script, mut start) = cluster(&[], Answer::NotWith("42"), &broker).await;
    produce(&broker, rows(100)).await;
    let program = Program::start(&mut start).await;
    program.processed("log-indexer", 99).await;
    program.counted("millrace_consumer_records_total{consumer=\"log-indexer\",result=\"dead_lettered\"} 1").await;
    program.stop().await;
    let script = script.lock().unwrap();
    assert_eq!(script.taken.len(), 99);
    assert!(!script.taken.contains_key("42"));
    assert!(script.calls.len() < 30, "{} calls", script.calls.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_name_each_document_counts_for_none() {
    let broker = broker();
    let (script, mut start) = cluster(&[Answer::Short], Answer::All, &broker).await;
    produce(&broker, rows(10)).await;
    let program = Program::start(&mut start).await;
    program.processed("log-indexer", 10).await;
    program.stop().await;
    let calls = &script.lock().unwrap().calls;
    assert_eq!(calls[0], calls[1]);
}

/// A cluster that takes nothing stops nobody: what it did not take is not committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_busy_cluster() {
    let broker = broker();
    let (script, mut start) = cluster(&[], Answer::Status(429), &broker).await;
    produce(&broker, rows(2)).await;
    let program = Program::start(&mut start).await;
    let called = async || (script.lock().unwrap().calls.len() >= 3).then_some(());
    eventually(WAIT_TIMEOUT, "it is tried again and again", called).await;
    let begun = std::time::Instant::now();
    program.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    script.lock().unwrap().last = Answer::All;
    let again = Program::start(&mut start).await;
    again.processed("log-indexer", 2).await;
    again.stop().await;
    assert_eq!(script.lock().unwrap().taken.len(), 2);
}

#[cfg(feature = "sigv4")]
#[tokio::test(flavor = "multi_thread")]
async fn requests_are_signed_where_that_is_asked_for() {
    let broker = broker();
    let (script, mut start) = cluster_with("", &[], Answer::All, &broker).await;
    start.args(["--index-sign"]).env("AWS_REGION", "eu-central-1");
    start.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
    produce(&broker, rows(2)).await;
    let program = Program::start(&mut start).await;
    program.processed("log-indexer", 2).await;
    program.stop().await;
    let script = script.lock().unwrap();
    let is_signed = |header: &String| {
        header.starts_with("AWS4-HMAC-SHA256 Credential=test/") && header.contains("/eu-central-1/es/aws4_request")
    };
    assert!(
        script.authorizations.len() >= 3 && script.authorizations.iter().all(is_signed),
        "{:?}",
        script.authorizations
    );
}

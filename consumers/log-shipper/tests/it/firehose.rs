//! A Firehose stream: its protocol (AWS JSON 1.1), played by a server that takes what a script says.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millrace_testkit::{Program, eventually};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::program::command;
use crate::shipped::{broker, ids, lines, produce};

const WAIT_TIMEOUT: Duration = Duration::from_secs(40);

/// How a call is answered.
#[derive(Debug, Clone, Copy)]
enum Answer {
    All,
    /// Not the entries whose index is not a multiple of this number.
    OnlyMultiplesOf(usize),
    Throttle,
    Break,
    Refuse(&'static str),
}

/// A stream, with the answers of its next calls; then `last` for ever.
#[derive(Debug)]
struct Stream {
    answers: Vec<Answer>,
    last: Answer,
    /// The entries of each call.
    calls: Vec<Vec<String>>,
    /// The entries that were taken.
    taken: Vec<String>,
}

type Shared = Arc<Mutex<Stream>>;

fn exception(status: StatusCode, kind: &str) -> Response {
    let body = json!({"__type": kind, "message": "so says the script"}).to_string();
    (status, [("content-type", "application/x-amz-json-1.1")], body).into_response()
}

async fn serve(State(stream): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    if request["DeliveryStreamName"] != "logs" {
        return exception(StatusCode::BAD_REQUEST, "ResourceNotFoundException");
    }
    let target = headers["x-amz-target"].to_str().unwrap();
    if target == "Firehose_20150804.DescribeDeliveryStream" {
        return exception(StatusCode::BAD_REQUEST, "AccessDeniedException");
    }
    assert_eq!(target, "Firehose_20150804.PutRecordBatch");
    let data = |record: &Value| String::from_utf8(STANDARD.decode(record["Data"].as_str().unwrap()).unwrap()).unwrap();
    let entries: Vec<String> = request["Records"].as_array().unwrap().iter().map(data).collect();
    assert!(entries.len() <= 500 && entries.iter().all(|entry| entry.len() <= 1_024_000));
    assert!(entries.iter().map(String::len).sum::<usize>() <= 4 << 20);

    let mut stream = stream.lock().unwrap();
    let answer = if stream.answers.is_empty() { stream.last } else { stream.answers.remove(0) };
    stream.calls.push(entries.clone());
    let is_taken = |index: usize| match answer {
        Answer::All => true,
        Answer::OnlyMultiplesOf(number) => index.is_multiple_of(number),
        Answer::Throttle | Answer::Break | Answer::Refuse(_) => false,
    };
    match answer {
        Answer::Break => return exception(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
        Answer::Refuse(kind) => return exception(StatusCode::BAD_REQUEST, kind),
        _ => {}
    }
    let mut responses = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        if is_taken(index) {
            stream.taken.push(entry);
            responses.push(json!({"RecordId": format!("id-{index}")}));
        } else {
            responses.push(json!({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}));
        }
    }
    let failed = responses.iter().filter(|response| response["ErrorCode"].is_string()).count();
    let body = json!({"FailedPutCount": failed, "Encrypted": false, "RequestResponses": responses}).to_string();
    ([("content-type", "application/x-amz-json-1.1")], body).into_response()
}

/// A server of this stream, and the command of a shipper to it.
async fn stream(
    name: &str,
    answers: &[Answer],
    last: Answer,
    bootstrap_servers: &str,
) -> (Shared, std::process::Command) {
    let stream = Stream { answers: answers.to_vec(), last, calls: Vec::new(), taken: Vec::new() };
    let stream = Arc::new(Mutex::new(stream));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = Router::new().fallback(serve).layer(axum::extract::DefaultBodyLimit::disable());
    let server = server.with_state(Arc::clone(&stream));
    tokio::spawn(async { axum::serve(listener, server).await.unwrap() });
    let mut start = command();
    start.args(["--kafka", bootstrap_servers, "--logs-batch-age", "500ms", "--logs-to"]);
    start.arg(format!("firehose://{name}"));
    start.envs([("AWS_ENDPOINT_URL", endpoint.as_str()), ("AWS_REGION", "eu-central-1")]);
    start.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
    (stream, start)
}

/// The ids of the lines of entries.
fn ids_of(entries: &[String]) -> Vec<String> {
    entries.iter().flat_map(|entry| ids(&lines(entry))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_failed_are_sent_again_and_no_others() {
    let broker = broker(1);
    let answers = [Answer::OnlyMultiplesOf(2), Answer::Break, Answer::OnlyMultiplesOf(2), Answer::Throttle];
    let (stream, mut start) = stream("logs", &answers, Answer::All, broker.bootstrap_servers()).await;
    let values: Vec<String> = (0..600).map(|number| "x".repeat(3_000 + number)).collect();
    produce(&broker, &values).await;
    let program = Program::start(start.args(["--logs-batch-bytes", "3000000"])).await;
    program.processed("log-shipper", 600).await;
    let metrics = program.get("/metrics");
    program.stop().await;

    let stream = stream.lock().unwrap();
    let mut taken: Vec<usize> = ids_of(&stream.taken).iter().map(|id| id.parse().unwrap()).collect();
    taken.sort_unstable();
    assert!(taken.into_iter().eq(0..600), "each line once");
    assert!(stream.calls[0].len() > 4, "{}", stream.calls[0].len());
    let odd: Vec<String> = stream.calls[0].iter().skip(1).step_by(2).cloned().collect();
    assert!(stream.calls[1] == odd && stream.calls[2] == odd, "what failed, after no answer all of it");
    let left: Vec<String> = odd.iter().skip(1).step_by(2).cloned().collect();
    assert!(stream.calls[3] == left && stream.calls[4] == left);
    assert!(stream.calls[0].iter().all(|entry| entry.len() > 250_000 || entry == stream.calls[0].last().unwrap()));
    let count = format!("millrace_log_shipper_firehose_entries_total{{result=\"taken\"}} {}", stream.taken.len());
    assert!(metrics.contains(&count), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_firehose_does_not_take_is_dead_lettered() {
    let broker = broker(1);
    let (stream, mut start) = stream("logs", &[], Answer::All, broker.bootstrap_servers()).await;
    produce(&broker, ["small".to_owned(), "y".repeat(1_024_000), "z".repeat(1_000_000), "small too".to_owned()]).await;
    let program = Program::start(&mut start).await;
    program.processed("log-shipper", 3).await;
    let metrics = program.get("/metrics");
    program.stop().await;
    assert_eq!(ids_of(&stream.lock().unwrap().taken), ["0", "2", "3"]);
    assert!(metrics.contains("millrace_consumer_records_total{consumer=\"log-shipper\",result=\"dead_lettered\"} 1"));
}

/// A stream that takes nothing stops nobody: what it did not take is not committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_throttled_stream() {
    let broker = broker(1);
    let (stream, mut start) = stream("logs", &[], Answer::Throttle, broker.bootstrap_servers()).await;
    produce(&broker, ["one", "two"]).await;
    let program = Program::start(&mut start).await;
    let called = async || (stream.lock().unwrap().calls.len() >= 3).then_some(());
    eventually(WAIT_TIMEOUT, "it is tried again and again", called).await;
    let begun = std::time::Instant::now();
    program.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    stream.lock().unwrap().last = Answer::All;
    let again = Program::start(&mut start).await;
    again.processed("log-shipper", 2).await;
    again.stop().await;
    assert_eq!(ids_of(&stream.lock().unwrap().taken), ["0", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_there_is_a_wrong_setting() {
    let broker = broker(1);
    let (_stream, mut start) = stream("other", &[], Answer::All, broker.bootstrap_servers()).await;
    let ended = tokio::task::spawn_blocking(move || start.output().unwrap()).await.unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{stderr}");
    let expected = "--logs-to (MILLRACE_LOGS_TO): there is no Firehose stream other in this account and region";
    assert!(stderr.contains(expected), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_goes_away_ends_the_process() {
    let broker = broker(1);
    let answers = [Answer::Refuse("ResourceNotFoundException")];
    let (stream, mut start) = stream("logs", &answers, Answer::All, broker.bootstrap_servers()).await;
    produce(&broker, ["one"]).await;
    let program = Program::start(&mut start).await;
    assert_eq!(program.ended().await, Some(1));
    assert_eq!(stream.lock().unwrap().taken, [] as [String; 0]);
}

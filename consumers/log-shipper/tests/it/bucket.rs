//! Objects in an S3-compatible bucket.

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use flate2::read::GzDecoder;
use millrace_testkit::Program;
use tokio::net::TcpListener;

use crate::program::command;
use crate::shipped::{broker, ids, lines, produce};

type Requests = Arc<Mutex<Vec<(Method, String, Bytes)>>>;

/// Answers 503 to the first three requests.
async fn answer(State(requests): State<Requests>, method: Method, uri: Uri, body: Bytes) -> Response {
    let mut requests = requests.lock().unwrap();
    requests.push((method, uri.path().to_owned(), body));
    if requests.len() <= 3 {
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    } else {
        [("etag", "\"1\"")].into_response()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_written_once_the_bucket_is_available() {
    let requests = Requests::default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let store = Router::new().fallback(answer).with_state(Arc::clone(&requests));
    tokio::spawn(async { axum::serve(listener, store).await.unwrap() });

    let broker = broker(1);
    let mut start = command();
    start.args(["--kafka", broker.bootstrap_servers(), "--logs-batch-age", "2s", "--logs-to", "s3://lake/prod"]);
    start.envs([("AWS_ENDPOINT", endpoint.as_str()), ("AWS_ALLOW_HTTP", "true"), ("AWS_REGION", "eu-central-1")]);
    start.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
    let program = Program::start(&mut start).await;
    program.joined().await;
    produce(&broker, ["one", "two", "three"]).await;
    program.processed("log-shipper", 3).await;
    program.stop().await;

    let requests = requests.lock().unwrap();
    let (_, path, object) = &requests[3];
    assert!(path.starts_with("/lake/prod/raw/20") && path.contains("/raw-logs-0-00000000000000000000-"), "{path}");
    let mut text = String::new();
    GzDecoder::new(&object[..]).read_to_string(&mut text).unwrap();
    assert_eq!(ids(&lines(&text))[0], "0");
    for request in &requests[..3] {
        assert_eq!(*request, (Method::PUT, path.clone(), object.clone()));
    }
}

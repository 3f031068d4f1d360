//! Files in an S3-compatible bucket.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use millrace_domain::insight;
use millrace_testkit::Program;
use tokio::net::TcpListener;

use crate::embedded::{broker, produce};
use crate::program::{command, processed};

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
async fn a_file_is_written_once_the_bucket_is_available() {
    let requests = Requests::default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let store = Router::new().fallback(answer).with_state(Arc::clone(&requests));
    tokio::spawn(async { axum::serve(listener, store).await.unwrap() });

    let broker = broker();
    let mut program = command();
    program.args(["--kafka", broker.bootstrap_servers(), "--batch-age", "1h", "--insights-to", "s3://lake/logins"]);
    program.envs([("AWS_ENDPOINT", endpoint.as_str()), ("AWS_ALLOW_HTTP", "true"), ("AWS_REGION", "eu-central-1")]);
    program.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
    let program = Program::start(&mut program).await;
    program.joined().await;
    produce(&broker, 3).await;
    processed(&program, 3).await;
    program.stop().await;

    let requests = requests.lock().unwrap();
    let (_, _, insight) = &requests[3];
    let key = format!("/lake/logins/insights/{}", insight::file_name(insight).unwrap());
    for request in &*requests {
        assert_eq!(*request, (Method::PUT, key.clone(), insight.clone()));
    }
    assert_eq!(requests.len(), 4);
}

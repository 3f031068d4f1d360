//! Events of every gateway give the same records and responses.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Request, Response};
use millrace_testkit::kafka::{self, unique};
use millrace_testkit::lambda::{HttpApi, event};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{answer, function, function_on, json, notification, post, records, send};

fn by_all_gateways(request: &Request<Bytes>) -> [(&'static str, Value); 5] {
    [
        ("HTTP API", event::http_api(request, "$default")),
        ("HTTP API with a stage", event::http_api(request, "prod")),
        ("REST API", event::rest_api(request, "prod")),
        ("REST API with a stage named as a route", event::rest_api(request, "orders")),
        ("function URL", event::function_url(request)),
    ]
}

#[tokio::test]
async fn an_order_is_on_its_topic_as_sent_by_every_gateway() {
    let Some(kafka) = kafka::shared().await else { return };
    let lambda = function_on(kafka).await.deploy();
    // White space and the order of fields show that the bytes are kept.
    let body = "{ \"note\": \"grüße\",\n \"order_id\": 101, \"amount\": 12.50 }";
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for kind in 0..5 {
        let id = unique("order");
        let request = post("/orders", &id).header("traceparent", trace).body(body.into()).unwrap();
        let (gateway, event) = by_all_gateways(&request)[kind].clone();

        let response = answer(&lambda, &event).await;
        let accepted = json(&response);
        assert_eq!(response.status(), 202, "{gateway}: {accepted}");
        assert_eq!(response.headers()["content-type"], "application/json", "{gateway}");
        assert_eq!((&accepted["id"], &accepted["topic"]), (&json!(id), &json!("orders")), "{gateway}");

        let records = records(kafka, "orders", &id).await;
        let [record] = records.as_slice() else { panic!("{gateway}: {records:?}") };
        assert_eq!((record.key_text(), record.value_text()), (Some("101"), Some(body)), "{gateway}");
        assert_eq!(json!([record.partition, record.offset]), json!([accepted["partition"], accepted["offset"]]));
        assert_eq!(record.header("ce_type"), Some("millrace.order.placed"), "{gateway}");
        assert_eq!(record.header("content-type"), Some("application/json"), "{gateway}");
        let parent = record.header("traceparent").unwrap();
        assert!(parent.starts_with(&trace[..36]) && parent != trace, "{gateway}: {parent}");
    }
}

#[tokio::test]
async fn a_compressed_body_reaches_kafka_decompressed() {
    let Some(kafka) = kafka::shared().await else { return };
    let lambda = function_on(kafka).await.deploy();
    let body = json!({"user_id": "12345", "message": "z".repeat(10_000)}).to_string();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(body.as_bytes()).unwrap();
    let compressed = Bytes::from(gzip.finish().unwrap());
    for kind in 0..5 {
        let id = unique("gzip");
        let request = post("/send-notification", &id).header("content-encoding", "gzip").body(compressed.clone());
        let (gateway, event) = by_all_gateways(&request.unwrap())[kind].clone();
        assert_eq!(event["isBase64Encoded"], true, "{gateway}");
        assert_eq!(answer(&lambda, &event).await.status(), 200, "{gateway}");
        let records = records(kafka, "notifications", &id).await;
        assert_eq!(records[0].value_text(), Some(body.as_str()), "{gateway}");
    }
}

#[tokio::test]
async fn problems_name_the_path_without_the_stage() {
    // None of these requests needs a broker.
    let lambda = function().variable("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9").deploy();
    let unprocessable = post("/send-notification", "a").body(Bytes::from_static(b"{\"user_id\": null}")).unwrap();
    let nowhere = Request::get("/nowhere").body(Bytes::new()).unwrap();
    for ((gateway, event), (_, unknown_path)) in
        by_all_gateways(&unprocessable).into_iter().zip(by_all_gateways(&nowhere))
    {
        let response = answer(&lambda, &event).await;
        assert_eq!(
            (response.status().as_u16(), content_type(&response)),
            (422, "application/problem+json"),
            "{gateway}"
        );
        assert_eq!(json(&response)["errors"][0]["pointer"], "/user_id", "{gateway}");
        let response = answer(&lambda, &unknown_path).await;
        assert_eq!(response.status(), 404, "{gateway}");
        let detail = json(&response)["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(" /nowhere;"), "{gateway}: {detail}");
    }
}

fn content_type(response: &Response<Bytes>) -> &str {
    response.headers()["content-type"].to_str().unwrap()
}

#[tokio::test]
async fn a_custom_domains_base_path_is_removed() {
    let base = function().variable("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9").variable("MILLRACE_BASE_PATH", "/intake");
    let lambda = base.deploy();
    for path in ["/intake/health", "/health"] {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        assert_eq!(send(&lambda, &request).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_response_has_the_callers_or_the_invocations_id() {
    let lambda = function().variable("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9").deploy();
    let named = Request::get("/health").header("x-request-id", "mine").body(Bytes::new()).unwrap();
    assert_eq!(send(&lambda, &named).await.headers()["x-request-id"], "mine");
    let unnamed = Request::get("/health").body(Bytes::new()).unwrap();
    let (first, second) = (send(&lambda, &unnamed).await, send(&lambda, &unnamed).await);
    assert_ne!(first.headers()["x-request-id"], second.headers()["x-request-id"]);
}

#[tokio::test]
async fn the_function_answers_a_real_http_request() {
    let Some(kafka) = kafka::shared().await else { return };
    let api = HttpApi::start(function_on(kafka).await.deploy()).await.unwrap();
    let (request, id) = notification();
    let body = String::from_utf8(request.into_body().to_vec()).unwrap();
    let head = format!(
        "POST /send-notification HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         idempotency-key: {id}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(api.address()).await.unwrap();
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains(&format!("\"id\":\"{id}\"")), "{answer}");
    assert_eq!(records(kafka, "notifications", &id).await.len(), 1);
}

#[tokio::test]
async fn get_status_reports_the_broker() {
    let Some(kafka) = kafka::shared().await else { return };
    let lambda = function_on(kafka).await.deploy();
    let request = Request::get("/get_status").body(Bytes::new()).unwrap();
    let response = send(&lambda, &request).await;
    let status = json(&response);
    assert_eq!((response.status().as_u16(), &status["kafka"]["connected"]), (200, &json!(true)), "{status}");
    assert!(status["topics"]["notifications"]["partitions"].as_i64().unwrap() > 0, "{status}");
}

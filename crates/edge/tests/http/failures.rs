//! Failed writes, unknown outcomes and time-outs.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use millrace_domain::ErrorClass;
use millrace_edge::{RequestDeadline, SinkError};
use tokio::time::{Instant, sleep};

use crate::host::{Host, assert_problem};

const EVENT: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1}"#;

/// Every write route and media type, with a valid body.
const WRITES: [(&str, &str, &str); 8] = [
    ("/send-notification", "application/json", r#"{"user_id":"1","message":"m"}"#),
    ("/send_notification", "application/json", r#"{"user_id":"1","message":"m"}"#),
    ("/register_event", "application/json", "{}"),
    ("/register_event", "application/x-www-form-urlencoded", "a=1"),
    ("/orders", "application/json", r#"{"order_id":"1"}"#),
    ("/user-login", "application/json", r#"{"user_id":"1"}"#),
    ("/events", "application/cloudevents+json", EVENT),
    ("/events", "application/x-ndjson", EVENT),
];

fn not_written(class: ErrorClass) -> SinkError {
    SinkError::NotWritten { class, reason: "no leader".to_owned() }
}

#[tokio::test]
async fn a_failed_write_is_answered_by_its_error_class() {
    for (error, status) in [
        (not_written(ErrorClass::Transient), 503),
        (not_written(ErrorClass::Fatal), 500),
        (SinkError::TooLarge, 413),
        (SinkError::OutcomeUnknown, 504),
    ] {
        for (path, media_type, body) in WRITES {
            if media_type == "application/x-ndjson" {
                continue;
            }
            let host = Host::new();
            host.answer_with([Err(error.clone())]);
            let problem = host.post_as(media_type, path, body).await.problem(status);
            let detail = problem["detail"].as_str().unwrap();
            match status {
                500 | 503 => assert!(detail.contains("nothing was written: no leader"), "{detail}"),
                504 => assert!(detail.contains("same Idempotency-Key"), "{detail}"),
                _ => {}
            }
            // The next write succeeds.
            assert!(host.post_as(media_type, path, body).await.status.is_success());
        }
    }
}

#[tokio::test]
async fn an_unknown_outcome_names_the_id_for_a_safe_retry() {
    let host = Host::new();
    host.answer_with([Err(SinkError::OutcomeUnknown), Err(SinkError::OutcomeUnknown)]);
    let answer = host.call("POST", "/orders", &[("idempotency-key", "mine")], r#"{"order_id":"1"}"#).await;
    assert!(answer.problem(504)["detail"].as_str().unwrap().contains("mine"));
    host.take_records();
    let answer = host.post("/orders", r#"{"order_id":"1"}"#).await;
    let detail = answer.problem(504)["detail"].to_string();
    assert!(detail.contains(host.take_record().header("ce_id").unwrap()), "{detail}");
}

#[tokio::test]
async fn a_missing_report_is_an_unknown_outcome() {
    let host = Host::new();
    host.omit_the_last_report();
    host.post("/orders", r#"{"order_id":"1"}"#).await.problem(504);
    let answer = host.post_as("application/x-ndjson", "/events", format!("{EVENT}\n{EVENT}")).await;
    assert_eq!(answer.status, 207);
    let json = answer.json();
    assert_eq!((&json["accepted"], &json["failed"]), (&1.into(), &1.into()));
    assert_eq!(json["results"][1]["status"], "failed");
    assert_problem(&json["results"][1]["error"], 504);
}

#[tokio::test(start_paused = true)]
async fn every_write_is_answered_in_15_s_though_the_sink_hangs() {
    for (path, media_type, body) in WRITES {
        let host = Host::new();
        host.hang();
        let started = Instant::now();
        let answer = host.post_as(media_type, path, body).await;
        assert!(started.elapsed() < Duration::from_secs(15), "{path}: {:?}", started.elapsed());
        if media_type == "application/x-ndjson" {
            assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("2")));
            assert_eq!(answer.json()["failed"], 1);
            assert_problem(&answer.json()["results"][0]["error"], 504);
        } else {
            answer.problem(504);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn get_status_answers_in_5_s_though_no_broker_answers() {
    let host = Host::new();
    host.hang();
    let started = Instant::now();
    let answer = host.call("GET", "/get_status", &[], "").await;
    assert!(started.elapsed() < Duration::from_secs(6));
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (503, &"degraded".into()));
}

#[tokio::test(start_paused = true)]
async fn a_hosts_earlier_deadline_applies() {
    let host = Host::new();
    host.hang();
    let started = Instant::now();
    let mut request = Request::post("/orders").body(Body::from(r#"{"order_id":"1"}"#)).unwrap();
    request.extensions_mut().insert(RequestDeadline(started + Duration::from_secs(2)));
    host.send(request).await.problem(504);
    assert_eq!(started.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_in_time_is_408() {
    for (path, media_type, body) in WRITES {
        let host = Host::new();
        let started = Instant::now();
        let stalled = stream::iter([Ok::<_, Infallible>(Bytes::from_static(&body.as_bytes()[..1]))]);
        let answer = host.post_as(media_type, path, Body::from_stream(stalled.chain(stream::pending()))).await;
        answer.problem(408);
        assert!(started.elapsed() < Duration::from_secs(15));
        assert_eq!(host.take_records(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn the_body_and_the_write_share_one_deadline() {
    let host = Host::new();
    host.hang();
    let started = Instant::now();
    let body = stream::iter(br#"{"order_id":"1"}"#.map(|byte| vec![byte])).then(|piece| async {
        sleep(Duration::from_millis(500)).await;
        Ok::<_, Infallible>(Bytes::from(piece))
    });
    host.post("/orders", Body::from_stream(body)).await.problem(504);
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_truncated_body_leaves_no_record() {
    let host = Host::new();
    let pieces = [Ok(Bytes::from_static(br#"{"order_id":"1"}"#)), Err(std::io::Error::other("gone"))];
    host.post("/orders", Body::from_stream(stream::iter(pieces))).await.problem(400);
    assert_eq!(host.take_records(), []);
}

#[tokio::test]
async fn a_body_in_many_chunks_is_one_body() {
    let host = Host::new();
    let body = br#"{"order_id":"1","note":"in pieces"}"#;
    let pieces =
        [&b""[..], &body[..3], b"", &body[3..4], &body[4..]].map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
    assert_eq!(host.post("/orders", Body::from_stream(stream::iter(pieces))).await.status, 202);
    assert_eq!(host.take_record().value, body);
}

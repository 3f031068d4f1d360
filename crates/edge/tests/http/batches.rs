//! Batches of CloudEvents: a result for each, in the order sent.

use millrace_domain::ErrorClass;
use millrace_edge::{Limits, SinkError};
use serde_json::{Value, json};

use crate::host::{Answer, Host, assert_problem, pointers};

const BATCH: &str = "application/cloudevents-batch+json";
const LINES: &str = "application/x-ndjson";

fn event(id: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/s","type":"millrace.order.placed","data":{{"order_id":"{id}"}}}}"#
    )
}

/// Sends the same events as a batch and as NDJSON.
async fn as_batch_and_ndjson(host: &Host, events: &[String]) -> [Answer; 2] {
    let batch = host.post_as(BATCH, "/events", format!("[{}]", events.join(","))).await;
    let lines = host.post_as(LINES, "/events", events.join("\r\n\n  \n")).await;
    [batch, lines]
}

fn counts(answer: &Answer) -> [u64; 3] {
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let json = answer.json();
    let counts = ["accepted", "rejected", "failed"].map(|name| json[name].as_u64().unwrap());
    let results = json["results"].as_array().unwrap();
    for (name, count) in ["accepted", "rejected", "failed"].into_iter().zip(counts) {
        assert_eq!(results.iter().filter(|result| result["status"] == name).count() as u64, count);
    }
    counts
}

fn not_written() -> Result<(), SinkError> {
    Err(SinkError::NotWritten { class: ErrorClass::Transient, reason: "no leader".to_owned() })
}

#[tokio::test]
async fn all_accepted_is_202_with_each_events_position() {
    let host = Host::new();
    let events: Vec<_> = (0..150).map(|id| event(&id.to_string())).collect();
    for (round, answer) in as_batch_and_ndjson(&host, &events).await.iter().enumerate() {
        assert_eq!((answer.status.as_u16(), counts(answer)), (202, [150, 0, 0]));
        for (id, result) in answer.json()["results"].as_array().unwrap().iter().enumerate() {
            let expected = json!({
                "id": id.to_string(), "status": "accepted", "topic": "orders", "partition": 3, "offset": round * 150 + id,
            });
            assert_eq!(*result, expected);
        }
    }
    let records = host.take_records();
    let keys: Vec<_> = records.iter().map(|record| record.key.clone()).collect();
    let expected: Vec<_> = (0..150).chain(0..150).map(|id| id.to_string()).collect();
    assert_eq!(keys, expected);
    assert!(records.iter().all(|record| record.text() == format!(r#"{{"order_id":"{}"}}"#, record.key)));
}

#[tokio::test]
async fn mixed_results_are_207_in_the_order_sent() {
    let host = Host::new();
    let large =
        format!(r#"{{"specversion":"1.0","id":"large","source":"/s","type":"t","data":"{}"}}"#, "x".repeat(262_143));
    let events = [
        event("a"),
        r#"{"specversion":"1.0","id":"b","source":"/s","type":"millrace.order.placed","data":{}}"#.to_owned(),
        event("c"),
        large,
        r#"{"id":7}"#.to_owned(),
        "[]".to_owned(),
        event("d"),
    ];
    let outcomes = [Ok(()), not_written(), Err(SinkError::TooLarge)];
    host.answer_with(outcomes.clone().into_iter().chain(outcomes));
    for answer in as_batch_and_ndjson(&host, &events).await {
        assert_eq!((answer.status.as_u16(), counts(&answer)), (207, [1, 5, 1]));
        let json = answer.json();
        let results = json["results"].as_array().unwrap();
        let ids: Vec<_> = results.iter().map(|result| &result["id"]).collect();
        assert_eq!(
            ids,
            [&json!("a"), &json!("b"), &json!("c"), &json!("large"), &Value::Null, &Value::Null, &json!("d")]
        );
        for (index, status, at) in [
            (1, 422, &["/data/order_id"][..]),
            (2, 503, &[]),
            (3, 413, &[]),
            (4, 422, &["/data", "/id", "/source", "/type", "/specversion"]),
            (5, 422, &[""]),
            (6, 413, &[]),
        ] {
            let error = &results[index]["error"];
            assert_problem(error, status);
            let mut found = pointers(error);
            found.sort();
            let mut expected: Vec<_> = at.to_vec();
            expected.sort_unstable();
            assert_eq!(found, expected, "{index}");
        }
        assert_eq!(results[2]["status"], "failed");
        let written: Vec<_> = host.take_records().into_iter().map(|record| record.key).collect();
        assert!(written.chunks(3).all(|written| written == ["a", "c", "d"]), "{written:?}");
    }
}

#[tokio::test]
async fn a_truncated_batch_is_400_and_nothing_is_written() {
    let host = Host::new();
    let whole = host.post_as(BATCH, "/events", format!("[{},{}", event("a"), event("b"))).await;
    assert_eq!(whole.status.as_u16(), 400);
    let too_many = vec!["0"; Limits::default().request / 50].join(",");
    let answer = host.post_as(BATCH, "/events", format!("[{too_many}]")).await;
    assert_eq!(answer.status.as_u16(), 413);
    let answer = host.post_as(BATCH, "/events", format!("[{too_many}")).await;
    assert_eq!(answer.status.as_u16(), 400, "malformed takes precedence over too large");
    assert_eq!(host.take_records(), []);
}

#[tokio::test]
async fn all_rejected_or_none_sent_is_422() {
    let host = Host::new();
    for answer in as_batch_and_ndjson(&host, &["{}".to_owned(), "1".to_owned()]).await {
        assert_eq!((answer.status.as_u16(), counts(&answer)), (422, [0, 2, 0]));
    }
    for answer in as_batch_and_ndjson(&host, &[]).await {
        assert_eq!((answer.status.as_u16(), answer.json()["results"].clone()), (422, json!([])));
    }
    assert_eq!(host.take_records(), []);
}

#[tokio::test]
async fn all_failed_is_503_and_some_failed_is_207() {
    let host = Host::new();
    let events = [event("a"), event("b")];
    let failures = [not_written(), Err(SinkError::OutcomeUnknown)];
    host.answer_with(failures.clone().into_iter().chain(failures));
    for answer in as_batch_and_ndjson(&host, &events).await {
        assert_eq!((answer.status.as_u16(), counts(&answer)), (503, [0, 0, 2]));
        assert_eq!(answer.header("retry-after"), Some("2"));
        let results = &answer.json()["results"];
        assert_problem(&results[0]["error"], 503);
        assert_problem(&results[1]["error"], 504);
        assert!(results[1]["error"]["detail"].as_str().unwrap().contains("same id"));
    }
    host.answer_with([not_written()]);
    let answer = host.post_as(LINES, "/events", format!("{{}}\n{}", event("a"))).await;
    assert_eq!((answer.status.as_u16(), counts(&answer)), (207, [0, 1, 1]));
    assert_eq!(answer.header("retry-after"), Some("2"));
}

#[tokio::test]
async fn only_an_unreadable_line_is_rejected_with_id_null() {
    let host = Host::new();
    let mut body = b"{\"id\":\"half\"\n\xff\xfe\n".to_vec();
    body.extend_from_slice(event("a").as_bytes());
    body.extend_from_slice(b"\n\xef\xbb\xbf{}\nnull\n{\"id\":\"1\",\"id\":\"2\"}");
    let answer = host.post_as(LINES, "/events", body).await;
    assert_eq!((answer.status.as_u16(), counts(&answer)), (207, [1, 5, 0]));
    let statuses: Vec<_> = answer.json()["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            assert!(result["id"].is_null() || result["id"] == "a");
            result["error"]["status"].as_u64().unwrap_or(202)
        })
        .collect();
    assert_eq!(statuses, [400, 400, 202, 400, 422, 400]);
    assert_eq!(host.take_record().key, "a");
}

#[tokio::test]
async fn a_malformed_batch_is_refused_as_a_whole() {
    let host = Host::new();
    for (body, status) in [
        (event("a"), 422),
        ("1".to_owned(), 422),
        (format!("[{},]", event("a")), 400),
        (format!("[{}", event("a")), 400),
        (String::new(), 400),
    ] {
        host.post_as(BATCH, "/events", body).await.problem(status);
    }
    for media_type in [BATCH, LINES] {
        let headers = [("content-type", media_type), ("idempotency-key", "k")];
        host.call("POST", "/events", &headers, format!("[{}]", event("a"))).await.problem(400);
    }
    assert_eq!(host.take_records(), []);
}

/// A 5 MiB request of the shortest events is accepted; one with more items is 413.
#[tokio::test]
async fn a_batch_may_have_as_many_events_as_fit_at_minimum_size() {
    let shortest = r#"{"id":"1","type":"t","data":1,"source":"/","specversion":"1.0"}"#;
    let limit = (5 << 20) / (shortest.len() + 1);
    let host = Host::new();
    let answer = host.post_as(LINES, "/events", vec![shortest; limit].join("\n")).await;
    assert_eq!((answer.status.as_u16(), counts(&answer)[0]), (202, limit as u64));
    assert_eq!(host.take_records().len(), limit);
    let answer = host.post_as(BATCH, "/events", format!("[{}1]", "1,".repeat(limit))).await;
    answer.problem(413);
    assert_eq!(host.take_records(), []);
}

/// 80,000 invalid events get less than 32 MiB of results, each a complete problem.
#[tokio::test]
async fn problems_are_abbreviated_in_a_batch_with_many_errors() {
    let host = Host::new();
    let events = 80_000;
    let answer = host.post_as(BATCH, "/events", format!("[{}{{}}]", "{},".repeat(events - 1))).await;
    assert_eq!((answer.status.as_u16(), counts(&answer)), (422, [0, events as u64, 0]));
    assert!(answer.body.len() < 32 << 20, "{}", answer.body.len());
    let json = answer.json();
    for result in json["results"].as_array().unwrap() {
        assert_problem(&result["error"], 422);
    }
    assert_eq!(pointers(&json["results"][0]["error"]).len(), 5);
}

#[tokio::test]
async fn events_of_a_batch_reserve_memory_and_release_it() {
    let host = Host::with(Limits { all_requests: 256 << 10, ..Limits::default() });
    for _ in 0..10 {
        let many: Vec<_> = (0..400).map(|id| event(&id.to_string())).collect();
        host.post_as(LINES, "/events", many.join("\n")).await.problem(429);
        assert_eq!(host.take_records(), []);
        assert_eq!(host.post_as(LINES, "/events", many[..100].join("\n")).await.status, 202);
        host.take_records();
    }
}

//! Property test: any request gets a documented response, and only a 2xx writes a record.

use std::sync::LazyLock;

use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use crate::bodies::{gzip, zstd};
use crate::host::{Host, assert_problem};

/// Shared by all cases: building a router takes longer than a request.
static HOST: LazyLock<Host> = LazyLock::new(Host::new);
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());

fn path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["/send-notification", "/register_event", "/orders", "/user-login", "/events"])
}

fn media_type() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "application/json",
        "application/x-www-form-urlencoded",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
        "application/x-ndjson",
        "text/plain",
    ])
}

/// Nearly valid bodies (pieces of valid ones in any order), and any bytes.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\n",
        "&",
        "=",
        "+",
        "%41",
        "%",
        "%zz",
        "null",
        "1",
        "1e999",
        "\"\"",
        "\"\\u0000\"",
        "\"user_id\":",
        "\"order_id\":",
        "\"message\":",
        "\"timestamp\":",
        "\"data\":",
        "\"m\"",
        "{\"user_id\":\"1\",\"message\":\"m\"}",
        "{\"order_id\":101}",
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":1}",
    ];
    let pieces = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..8);
    let bytes = prop::collection::vec(any::<u8>(), 0..64);
    prop_oneof![pieces.prop_map(|pieces| pieces.concat().into_bytes()), bytes]
}

/// A body and its Content-Encoding, which may not match.
fn encoded() -> impl Strategy<Value = (Vec<u8>, Option<&'static str>)> {
    (body(), 0..5).prop_map(|(body, coding)| match coding {
        0 => (gzip(&body), Some("gzip")),
        1 => (zstd(&body), Some("zstd")),
        2 => (body, Some("gzip")),
        _ => (body, None),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_2xx_and_nothing_else_writes_a_record(
        path in path(), media_type in prop::option::of(media_type()), (body, coding) in encoded(),
        key in prop::option::of("[ -~]{0,12}"), attribute in prop::option::of(("ce-[a-z]{1,8}", "[ -~]{0,8}")),
    ) {
        let headers: Vec<_> = [("content-type", media_type), ("content-encoding", coding), ("idempotency-key", key.as_deref())]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .chain(attribute.as_ref().map(|(name, value)| (name.as_str(), value.as_str())))
            .collect();
        let answer = RUNTIME.block_on(HOST.call("POST", path, &headers, body));
        let records = HOST.take_records().len() as u64;
        match answer.status.as_u16() {
            200 | 202 | 207 if answer.json().get("results").is_none() => {
                prop_assert_eq!(records, 1);
                prop_assert!(answer.json()["id"].as_str().is_some_and(|id| !id.is_empty()));
            }
            202 | 207 | 422 if answer.json().get("results").is_some() => {
                prop_assert_eq!(answer.json()["accepted"].as_u64(), Some(records));
            }
            status @ (400 | 413 | 415 | 422) => {
                prop_assert_eq!(records, 0);
                assert_problem(&answer.json(), status);
            }
            status => prop_assert!(false, "{} answered {}", path, status),
        }
    }
}

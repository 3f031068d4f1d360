//! Decompression bombs and bodies of many small parts cost bounded memory. A test binary of its own: it measures the
//! process's peak resident memory.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "shared test code: a panic fails the test")]

use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use millrace_edge::{Ack, BoxFuture, Edge, EventRecord, Limits, Sink, SinkError, Status, StatusSource};
use tower::ServiceExt;

/// Memory for decompression bombs: a few times a request's limit, far less than their 512 MiB.
const BOMB_MEMORY_LIMIT: usize = 48 << 20;

/// Memory for bodies of very many small parts, including the bodies.
const PARTS_MEMORY_LIMIT: usize = 128 << 20;

struct Nowhere;

impl Sink for Nowhere {
    fn write<'a>(&'a self, events: &'a [EventRecord<'a>]) -> BoxFuture<'a, Vec<Result<Ack, SinkError>>> {
        panic!("{} events were written", events.len());
    }
}

impl StatusSource for Nowhere {
    fn status(&self) -> BoxFuture<'_, Status> {
        Box::pin(async { Status::unreachable() })
    }
}

/// Peak resident memory of this process (`VmHWM`), in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// 512 MiB of spaces in both codings: members or frames of 1 MiB each, which make one body.
fn bombs() -> [(&'static str, Vec<u8>); 2] {
    let spaces = vec![b' '; 1 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&spaces).unwrap();
    let zstd = zstd::encode_all(spaces.as_slice(), 3).unwrap();
    [("gzip", gzip.finish().unwrap().repeat(512)), ("zstd", zstd.repeat(512))]
}

fn router() -> Router {
    let nowhere = Arc::new(Nowhere);
    Edge::new(nowhere.clone(), nowhere, Limits::default()).router()
}

#[tokio::test]
async fn bombs_and_many_parts_are_refused_in_bounded_memory() {
    let router = router();
    let bombs = bombs();
    let before = peak();
    for (coding, bomb) in &bombs {
        assert!(bomb.len() < 1 << 20, "{coding}: {} bytes", bomb.len());
        for (path, media_type) in [
            ("/orders", "application/json"),
            ("/register_event", "application/x-www-form-urlencoded"),
            ("/events", "application/x-ndjson"),
        ] {
            let request = Request::post(path).header("content-encoding", *coding).header("content-type", media_type);
            let answer = router.clone().oneshot(request.body(Body::from(bomb.clone())).unwrap()).await.unwrap();
            assert_eq!(answer.status(), 413, "{coding} {path}");
        }
    }
    let more = peak() - before;
    assert!(more < BOMB_MEMORY_LIMIT, "the bombs took {more} bytes");

    let parts = (5 << 20) / 2 - 2;
    let before = peak();
    for (path, media_type, body, status) in [
        ("/register_event", "application/x-www-form-urlencoded", "a&".repeat(parts), 413),
        ("/events", "application/x-ndjson", "1\n".repeat(parts), 413),
        ("/events", "application/cloudevents-batch+json", format!("[1{}]", ",1".repeat(parts)), 413),
        ("/events", "application/cloudevents+json", many_members(), 422),
    ] {
        let request = Request::post(path).header("content-type", media_type).body(Body::from(body)).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), status, "{path} {media_type}");
    }
    let more = peak() - before;
    assert!(more < PARTS_MEMORY_LIMIT, "the bodies of many parts took {more} bytes");
}

/// A CloudEvent with as many attributes as fit into a request, each of them invalid.
fn many_members() -> String {
    let members: Vec<_> = (0..300_000).map(|index| format!("\"X{index}\":{{}}")).collect();
    format!("{{{}}}", members.join(","))
}

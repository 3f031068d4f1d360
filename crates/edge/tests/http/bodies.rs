//! Media types, encodings and sizes of bodies.

use std::io::Write;

use millrace_edge::Limits;

use crate::host::Host;

const ORDER: &str = r#"{"order_id":"101"}"#;

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 1).unwrap()
}

/// A notification whose value has this many bytes.
fn of_size(bytes: usize) -> String {
    let empty = r#"{"user_id":"1","message":""}"#;
    empty.replace(r#""""#, &format!(r#""{}""#, "x".repeat(bytes - empty.len())))
}

#[tokio::test]
async fn a_missing_content_type_counts_as_json() {
    for media_type in
        ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;", ""]
    {
        let host = Host::new();
        assert_eq!(host.post_as(media_type, "/orders", ORDER).await.status, 202, "{media_type}");
        assert_eq!(host.take_record().text(), ORDER);
    }
}

#[tokio::test]
async fn an_unsupported_media_type_is_415_with_the_supported_ones() {
    let json_or_form = "application/json, application/x-www-form-urlencoded";
    let events = "application/cloudevents+json, application/cloudevents-batch+json, application/x-ndjson";
    for (path, accept) in [
        ("/orders", "application/json"),
        ("/send-notification", "application/json"),
        ("/send_notification", "application/json"),
        ("/user-login", "application/json"),
        ("/register_event", json_or_form),
        ("/events", events),
    ] {
        for media_type in
            ["text/plain", "application/xml", "multipart/form-data; boundary=x", "json", "application/jsonp"]
        {
            let host = Host::new();
            let answer = host.post_as(media_type, path, ORDER).await;
            let problem = answer.problem(415);
            assert_eq!(answer.header("accept"), Some(accept), "{path} {media_type}");
            assert!(problem["detail"].as_str().unwrap().contains(media_type), "{problem}");
            assert_eq!(host.take_records(), []);
        }
    }
    let answer = Host::new().post_as("application/x-www-form-urlencoded", "/orders", "order_id=101").await;
    answer.problem(415);
    assert_eq!(answer.header("accept"), Some("application/json"));
}

#[tokio::test]
async fn compressed_bodies_reach_the_topic_decompressed() {
    for (coding, body) in [
        ("gzip", gzip(ORDER.as_bytes())),
        ("GZIP", gzip(ORDER.as_bytes())),
        ("x-gzip", gzip(ORDER.as_bytes())),
        ("zstd", zstd(ORDER.as_bytes())),
        ("identity", ORDER.as_bytes().to_vec()),
        // Concatenated members and frames are one body (RFC 1952, RFC 8878).
        ("gzip", [gzip(&ORDER.as_bytes()[..5]), gzip(&ORDER.as_bytes()[5..])].concat()),
        ("zstd", [zstd(&ORDER.as_bytes()[..5]), zstd(&ORDER.as_bytes()[5..])].concat()),
    ] {
        let host = Host::new();
        let answer = host.call("POST", "/orders", &[("content-encoding", coding)], body).await;
        assert_eq!(answer.status, 202, "{coding}: {:?}", answer.body);
        assert_eq!(host.take_record().text(), ORDER);
    }
}

#[tokio::test]
async fn stacked_and_unknown_codings_are_415_with_supported_ones() {
    let body = gzip(ORDER.as_bytes());
    let stacked: &[(&str, &str)] = &[("content-encoding", "gzip"), ("content-encoding", "gzip")];
    for headers in [
        &[("content-encoding", "br")][..],
        &[("content-encoding", "deflate")],
        &[("content-encoding", "gzip, zstd")],
        &[("content-encoding", "gzip, gzip")],
        &[("content-encoding", "gzip;q=1")],
        stacked,
    ] {
        let host = Host::new();
        let answer = host.call("POST", "/orders", headers, body.clone()).await;
        answer.problem(415);
        assert_eq!(answer.header("accept-encoding"), Some("gzip, zstd"), "{headers:?}");
        assert_eq!(host.take_records(), []);
    }
}

#[tokio::test]
async fn corrupt_and_truncated_bodies_are_refused() {
    let (gzip, zstd) = (gzip(of_size(5_000).as_bytes()), zstd(of_size(5_000).as_bytes()));
    let mut wrong_checksum = gzip.clone();
    let checksum = wrong_checksum.len() - 6;
    wrong_checksum[checksum] ^= 1;
    // A frame that asks for a window of 128 MiB (RFC 8878, section 3.1.1.1.2).
    let wide_window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00].to_vec();
    for (coding, body) in [
        ("gzip", gzip[..gzip.len() / 2].to_vec()),
        ("gzip", gzip[..gzip.len() - 1].to_vec()),
        ("gzip", wrong_checksum),
        ("gzip", [gzip.clone(), b"and more".to_vec()].concat()),
        ("gzip", ORDER.as_bytes().to_vec()),
        ("gzip", zstd.clone()),
        ("gzip", Vec::new()),
        ("zstd", zstd[..zstd.len() / 2].to_vec()),
        ("zstd", zstd[..zstd.len() - 1].to_vec()),
        ("zstd", [zstd.clone(), b"and more".to_vec()].concat()),
        ("zstd", ORDER.as_bytes().to_vec()),
        ("zstd", gzip.clone()),
        ("zstd", wide_window),
        ("zstd", Vec::new()),
    ] {
        for path in ["/send-notification", "/register_event", "/events"] {
            let media_type =
                if path == "/register_event" { "application/x-www-form-urlencoded" } else { "application/json" };
            let host = Host::new();
            let headers = [("content-encoding", coding), ("content-type", media_type)];
            host.call("POST", path, &headers, body.clone()).await.problem(400);
            assert_eq!(host.take_records(), []);
        }
    }
}

#[tokio::test]
async fn a_value_may_have_at_most_262_144_bytes() {
    let host = Host::new();
    assert_eq!(host.post("/send-notification", of_size(262_144)).await.status, 200);
    assert_eq!(host.take_record().value.len(), 262_144);
    host.post("/send-notification", of_size(262_145)).await.problem(413);
    let headers = [("content-encoding", "gzip")];
    let answer = host.call("POST", "/send-notification", &headers, gzip(of_size(262_144).as_bytes())).await;
    assert_eq!(answer.status, 200);
    host.take_record();
    host.call("POST", "/send-notification", &headers, gzip(of_size(262_145).as_bytes())).await.problem(413);

    // The limit applies to the JSON object that the form becomes.
    let form = |bytes: usize| format!("timestamp=&key={}", "x".repeat(bytes - r#"{"timestamp":"","key":""}"#.len()));
    let media_type = "application/x-www-form-urlencoded";
    assert_eq!(host.post_as(media_type, "/register_event", form(262_144)).await.status, 200);
    assert_eq!(host.take_record().value.len(), 262_144);
    host.post_as(media_type, "/register_event", form(262_145)).await.problem(413);

    // The limit applies to a CloudEvent's data, in every content mode.
    let data = of_size(262_144);
    let event = |data: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"1","source":"/s","type":"millrace.notification.requested","data":{data}}}"#
        )
    };
    let structured = "application/cloudevents+json";
    assert_eq!(host.post_as(structured, "/events", event(&data)).await.status, 202);
    assert_eq!(host.take_record().text(), data);
    host.post_as(structured, "/events", event(&of_size(262_145))).await.problem(413);
    let binary = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
    assert_eq!(host.call("POST", "/events", &binary, data).await.status, 202);
    host.take_record();
    host.call("POST", "/events", &binary, of_size(262_145)).await.problem(413);
    assert_eq!(host.take_records(), []);
}

#[tokio::test]
async fn a_request_may_have_at_most_5_mib() {
    let limit = 5 << 20;
    let padded = |bytes: usize| {
        let event = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1}"#;
        format!("{event}{}", " ".repeat(bytes - event.len()))
    };
    let structured = ("content-type", "application/cloudevents+json");
    let host = Host::new();
    for (headers, encode) in [
        (&[structured][..], (|plain| plain) as fn(Vec<u8>) -> Vec<u8>),
        (&[structured, ("content-encoding", "gzip")], |plain| gzip(&plain)),
        (&[structured, ("content-encoding", "zstd")], |plain| zstd(&plain)),
    ] {
        assert_eq!(host.call("POST", "/events", headers, encode(padded(limit).into())).await.status, 202);
        host.take_record();
        host.call("POST", "/events", headers, encode(padded(limit + 1).into())).await.problem(413);
        assert_eq!(host.take_records(), []);
    }
    // A Content-Length above the limit is refused without reading the body.
    host.call("POST", "/orders", &[("content-length", "5242881")], "").await.problem(413);
}

#[tokio::test]
async fn large_requests_share_a_memory_budget_and_release_it() {
    let host = Host::with(Limits { all_requests: 1 << 20, ..Limits::default() });
    let lines = |bytes: usize| "\n".repeat(bytes);
    for _ in 0..10 {
        host.post_as("application/x-ndjson", "/events", lines(2 << 20)).await.problem(429);
        // Without an event: 422.
        assert_eq!(host.post_as("application/x-ndjson", "/events", lines(900 << 10)).await.status, 422);
        let compressed = host.call(
            "POST",
            "/events",
            &[("content-type", "application/x-ndjson"), ("content-encoding", "gzip")],
            gzip(lines(2 << 20).as_bytes()),
        );
        compressed.await.problem(429);
    }
    // Small requests do not count.
    assert_eq!(host.post("/orders", ORDER).await.status, 202);
}

#[tokio::test]
async fn a_gzip_body_may_have_at_most_1024_members() {
    let host = Host::new();
    let (space, order) = (gzip(b" "), gzip(ORDER.as_bytes()));
    let gzipped = |members: usize| [space.repeat(members - 1), order.clone()].concat();
    let headers = [("content-encoding", "gzip")];
    assert_eq!(host.call("POST", "/orders", &headers, gzipped(1024)).await.status, 202);
    let problem = host.call("POST", "/orders", &headers, gzipped(1025)).await.problem(400);
    assert!(problem["detail"].as_str().unwrap().contains("members"), "{problem}");
}

//! Unknown routes and methods, invalid Idempotency-Keys and repeated headers.

use crate::host::Host;

#[tokio::test]
async fn an_unknown_path_is_404_and_named() {
    let host = Host::new();
    for path in ["/", "/nowhere", "/orders/", "/orders/1", "//orders", "/Orders", "/send-notification/x", "/%6frders2"]
    {
        for method in ["GET", "POST", "DELETE"] {
            let problem = host.call(method, path, &[], "{}").await.problem(404);
            assert!(problem["detail"].as_str().unwrap().contains(path), "{problem}");
        }
    }
    assert_eq!(host.take_records(), []);
}

#[tokio::test]
async fn an_unsupported_method_is_405_with_allow() {
    let host = Host::new();
    let posts = ["/send-notification", "/send_notification", "/register_event", "/orders", "/user-login", "/events"];
    let gets = ["/get_status", "/health", "/openapi.json"];
    for (path, allow, others) in posts
        .map(|path| (path, "POST", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"]))
        .into_iter()
        .chain(gets.map(|path| (path, "GET,HEAD", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])))
    {
        for method in others {
            let answer = host.call(method, path, &[], r#"{"order_id":"1"}"#).await;
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
            if method == "HEAD" {
                assert_eq!((answer.status.as_u16(), answer.body.len()), (405, 0));
            } else {
                answer.problem(405);
            }
        }
    }
    assert_eq!(host.take_records(), []);
}

#[tokio::test]
async fn an_invalid_idempotency_key_is_refused() {
    let too_long = "k".repeat(256);
    let quoted = format!("\"{too_long}\"");
    let host = Host::new();
    for key in ["", "\"\"", "a b", "\"a", "\"a\"b", "schlüssel", "a\tb", &too_long, &quoted] {
        for (path, body) in [
            ("/send-notification", r#"{"user_id":"1","message":"m"}"#),
            ("/register_event", "{}"),
            ("/orders", r#"{"order_id":"1"}"#),
            ("/user-login", r#"{"user_id":"1"}"#),
        ] {
            host.call("POST", path, &[("idempotency-key", key)], body).await.problem(400);
        }
        let event = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1}"#;
        let headers = [("idempotency-key", key), ("content-type", "application/cloudevents+json")];
        host.call("POST", "/events", &headers, event).await.problem(400);
    }
    assert_eq!(host.take_records(), []);
}

#[tokio::test]
async fn a_repeated_header_is_400_and_named() {
    let event = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1,"user_id":"1","order_id":"1"}"#;
    let host = Host::new();
    for path in ["/send-notification", "/send_notification", "/register_event", "/orders", "/user-login", "/events"] {
        for (name, first, second) in [
            ("Content-Type", "application/json", "application/json"),
            ("Content-Type", "application/json", "text/plain"),
            ("Content-Type", "application/cloudevents+json", "application/cloudevents-batch+json"),
            ("Idempotency-Key", "a", "a"),
            ("Idempotency-Key", "a", "b"),
        ] {
            let mut headers = vec![(name, first), (name, second)];
            if name != "Content-Type" && path == "/events" {
                headers.push(("content-type", "application/cloudevents+json"));
            }
            let problem = host.call("POST", path, &headers, event).await.problem(400);
            assert_eq!(problem["detail"], format!("the {name} was sent more than once"), "{path} {headers:?}");
        }
        // Gateways join repeated headers with a comma.
        for joined in ["application/json,application/json", "application/json; charset=utf-8, text/plain"] {
            host.post_as(joined, path, event).await.problem(400);
        }
    }
    assert_eq!(host.take_records(), []);
    let quoted = r#"application/json; profile="a, \"b\", c""#;
    assert_eq!(host.post_as(quoted, "/orders", r#"{"order_id":"1"}"#).await.status, 202);
}

//! The OpenAPI document: valid, complete, and in agreement with the routes.

use std::collections::BTreeSet;
use std::path::Path;

use http::StatusCode;
use millrace_domain::ErrorClass;
use millrace_edge::SinkError;
use serde_json::{Map, Value};

use crate::host::{Answer, Host, STORED};

async fn document() -> Value {
    let answer = Host::new().call("GET", "/openapi.json", &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")));
    answer.json()
}

/// `MILLRACE_RENEW_DOCS=1` writes it anew.
#[test]
fn the_document_is_what_the_routes_annotations_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let said = millrace_edge::render_openapi().unwrap();
    if std::env::var_os("MILLRACE_RENEW_DOCS").is_some() {
        std::fs::write(&file, &said).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written == said, "{} differs: run this test with MILLRACE_RENEW_DOCS=1", file.display());
}

/// The paths of the contract that this edge has, and their methods.
const ROUTES: [(&str, &str); 13] = [
    ("/events", "post"),
    ("/events/{id}", "get"),
    ("/get_status", "get"),
    ("/health", "get"),
    ("/logs", "post"),
    ("/notifications/{id}", "get"),
    ("/openapi.json", "get"),
    ("/orders", "post"),
    ("/register_event", "post"),
    ("/send-notification", "post"),
    ("/send_notification", "post"),
    ("/user-login", "post"),
    ("/v1/logs", "post"),
];

/// Calls `visit` with every object in the document.
fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            object.values().for_each(|value| walk(value, visit));
        }
        Value::Array(values) => values.iter().for_each(|value| walk(value, visit)),
        _ => {}
    }
}

/// An operation's parts.
struct Operation<'a> {
    path: &'a str,
    method: String,
    described: &'a Value,
}

fn operations<'d>(document: &'d Value) -> Vec<Operation<'d>> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&'d String, &'d Value)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(|(method, described)| Operation { path, method: method.to_ascii_uppercase(), described })
    };
    paths.iter().flat_map(of_path).collect()
}

impl Operation<'_> {
    /// Each request body that the document gives as an example, with its headers. An operation without a body has one
    /// request.
    fn examples(&self, document: &Value) -> Vec<(Vec<(String, String)>, String)> {
        let Some(contents) = self.described["requestBody"]["content"].as_object() else {
            return vec![(Vec::new(), String::new())];
        };
        let parameters = self.described["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let mut examples = Vec::new();
        for (media_type, content) in contents {
            let example = content.get("example").cloned().unwrap_or_else(|| {
                let schema = content["schema"]["$ref"].as_str().unwrap().trim_start_matches('#');
                document.pointer(schema).unwrap()["example"].clone()
            });
            let body = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            let mut headers = vec![("content-type".to_owned(), media_type.clone())];
            // Binary mode: the attributes are headers, the body is the data alone.
            if media_type == "application/json" {
                for parameter in parameters.iter().filter(|parameter| parameter.get("example").is_some()) {
                    let text = |field: &str| parameter[field].as_str().unwrap().to_owned();
                    headers.push((text("name"), text("example")));
                }
            }
            examples.push((headers, body));
        }
        assert!(!examples.is_empty());
        examples
    }

    /// Asserts that the document lists this answer for the operation.
    fn assert_lists(&self, answer: &Answer) {
        let status = answer.status.as_str();
        let listed = &self.described["responses"][status];
        assert!(listed.is_object(), "{} {} answers {status}, which is not in the document", self.method, self.path);
        let media_type = answer.header("content-type").unwrap();
        assert!(listed["content"].get(media_type).is_some(), "{} {} {status} {media_type}", self.method, self.path);
        let has_retry_after = listed["headers"].get("Retry-After").is_some();
        assert_eq!(has_retry_after, answer.header("retry-after").is_some(), "{} {} {status}", self.method, self.path);
    }

    async fn send(&self, host: &Host, headers: &[(String, String)], body: String) -> Answer {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = host.call(&self.method, &self.path.replace("{id}", STORED), &headers, body).await;
        self.assert_lists(&answer);
        answer
    }
}

#[tokio::test]
async fn the_document_is_complete_openapi_3_1() {
    let document = document().await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut references = BTreeSet::new();
    walk(&document, &mut |object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            references.insert(reference.clone());
        }
    });
    assert!(references.contains("#/components/schemas/Problem"), "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference into this document");
        assert!(document.pointer(pointer).is_some(), "dangling reference {reference}");
    }
    let mut ids = BTreeSet::new();
    for operation in operations(&document) {
        let Operation { path, method, described } = &operation;
        assert!(
            ids.insert(described["operationId"].as_str().unwrap().to_owned()),
            "{method} {path}: duplicate operationId"
        );
        // The limit of API registries' rulesets.
        let summary = described["summary"].as_str().unwrap();
        assert!(summary.chars().count() <= 120 && !summary.contains('\n'), "{method} {path}: {summary}");
        for (status, response) in described["responses"].as_object().unwrap() {
            let code: u16 = status.parse().unwrap();
            assert!(
                StatusCode::from_u16(code).is_ok() && response["description"].is_string(),
                "{method} {path} {status}"
            );
            let contents = response["content"].as_object().unwrap();
            assert!(contents.values().all(|content| content["schema"].is_object()), "{method} {path} {status}");
        }
        for parameter in described["parameters"].as_array().into_iter().flatten() {
            assert!(
                parameter["name"].is_string()
                    && ["header", "path", "query"].contains(&parameter["in"].as_str().unwrap())
                    && parameter["schema"].is_object()
            );
        }
    }
}

#[tokio::test]
async fn the_document_has_every_route_and_every_route_is_in_it() {
    let document = document().await;
    let listed: BTreeSet<_> = operations(&document)
        .iter()
        .map(|operation| (operation.path.to_owned(), operation.method.to_lowercase()))
        .collect();
    assert_eq!(listed, ROUTES.map(|(path, method)| (path.to_owned(), method.to_owned())).into());
    // The router's Allow header (no route has DELETE) equals the document's methods of the path.
    for (path, method) in ROUTES {
        let answer = Host::new().call("DELETE", path, &[], "").await;
        let allowed = answer.header("allow").unwrap().to_lowercase().replace("get,head", "get");
        assert_eq!(allowed, method, "{path}");
    }
}

#[tokio::test]
async fn fields_have_their_types_and_are_required_or_not() {
    let document = document().await;
    let schemas = &document["components"]["schemas"];
    let types = |schema: &str, field: &str| {
        let types = schemas[schema]["properties"][field]["type"].as_array().unwrap();
        types.iter().map(|name| name.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    for (schema, field, expected) in [
        ("NotificationRequest", "user_id", &["integer", "string"][..]),
        ("OrderRequest", "order_id", &["integer", "string"]),
        ("OrderRequest", "amount", &["null", "number", "string"]),
        ("LoginRequest", "user_id", &["integer", "string"]),
        ("LoginRequest", "timestamp", &["null", "number", "string"]),
        ("LoginRequest", "locale", &["null", "string"]),
        ("TopicStatus", "end_offset", &["integer", "null"]),
        ("ConsumerStatus", "lag", &["integer", "null"]),
        ("ConsumerStatus", "processed", &["integer", "null"]),
        ("ConsumerStatus", "dead_lettered", &["integer", "null"]),
    ] {
        assert_eq!(types(schema, field), expected.iter().map(|name| (*name).to_owned()).collect(), "{schema} {field}");
    }
    for (schema, required) in [
        ("NotificationRequest", &["user_id", "message"][..]),
        ("OrderRequest", &["order_id"]),
        ("LoginRequest", &["user_id"]),
        ("TopicStatus", &["partitions", "end_offset"]),
        ("ConsumerStatus", &["group", "lag", "processed", "dead_lettered"]),
    ] {
        assert_eq!(schemas[schema]["required"], serde_json::json!(required), "{schema}");
    }
}

/// Values that the schemas allow and the edge refuses: JSON Schema cannot express the rule, the description states it.
const ONLY_DESCRIBED: [&str; 10] = [
    "1.0",
    "1e2",
    "1e300",
    "\"1\u{200b}\"",
    r#""1\u0085""#,
    r#""1e999""#,
    r#""-0.1e999""#,
    r#""1e22""#,
    r#""2026-02-30T12:00:00Z""#,
    r#""1969-12-31T23:59:59Z""#,
];

#[tokio::test]
async fn the_schemas_allow_what_the_edge_accepts() {
    let document = document().await;
    let values = [
        "null",
        "true",
        "{}",
        "[]",
        "0",
        "-0",
        "7",
        "-1",
        "12.5",
        "-0.5",
        "253402300799",
        "253402300799.999",
        "253402300800",
        "1769860800000",
        "10000000000000000000000",
        "123456789012345678901234567890",
        r#""""#,
        r#"" ""#,
        r#""101""#,
        r#""Köln""#,
        r#""a\nb""#,
        r#""\u0000""#,
        r#""-1""#,
        r#""+1""#,
        r#"".5""#,
        r#""5.""#,
        r#"".""#,
        r#""1,5""#,
        r#""1e5""#,
        r#""e5""#,
        r#""inf""#,
        r#""NaN""#,
        r#""0x10""#,
        r#""1 ""#,
        r#""2026-01-31T12:00:00Z""#,
        r#""2026-01-31t12:00:00.123456789012+05:30""#,
        r#""9999-12-31T23:59:59Z""#,
        r#""2026-01-31 12:00:00Z""#,
        r#""2026-01-31""#,
        r#""2026-01-31T12:00:00""#,
        r#""2026-01-31T12:00Z""#,
    ];
    for (schema, path, whole) in [
        ("NotificationRequest", "/send-notification", r#"{"user_id":"1","message":"m"}"#),
        ("OrderRequest", "/orders", r#"{"order_id":"1"}"#),
        ("LoginRequest", "/user-login", r#"{"user_id":"1"}"#),
    ] {
        let described = &document["components"]["schemas"][schema];
        let validator = jsonschema::draft202012::new(described).unwrap();
        for field in described["properties"].as_object().unwrap().keys() {
            for value in values.iter().chain(&ONLY_DESCRIBED) {
                let mut body: Map<String, Value> = serde_json::from_str(whole).unwrap();
                body.remove(field);
                let rest = serde_json::to_string(&body).unwrap();
                let separator = if body.is_empty() { "" } else { "," };
                let body = format!("{{\"{field}\":{value}{separator}{}", &rest[1..]);
                let is_allowed = validator.is_valid(&serde_json::from_str(&body).unwrap());
                let answer = Host::new().post(path, body.clone()).await;
                let is_accepted = answer.status.is_success();
                if ONLY_DESCRIBED.contains(value) && !is_accepted {
                    continue;
                }
                assert_eq!(is_allowed, is_accepted, "{schema} {body}: {:?}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn every_route_accepts_the_documents_examples() {
    let document = document().await;
    for operation in operations(&document) {
        for (headers, body) in operation.examples(&document) {
            let host = Host::new();
            let answer = operation.send(&host, &headers, body.clone()).await;
            assert!(answer.status.is_success(), "{} {headers:?} {body}: {:?}", operation.path, answer.body);
            let records = host.take_records();
            assert_eq!(records.len(), usize::from(operation.method == "POST"), "{} {headers:?}", operation.path);
        }
    }
}

#[tokio::test]
async fn every_problem_of_a_route_is_in_the_document() {
    let document = document().await;
    let not_written = |class| SinkError::NotWritten { class, reason: "no leader".to_owned() };
    for operation in operations(&document).iter().filter(|operation| operation.method == "POST") {
        let mut seen = BTreeSet::new();
        for (headers, body) in operation.examples(&document) {
            let host = Host::new();
            for error in [
                not_written(ErrorClass::Transient),
                not_written(ErrorClass::Fatal),
                SinkError::TooLarge,
                SinkError::OutcomeUnknown,
            ] {
                host.answer_with([Err(error)]);
                seen.insert(operation.send(&host, &headers, body.clone()).await.status.as_u16());
            }
            let with = |name: &str, value: &str| {
                let mut headers: Vec<_> = headers.iter().filter(|(known, _)| known != name).cloned().collect();
                headers.push((name.to_owned(), value.to_owned()));
                headers
            };
            for (headers, body) in [
                (headers.clone(), "{".to_owned()),
                (headers.clone(), "1".to_owned()),
                (headers.clone(), "x".repeat(6 << 20)),
                (with("content-encoding", "br"), body.clone()),
                (with("content-encoding", "gzip"), body.clone()),
                (with("idempotency-key", "a b"), body.clone()),
                (vec![("content-type".to_owned(), "text/html".to_owned())], body.clone()),
                // A line that cannot be a record.
                (headers.clone(), "x".repeat(300_000)),
            ] {
                seen.insert(operation.send(&host, &headers, body).await.status.as_u16());
            }
        }
        let statuses: &[u16] = match operation.path {
            // Lines of a log answer for themselves.
            "/logs" => &[400, 413, 415, 422, 503],
            // What senders of OTLP act on.
            "/v1/logs" => &[400, 413, 415, 503],
            _ => &[400, 413, 415, 422, 500, 503, 504],
        };
        for status in statuses {
            assert!(seen.contains(status), "{} never answered {status}: {seen:?}", operation.path);
        }
    }
    let host = Host::new();
    host.disconnect();
    let status = operations(&document).into_iter().find(|operation| operation.path == "/get_status").unwrap();
    assert_eq!(status.send(&host, &[], String::new()).await.status, 503);
}

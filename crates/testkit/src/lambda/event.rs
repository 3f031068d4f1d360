//! What functions are invoked with: HTTP requests as events of API Gateway and function URLs, new objects, messages of a queue.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HOST, USER_AGENT};
use http::{HeaderMap, Request};
use serde_json::{Map, Value, json};
use uuid::Uuid;

const ACCOUNT: &str = "123456789012";
const CALLER: &str = "203.0.113.7";

/// The event of an API Gateway HTTP API:
/// [payload format 2.0](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html),
/// all requests on the route `$default`. The path begins with the stage, unless that is `$default`.
pub fn http_api(request: &Request<Bytes>, stage: &str) -> Value {
    let path = match stage {
        "$default" => request.uri().path().to_owned(),
        stage => format!("/{stage}{}", request.uri().path()),
    };
    payload_2(request, &path, stage, ACCOUNT, "abcdef1234.execute-api.us-east-1.amazonaws.com")
}

/// The event of a [function URL](https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html) without
/// authentication.
pub fn function_url(request: &Request<Bytes>) -> Value {
    let domain = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws";
    payload_2(request, request.uri().path(), "$default", "anonymous", domain)
}

/// The event of an API Gateway REST API with a proxy resource and `*/*` as binary media type:
/// [payload format 1.0](https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html).
/// Its path does not include the stage.
pub fn rest_api(request: &Request<Bytes>, stage: &str) -> Value {
    let (body, is_base64_encoded) = body(request);
    let path = request.uri().path();
    let mut headers = Map::new();
    let mut all_headers = Map::new();
    for name in request.headers().keys() {
        let values = values(request.headers(), name.as_str());
        headers.insert(name.to_string(), values.last().cloned().into());
        all_headers.insert(name.to_string(), values.into());
    }
    let mut all_parameters = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in query(request) {
        all_parameters.entry(name).or_default().push(value);
    }
    let parameters: BTreeMap<_, _> = all_parameters.iter().map(|(name, values)| (name, values.last())).collect();
    json!({
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": request.method().as_str(),
        "headers": headers,
        "multiValueHeaders": all_headers,
        "queryStringParameters": parameters,
        "multiValueQueryStringParameters": all_parameters,
        "pathParameters": {"proxy": path.trim_start_matches('/')},
        "stageVariables": null,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "abcdef1234",
            "domainName": "abcdef1234.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "abcdef1234",
            "httpMethod": request.method().as_str(),
            "identity": {"sourceIp": CALLER, "userAgent": header(request.headers(), USER_AGENT.as_str())},
            "path": format!("/{stage}{path}"),
            "protocol": "HTTP/1.1",
            "requestId": Uuid::now_v7().to_string(),
            "requestTimeEpoch": now(),
            "resourceId": "proxy",
            "resourcePath": "/{proxy+}",
            "stage": stage,
        },
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    })
}

/// The event of a new object of a bucket, as
/// [S3 puts it on a bus](https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html).
pub fn object_created(bucket: &str, key: &str) -> Value {
    json!({
        "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": ACCOUNT,
        "time": "2026-01-31T12:00:00.123Z", "region": "eu-central-1", "resources": [format!("arn:aws:s3:::{bucket}")],
        "detail": {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 7}, "reason": "PutObject"},
    })
}

/// The event of a batch of [messages](https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html) of SQS, by their ids and bodies, that
/// are handed out for the `attempt`th time.
pub fn messages<'m>(messages: impl IntoIterator<Item = (&'m str, Value)>, attempt: u32) -> Value {
    let message = |(id, body): (&str, Value)| {
        json!({
            "messageId": id, "receiptHandle": "r", "body": body.to_string(), "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": attempt.to_string()},
        })
    };
    json!({"Records": messages.into_iter().map(message).collect::<Vec<_>>()})
}

fn payload_2(request: &Request<Bytes>, path: &str, stage: &str, account: &str, domain: &str) -> Value {
    let (body, is_base64_encoded) = body(request);
    let mut headers: Map<String, Value> = request
        .headers()
        .keys()
        .filter(|name| *name != COOKIE)
        .map(|name| (name.to_string(), values(request.headers(), name.as_str()).join(",").into()))
        .collect();
    headers.entry(HOST.as_str()).or_insert_with(|| domain.into());
    headers.insert("x-forwarded-for".to_owned(), CALLER.into());
    headers.insert("x-forwarded-port".to_owned(), "443".into());
    headers.insert("x-forwarded-proto".to_owned(), "https".into());
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.uri().query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": account,
            "apiId": domain.split('.').next(),
            "domainName": domain,
            "domainPrefix": domain.split('.').next(),
            "http": {
                "method": request.method().as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": CALLER,
                "userAgent": header(request.headers(), USER_AGENT.as_str()),
            },
            "requestId": Uuid::now_v7().to_string(),
            "routeKey": "$default",
            "stage": stage,
            "timeEpoch": now(),
        },
        "isBase64Encoded": is_base64_encoded,
    });
    // The event omits cookies, parameters and body that the request does not have.
    let cookies: Vec<String> = values(request.headers(), COOKIE.as_str())
        .iter()
        .flat_map(|line| line.split("; "))
        .map(str::to_owned)
        .collect();
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    let mut parameters = BTreeMap::<String, String>::new();
    for (name, value) in query(request) {
        let joined = parameters.entry(name).or_default();
        *joined = if joined.is_empty() { value } else { format!("{joined},{value}") };
    }
    if !parameters.is_empty() {
        event["queryStringParameters"] = json!(parameters);
    }
    if let Some(body) = body {
        event["body"] = body.into();
    }
    event
}

/// Text bodies as they are; compressed, binary and non-UTF-8 bodies in base64.
fn body(request: &Request<Bytes>) -> (Option<String>, bool) {
    let bytes = request.body();
    if bytes.is_empty() {
        return (None, false);
    }
    let is_compressed = request.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    let is_text = !is_compressed && header(request.headers(), CONTENT_TYPE.as_str()).is_some_and(|kind| is_text(&kind));
    match std::str::from_utf8(bytes) {
        Ok(text) if is_text => (Some(text.to_owned()), false),
        _ => (Some(BASE64_STANDARD.encode(bytes)), true),
    }
}

fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || ["application/json", "application/javascript", "application/xml"].contains(&essence.as_str())
}

fn query(request: &Request<Bytes>) -> Vec<(String, String)> {
    request.uri().query().and_then(|query| serde_urlencoded::from_str(query).ok()).unwrap_or_default()
}

fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    values(headers, name).into_iter().next()
}

/// In milliseconds since the Unix epoch.
pub(super) fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(content_type: &str, body: &'static [u8]) -> Request<Bytes> {
        let request = Request::post("/a/b?x=1&x=2&y=%20").header("accept", "a").header("accept", "b");
        request.header("cookie", "k=v; l=w").header("content-type", content_type).body(body.into()).unwrap()
    }

    /// Cookies are a field of their own.
    #[test]
    fn an_http_api_joins_headers_and_parameters_by_commas() {
        let event = http_api(&request("application/json", b"{}"), "$default");
        assert_eq!((&event["rawPath"], &event["rawQueryString"]), (&json!("/a/b"), &json!("x=1&x=2&y=%20")));
        assert_eq!(event["headers"]["accept"], "a,b");
        assert_eq!(event["cookies"], json!(["k=v", "l=w"]));
        assert_eq!(event["headers"]["cookie"], Value::Null);
        assert_eq!(event["queryStringParameters"], json!({"x": "1,2", "y": " "}));
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
    }

    #[test]
    fn a_binary_body_is_in_base64() {
        for (content_type, body) in [("application/octet-stream", b"ab".as_slice()), ("text/plain", b"\xff\xfe")] {
            let event = function_url(&request(content_type, body));
            assert_eq!(event["isBase64Encoded"], true, "{content_type}");
            assert_eq!(BASE64_STANDARD.decode(event["body"].as_str().unwrap()).unwrap(), body);
        }
    }

    /// The path of a REST API does not include it.
    #[test]
    fn the_path_of_an_http_api_begins_with_the_stage() {
        let request = request("text/plain", b"");
        assert_eq!(http_api(&request, "prod")["rawPath"], "/prod/a/b");
        let rest = rest_api(&request, "prod");
        assert_eq!((&rest["path"], &rest["requestContext"]["path"]), (&json!("/a/b"), &json!("/prod/a/b")));
        assert_eq!(rest["multiValueHeaders"]["accept"], json!(["a", "b"]));
        assert_eq!(rest["headers"]["accept"], "b");
    }
}

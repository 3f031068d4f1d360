//! Conversion of a function's response payload to an HTTP response, as API Gateway does.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::response::Builder;
use http::{Response, StatusCode};
use serde_json::Value;

/// Reads a response of either payload format.
///
/// # Errors
/// The reason why it is malformed: a gateway answers 500 (HTTP APIs) or 502 (REST APIs).
pub fn read(payload: &[u8]) -> Result<Response<Bytes>, String> {
    let answer: Value = serde_json::from_slice(payload).map_err(|error| format!("not JSON: {error}"))?;
    let status = answer["statusCode"].as_u64().ok_or("no statusCode")?;
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = Response::builder().status(status.ok_or("invalid statusCode")?);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        response = header(response, name, value)?;
    }
    for (name, values) in answer["multiValueHeaders"].as_object().into_iter().flatten() {
        for value in values.as_array().ok_or("a value of multiValueHeaders is not a list")? {
            response = header(response, name, value)?;
        }
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        response = header(response, SET_COOKIE.as_str(), cookie)?;
    }
    let body = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => BASE64_STANDARD.decode(body).map_err(|error| format!("the body is not base64: {error}"))?.into(),
        _ => Bytes::copy_from_slice(body.as_bytes()),
    };
    response.body(body).map_err(|error| error.to_string())
}

fn header(response: Builder, name: &str, value: &Value) -> Result<Builder, String> {
    let text = value.as_str().ok_or_else(|| format!("the header {name} is not a string: {value}"))?;
    Ok(response.header(name, text))
}

/// A response of the gateway itself.
pub(super) fn from_gateway(status: StatusCode, message: &str) -> Response<Bytes> {
    let body = serde_json::json!({ "message": message }).to_string();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_cookies_and_a_binary_body_are_converted() {
        let response = read(
            br#"{"statusCode": 202, "headers": {"x-a": "1"}, "multiValueHeaders": {"x-b": ["2", "3"]},
                "cookies": ["k=v"], "body": "AP8=", "isBase64Encoded": true}"#,
        )
        .unwrap();
        assert_eq!(response.status(), 202);
        assert_eq!(
            (&response.headers()["x-a"], &response.headers()["set-cookie"]),
            (&"1".parse().unwrap(), &"k=v".parse().unwrap())
        );
        assert_eq!(response.headers().get_all("x-b").iter().count(), 2);
        assert_eq!(response.body().as_ref(), [0, 255]);
    }

    #[test]
    fn a_malformed_response_is_an_error() {
        for payload in ["", "{}", r#"{"statusCode": "200"}"#, r#"{"statusCode": 99}"#, r#"{"statusCode": 70000}"#] {
            assert!(read(payload.as_bytes()).is_err(), "{payload}");
        }
    }
}

//! The OpenAPI document, made from the routes' annotations.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response as Described, ResponseBuilder};
use utoipa::{IntoResponses, OpenApi};

use crate::access::Needs;
use crate::problem::{FieldProblem, PROBLEM_JSON, ProblemBody};
use crate::routes::Requirements;

/// The document as JSON, indented.
///
/// # Errors
/// It cannot be written as JSON.
pub fn render() -> Result<String, serde_json::Error> {
    let mut document = Document::openapi();
    let needs = Requirements::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in [(Method::GET, &mut item.get), (Method::POST, &mut item.post)] {
            let Some(operation) = operation else { continue };
            // utoipa's are the names of modules.
            operation.tags = None;
            if needs.of(&method, path) != Needs::Nothing {
                guarded(operation);
            }
        }
    }
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key, or a JSON Web Token"));
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer.build()));
    let key = ApiKeyValue::with_description("X-API-Key", "An API key");
    components.add_security_scheme(API_KEY, SecurityScheme::ApiKey(ApiKey::Header(key)));
    document.to_pretty_json().map(|document| document + "\n")
}

const BEARER: &str = "bearer";
const API_KEY: &str = "apiKey";

/// Adds what a route answers where the edge asks for credentials or limits rates, which its settings say.
fn guarded(operation: &mut Operation) {
    for (status, text) in [
        (StatusCode::UNAUTHORIZED, "No valid credential, where the edge asks for one"),
        (StatusCode::FORBIDDEN, "The credential does not allow this"),
        (StatusCode::TOO_MANY_REQUESTS, "Too many requests of this caller, or too many large ones at once"),
    ] {
        operation.responses.responses.insert(status.as_str().to_owned(), problem(status, text).into());
    }
    let none: [&str; 0] = [];
    operation.security = Some(vec![
        SecurityRequirement::default(),
        SecurityRequirement::new(BEARER, none),
        SecurityRequirement::new(API_KEY, none),
    ]);
}

/// The document's `info`, routes and shared components.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Millrace",
        description = "Events in over HTTPS. A 2xx means that every in-sync replica of Kafka has the event.\n\n\
            Errors are problem details (RFC 9457). 503: nothing was written. 504: the outcome is unknown; retry with \
            the same `Idempotency-Key`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        crate::routes::notification::send,
        crate::routes::notification::send_alias,
        crate::routes::registered::register,
        crate::routes::order::place,
        crate::routes::login::see,
        crate::routes::events::take,
        crate::routes::logs::take,
        crate::routes::otlp::take,
        crate::routes::stored::event,
        crate::routes::stored::notification,
        crate::routes::status::get,
        crate::routes::health::get,
        crate::openapi::document,
    ),
    components(schemas(ProblemBody, FieldProblem))
)]
struct Document;

/// The error responses of every write.
pub(crate) struct WriteProblems;

impl IntoResponses for WriteProblems {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let problems = [
            (
                StatusCode::BAD_REQUEST,
                "The body does not match its media type, or the `Idempotency-Key` is invalid or repeated",
            ),
            (StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time"),
            (StatusCode::PAYLOAD_TOO_LARGE, "More than 262,144 bytes an event, or 5 MiB a request once decompressed"),
            (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Unsupported media type or content coding; `Accept` or `Accept-Encoding` lists the supported ones",
            ),
            (StatusCode::UNPROCESSABLE_ENTITY, "Fields are missing or invalid: `errors` names each"),
            (StatusCode::INTERNAL_SERVER_ERROR, "Nothing was written, and a retry does not help"),
            (StatusCode::SERVICE_UNAVAILABLE, "Nothing was written"),
            (StatusCode::GATEWAY_TIMEOUT, "The outcome is unknown; retry with the same `Idempotency-Key`"),
        ];
        problems.into_iter().map(|(status, text)| (status.as_str().to_owned(), problem(status, text).into())).collect()
    }
}

/// The error responses of `POST /logs`: whether a retry of its lines helps stands beside each.
pub(crate) struct LogProblems;

impl IntoResponses for LogProblems {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let mut responses = WriteProblems::responses();
        for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::GATEWAY_TIMEOUT] {
            responses.remove(status.as_str());
        }
        responses
    }
}

fn problem(status: StatusCode, description: &str) -> Described {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new().description(description).content(PROBLEM_JSON, content);
    let retried = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
    if !retried.contains(&status) {
        return response.build();
    }
    let seconds = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)))
        .description(Some("Seconds after which to retry"));
    response.header("Retry-After", seconds.build()).build()
}

/// The schema of a key: `user_id`, `order_id`. JSON Schema counts `1.0` and `1e2` as integers, and few validators
/// know Unicode properties: the description states what the schema cannot.
pub(crate) fn key() -> ObjectBuilder {
    let types = SchemaType::from_iter([Type::String, Type::Integer]);
    let text = "A non-empty string without control or invisible characters, or an integer of any length, written without \
                fraction and exponent (not `1.0` or `1e2`), which is the same key as its text";
    let pattern = r"^[^\x00-\x1F\x7F]+$";
    ObjectBuilder::new().schema_type(types).min_length(Some(1)).pattern(Some(pattern)).description(Some(text))
}

/// The schema of a time.
pub(crate) fn time() -> ObjectBuilder {
    let types = SchemaType::from_iter([Type::String, Type::Number, Type::Null]);
    let text = "Unix seconds (not milliseconds), as a number or as text, or RFC 3339; an existing date between the years \
                1970 and 9999 in UTC";
    let pattern = concat!(
        r"^(\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?",
        r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))$",
    );
    ObjectBuilder::new()
        .schema_type(types)
        .minimum(Some(0))
        .exclusive_maximum(Some(253_402_300_800_i64))
        .pattern(Some(pattern))
        .description(Some(text))
}

/// The schema of an amount of money.
pub(crate) fn amount() -> ObjectBuilder {
    let types = SchemaType::from_iter([Type::Number, Type::String, Type::Null]);
    let text = "The amount: a number or a decimal string, in a double's range";
    let pattern = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$";
    ObjectBuilder::new().schema_type(types).pattern(Some(pattern)).description(Some(text))
}

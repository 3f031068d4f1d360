//! `POST /orders`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use millrace_domain::event;
use utoipa::ToSchema;

use crate::accept::{Accepted, Route};
use crate::deadline::Deadline;
use crate::problem::{Problem, ProblemBody};
use crate::{Edge, media};

const ROUTE: Route = Route { kind: event::ORDER, code: StatusCode::ACCEPTED, status: "accepted" };

/// An order. Further fields are kept.
#[derive(ToSchema)]
#[allow(dead_code)] // a schema: the body is checked and passed on as it was sent
#[schema(example = json!({"order_id": "101", "amount": 49.9}))]
struct OrderRequest {
    /// Names the order: a non-empty string, or an integer.
    order_id: String,
    /// What it comes to.
    amount: Option<f64>,
}

/// Places an order. Orders of one `order_id` keep their order.
#[utoipa::path(
    post,
    path = "/orders",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the event: a repeat has no second effect")),
    request_body(content = OrderRequest, content_type = "application/json", description = "The order, written to `orders` as it was sent"),
    responses(
        (status = 202, description = "Every in-sync replica has it", body = Accepted),
        (status = 400, description = "Not JSON, or an Idempotency-Key that is none", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Another media type or encoding", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Fields are missing or wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too much at once", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Nothing was written", body = ProblemBody, content_type = "application/problem+json"),
        (status = 504, description = "It may have been written", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn place(
    State(edge): State<Edge>,
    deadline: Deadline,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    media::require_json(&headers)?;
    let contents = edge.read(&headers, body, deadline).await?;
    edge.accept(&ROUTE, &headers, contents.bytes.as_ref().into(), deadline).await
}

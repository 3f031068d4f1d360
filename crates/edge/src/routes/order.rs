//! `POST /orders`.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use millrace_domain::event;

use crate::Edge;
#[cfg(feature = "openapi")]
use crate::accept::Accepted;
use crate::accept::Route;
#[cfg(feature = "openapi")]
use crate::openapi::document::{self, WriteProblems};
use crate::problem::Problem;

const ROUTE: Route = Route { kind: event::ORDER, code: StatusCode::ACCEPTED, status: "accepted" };

/// An order. Further fields are kept.
#[cfg(feature = "openapi")]
#[derive(utoipa::ToSchema)]
#[allow(dead_code)] // a schema: the body is validated and written as it was sent
#[schema(example = json!({"order_id": "101", "amount": 49.9}))]
struct OrderRequest {
    /// The order's id.
    #[schema(schema_with = document::key)]
    order_id: String,
    /// The amount.
    #[schema(schema_with = document::amount, required = false)]
    amount: Option<String>,
}

/// Places an order. Orders of one `order_id` keep their order.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/orders",
    operation_id = "placeOrder",
    params(("Idempotency-Key" = Option<String>, Header, description = "Becomes the event's id: a retry with the same key is the same event")),
    request_body(content = OrderRequest, content_type = "application/json", description = "The order, written to `orders` as it was sent"),
    responses(
        (status = 202, description = "Acknowledged by all in-sync replicas", body = Accepted<'_>),
        WriteProblems,
    ),
))]
pub(super) async fn place(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    edge.take(&ROUTE, request).await
}

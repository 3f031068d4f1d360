//! `GET /events/{id}` and `GET /notifications/{id}`: stored events, and notifications with their delivery attempts.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{Extensions, StatusCode};
use serde::Serialize;

use crate::Edge;
use crate::deadline::Deadline;
use crate::problem::Problem;
#[cfg(feature = "openapi")]
use crate::problem::ProblemBody;
use crate::sink::BoxFuture;
use crate::stored::LookupError;
#[cfg(feature = "openapi")]
use crate::stored::{StoredEvent, StoredNotification};

/// Time-out of a lookup.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns a stored event by its id: of the topics `events` and `payments`.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/events/{id}",
    operation_id = "getEvent",
    params(("id" = String, Path, description = "The event's id", example = "0198c5a0-0000-7000-8000-000000000001")),
    responses(
        (status = 200, description = "The event", body = StoredEvent),
        (status = 404, description = "No event is stored under this id (yet)", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "No database is configured, or it does not answer", body = ProblemBody, content_type = "application/problem+json", headers(("Retry-After" = i32, description = "Seconds after which to retry"))),
    ),
))]
pub(super) async fn event(
    State(edge): State<Edge>,
    id: Result<Path<String>, PathRejection>,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let id = id_of(id)?;
    let deadline = edge.deadline(&extensions).at_most(QUERY_TIMEOUT);
    found(deadline, "event", &id, edge.lookup.event(&id)).await
}

/// Returns a notification by its event's id, with every delivery attempt.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/notifications/{id}",
    operation_id = "getNotification",
    params(("id" = String, Path, description = "The event's id", example = "0198c5a0-0000-7000-8000-000000000001")),
    responses(
        (status = 200, description = "The notification", body = StoredNotification),
        (status = 404, description = "The notifier has read no notification with this id (yet)", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "No database is configured, or it does not answer", body = ProblemBody, content_type = "application/problem+json", headers(("Retry-After" = i32, description = "Seconds after which to retry"))),
    ),
))]
pub(super) async fn notification(
    State(edge): State<Edge>,
    id: Result<Path<String>, PathRejection>,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let id = id_of(id)?;
    let deadline = edge.deadline(&extensions).at_most(QUERY_TIMEOUT);
    found(deadline, "notification", &id, edge.lookup.notification(&id)).await
}

fn id_of(id: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    id.map(|Path(id)| id).map_err(|_| Problem::malformed("the id is not UTF-8 once percent-decoded"))
}

async fn found<T: Serialize>(
    deadline: Deadline,
    what: &str,
    id: &str,
    lookup: BoxFuture<'_, Result<Option<T>, LookupError>>,
) -> Result<Response, Problem> {
    match deadline.bound(lookup).await {
        Ok(Ok(Some(found))) => Ok(axum::Json(found).into_response()),
        Ok(Ok(None)) => Err(Problem::new(StatusCode::NOT_FOUND, format!("no {what} with the id {id} is stored (yet)"))),
        Ok(Err(LookupError::NoDatabase)) => {
            Err(Problem::unavailable("no database is configured: set --database or DATABASE_URL"))
        }
        Ok(Err(LookupError::Unavailable { reason })) => {
            tracing::warn!(reason, "database lookup failed");
            Err(Problem::unavailable("the database does not answer"))
        }
        Err(_) => Err(Problem::unavailable("the database does not answer in time")),
    }
}

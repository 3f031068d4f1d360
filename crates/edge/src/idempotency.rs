//! The `Idempotency-Key` header: the caller's id of an event.

use http::HeaderMap;
use millrace_domain::EventId;

use crate::problem::Problem;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The event id from the `Idempotency-Key`, where it was sent.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<EventId>, Problem> {
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(Problem::malformed("the Idempotency-Key was sent more than once"));
    }
    EventId::from_idempotency_key(key.as_bytes()).map(Some).map_err(|error| Problem::malformed(error.to_string()))
}

/// Refuses the header on a batch (400): one key for all events would make them the same event.
pub(crate) fn refuse_on_batch(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(IDEMPOTENCY_KEY) {
        return Err(Problem::malformed(
            "an Idempotency-Key cannot be used with a batch: its events have ids of their own",
        ));
    }
    Ok(())
}

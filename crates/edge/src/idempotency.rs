//! The caller's name for an event.

use http::HeaderMap;
use millrace_domain::EventId;

use crate::problem::Problem;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The id that the caller gives the event, where it does.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<EventId>, Problem> {
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(Problem::malformed("the Idempotency-Key was sent more than once"));
    }
    EventId::from_idempotency_key(key.as_bytes()).map(Some).map_err(|error| Problem::malformed(error.to_string()))
}

/// Batches name each event by its own id: one key for all of them would make one event of many.
pub(crate) fn refuse_on_batch(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(IDEMPOTENCY_KEY) {
        return Err(Problem::malformed(
            "an Idempotency-Key cannot be used with a batch: its events have ids of their own",
        ));
    }
    Ok(())
}

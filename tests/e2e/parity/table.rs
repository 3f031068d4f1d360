//! The requests, good and bad.
//!
//! What API Gateway or Lambda decide before the function sees the request is not in it:
//! - An event larger than 6 MB (which a request of 5 MiB may be once it is in base64), and headers of more than 10 KB,
//!   are refused by AWS, in words of its own.
//! - A header that was sent more than once arrives as one with its values joined by commas, so that a repeated
//!   `Idempotency-Key`, `Content-Type` or `ce-` header cannot be told from a single one with a comma in it.
//! - Paths arrive decoded, so that `/send%2Dnotification` is an alias there and nowhere here.

mod cloud_events;
mod event_routes;
mod reads;
mod refused;

use super::case::Case;

pub(super) fn all() -> Vec<Case> {
    let mut cases = event_routes::cases();
    cases.extend(cloud_events::cases());
    cases.extend(refused::cases());
    cases.extend(reads::cases());
    cases
}

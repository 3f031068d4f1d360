//! The requests, valid and invalid.
//!
//! Requests that API Gateway or Lambda handle before the function are not in it:
//! - An event larger than 6 MB (which a request of 5 MiB may be once it is in base64), and headers of more than 10 KB,
//!   are refused by AWS with its own response.
//! - A header that was sent more than once arrives as one with its values joined by commas, so that a repeated
//!   `Idempotency-Key`, `Content-Type` or `ce-` header cannot be distinguished from a single one with a comma.
//! - Paths arrive decoded, so that `/send%2Dnotification` is an alias on API Gateway only.

mod cloud_events;
mod event_routes;
mod logs;
mod reads;
mod refused;

use super::case::Case;

pub(super) fn all() -> Vec<Case> {
    let mut cases = event_routes::cases();
    cases.extend(cloud_events::cases());
    cases.extend(refused::cases());
    cases.extend(reads::cases());
    cases.push(logs::last());
    cases
}

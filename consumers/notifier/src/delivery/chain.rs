//! A destination and its fallbacks: the first that takes a notification is enough.

use super::destination::{Destination, Standing};
use crate::event::Event;
use crate::failure::Failure;

/// Why no destination of a chain took a notification: each of them with its failure.
pub(crate) struct Undelivered<'d>(pub(crate) Vec<(&'d str, Failure)>);

/// Delivers to the first destination of the chain that takes the event.
///
/// # Errors
/// Every destination's failure, where none took it.
pub(crate) async fn deliver<'d>(
    chain: impl ExactSizeIterator<Item = &'d Destination>,
    event: &Event<'_>,
) -> Result<(), Undelivered<'d>> {
    let mut failures = Vec::new();
    let mut left = chain.len();
    for destination in chain {
        left -= 1;
        let standing = if left == 0 { Standing::LastResort } else { Standing::HasFallback };
        let result = match destination.enter(event, standing).await {
            Ok(place) => destination.deliver(place, event, standing).await,
            Err(failure) => Err(failure),
        };
        match result {
            Ok(()) => return Ok(()),
            Err(failure) => failures.push((destination.name(), failure)),
        }
    }
    Err(Undelivered(failures))
}

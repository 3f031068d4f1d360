//! A destination and its fallbacks: the first that takes a notification is enough.

use super::destination::{Destination, Standing};
use super::route_progress::RouteState;
use crate::delivery_log::DeliveryContext;
use crate::event::Event;
use crate::failure::{Failure, FailureKind};

/// Why no destination of a chain took a notification: each of them with its failure.
pub(crate) struct Undelivered<'d> {
    pub(crate) failures: Vec<(&'d str, Failure)>,
    /// How far it came, and the queue that was too long.
    pub(crate) crowded: Option<(usize, RouteState)>,
}

impl Undelivered<'_> {
    /// Whether it ended early, because the record is somebody else's now.
    pub(crate) fn is_revoked(&self) -> bool {
        self.failures.iter().any(|(_, failure)| failure.kind == FailureKind::GivenUp)
    }
}

/// Delivers to the first destination of the chain that takes the event, from the place `from` on, unless one has it
/// already. `turn` says when to stop waiting.
///
/// # Errors
/// Every destination's failure, where none took it.
pub(crate) async fn deliver<'d>(
    chain: &[&'d Destination],
    from: usize,
    event: &Event<'_>,
    turn: &DeliveryContext<'_>,
) -> Result<(), Undelivered<'d>> {
    if chain.iter().any(|destination| turn.has_delivered(destination.name())) {
        return Ok(());
    }
    let mut failures = Vec::new();
    for (place, &destination) in chain.iter().enumerate().skip(from) {
        if destination.has_had_its_attempts(turn) {
            failures.push((destination.name(), Failure::refused("all attempts failed before")));
            continue;
        }
        let standing = if place + 1 == chain.len() { Standing::LastResort } else { Standing::HasFallback };
        let result = match destination.enter(event, standing, turn).await {
            Ok(entered) => destination.deliver(entered, event, standing, turn).await,
            Err(failure) => Err(failure),
        };
        let Err(failure) = result else { return Ok(()) };
        if let FailureKind::Crowded { queue } = failure.kind {
            // Those that were passed over are asked again when it is read again.
            let tried = failures.iter().rposition(|(_, failure): &(_, Failure)| failure.attempts > 0);
            let stage = RouteState::At(tried.map_or(from, |tried| from + tried + 1));
            return Err(Undelivered { failures, crowded: Some((queue, stage)) });
        }
        let is_over = failure.kind == FailureKind::GivenUp;
        failures.push((destination.name(), failure));
        if is_over {
            break;
        }
    }
    Err(Undelivered { failures, crowded: None })
}

//! A destination and its fallbacks: the first that takes a notification is enough.

use super::destination::{Destination, Standing};
use crate::deliveries::Turn;
use crate::event::Event;
use crate::failure::{Failure, FailureKind};

/// Why no destination of a chain took a notification: each of them with its failure.
pub(crate) struct Undelivered<'d>(pub(crate) Vec<(&'d str, Failure)>);

impl Undelivered<'_> {
    /// Whether it ended early, because the record is somebody else's now.
    pub(crate) fn is_given_up(&self) -> bool {
        self.0.iter().any(|(_, failure)| failure.kind == FailureKind::GivenUp)
    }
}

/// Delivers to the first destination of the chain that takes the event, unless one has it already. `turn` says when
/// to stop waiting.
///
/// # Errors
/// Every destination's failure, where none took it.
pub(crate) async fn deliver<'d>(
    chain: &[&'d Destination],
    event: &Event<'_>,
    turn: &Turn<'_>,
) -> Result<(), Undelivered<'d>> {
    if chain.iter().any(|destination| turn.has_delivered(destination.name())) {
        return Ok(());
    }
    let mut failures = Vec::new();
    let mut left = chain.len();
    for &destination in chain {
        left -= 1;
        let standing = if left == 0 { Standing::LastResort } else { Standing::HasFallback };
        let result = match destination.enter(event, standing, turn).await {
            Ok(place) => destination.deliver(place, event, standing, turn).await,
            Err(failure) => Err(failure),
        };
        let Err(failure) = result else { return Ok(()) };
        let is_over = failure.kind == FailureKind::GivenUp;
        failures.push((destination.name(), failure));
        if is_over {
            break;
        }
    }
    Err(Undelivered(failures))
}

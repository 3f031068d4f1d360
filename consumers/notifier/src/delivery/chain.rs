//! A destination and its fallbacks: the first that takes a notification is enough.

use super::shared::SharedDeliveries;
use crate::delivery_log::DeliveryContext;
use crate::event::Event;
use crate::failure::FailureKind;

/// Why no destination of a chain took a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// Every one of them failed.
    Failed,
    /// Too many wait for one of them, in this queue.
    Crowded {
        /// The destination's queue.
        queue: usize,
    },
    /// It ended early, because the record is somebody else's now.
    GivenUp,
}

/// Delivers to the first destination of the chain that takes the event, unless one has it already. `turn` says when to
/// stop waiting.
///
/// # Errors
/// Why none took it.
pub(crate) async fn deliver(
    chain: &[usize],
    shared: &SharedDeliveries<'_>,
    event: &Event<'_>,
    turn: &DeliveryContext<'_>,
) -> Result<(), Undelivered> {
    let deliveries = shared.of(chain);
    if deliveries.clone().any(|delivery| delivery.has_ended_its_chain(turn)) {
        return Ok(());
    }
    for delivery in deliveries {
        let Err(failure) = delivery.result(event, turn).await else { return Ok(()) };
        match failure.kind {
            FailureKind::Crowded { queue } => return Err(Undelivered::Crowded { queue }),
            FailureKind::GivenUp => return Err(Undelivered::GivenUp),
            _ => {}
        }
    }
    Err(Undelivered::Failed)
}

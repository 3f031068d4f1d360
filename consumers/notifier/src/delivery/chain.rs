//! A fallback chain: a destination and its fallbacks. The first delivery is enough.

use super::shared::SharedDeliveries;
use crate::delivery_log::DeliveryContext;
use crate::event::Event;
use crate::failure::FailureKind;

/// Why no destination of a chain took a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// Every destination failed.
    Failed,
    /// A destination's queue is full: the notification is deferred.
    Deferred {
        /// The destination's queue.
        queue: usize,
    },
    /// The record's partition was revoked.
    Revoked,
}

/// Delivers to the first destination of the chain that takes the event, unless one has it already. `context` ends
/// waiting when the record's partition is revoked.
///
/// # Errors
/// Why no destination took it.
pub(crate) async fn deliver(
    chain: &[usize],
    shared: &SharedDeliveries<'_>,
    event: &Event<'_>,
    context: &DeliveryContext<'_>,
) -> Result<(), Undelivered> {
    let deliveries = shared.of(chain);
    if deliveries.clone().any(|delivery| delivery.completes_its_chain(context)) {
        return Ok(());
    }
    for delivery in deliveries {
        let Err(failure) = delivery.result(event, context).await else { return Ok(()) };
        match failure.kind {
            FailureKind::Deferred { queue } => return Err(Undelivered::Deferred { queue }),
            FailureKind::Revoked => return Err(Undelivered::Revoked),
            _ => {}
        }
    }
    Err(Undelivered::Failed)
}

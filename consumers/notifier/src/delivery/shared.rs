//! Shared deliveries: a notification is sent to each destination once, and all chains that contain the destination see
//! the same result.

use tokio::sync::OnceCell;

use super::delivery_progress::{DeliveryProgress, DeliveryState};
use super::destination::{Destination, Fallback};
use crate::delivery_log::DeliveryContext;
use crate::event::Event;
use crate::failure::{Failure, FailureKind};

/// The deliveries of one notification, one for each destination.
pub(crate) struct SharedDeliveries<'d>(Vec<SharedDelivery<'d>>);

/// The delivery to one destination. The first chain to reach it delivers; the others wait for the result.
pub(crate) struct SharedDelivery<'d> {
    destination: &'d Destination,
    /// The destination's index in the configuration.
    index: usize,
    /// [`Fallback::None`] where the destination is the last of any chain: then it gets all its attempts.
    fallback: Fallback,
    /// How many chains contain it.
    chains: usize,
    /// Its state when the notification was deferred.
    previous: DeliveryState,
    result: OnceCell<Result<(), Failure>>,
}

impl<'d> SharedDeliveries<'d> {
    /// The deliveries of these chains of destinations, with the progress of a deferred notification.
    pub(crate) fn new(destinations: &'d [Destination], chains: &[&[usize]], progress: DeliveryProgress) -> Self {
        let mut shared = Self(Vec::new());
        for chain in chains {
            for (position, &index) in chain.iter().enumerate() {
                let fallback = if position + 1 == chain.len() { Fallback::None } else { Fallback::Available };
                shared.add(destinations, index, fallback, progress);
            }
        }
        shared
    }

    fn add(&mut self, destinations: &'d [Destination], index: usize, fallback: Fallback, progress: DeliveryProgress) {
        if let Some(known) = self.0.iter_mut().find(|known| known.index == index) {
            known.chains += 1;
            if fallback == Fallback::None {
                known.fallback = fallback;
            }
        } else if let Some(destination) = destinations.get(index) {
            let previous = progress.get(self.0.len());
            self.0.push(SharedDelivery { destination, index, fallback, chains: 1, previous, result: OnceCell::new() });
        }
    }

    /// Whether the progress of all of them fits into a resume token.
    pub(crate) fn can_be_deferred(&self) -> bool {
        DeliveryProgress::fits(self.0.len())
    }

    /// The deliveries of a chain, in its order.
    pub(super) fn of<'s>(&'s self, chain: &'s [usize]) -> impl Iterator<Item = &'s SharedDelivery<'d>> + Clone {
        chain.iter().filter_map(|index| self.0.iter().find(|delivery| delivery.index == *index))
    }

    /// The progress to keep, where the `finished` chains need no further attempt.
    pub(crate) fn progress(&self, finished: &[&[usize]]) -> DeliveryProgress {
        let mut progress = DeliveryProgress::from_bits(0);
        for (position, delivery) in self.0.iter().enumerate() {
            let is_finished = finished.iter().any(|chain| chain.contains(&delivery.index));
            progress.set(position, state(delivery.previous, delivery.result.get(), is_finished));
        }
        progress
    }

    /// Whether any had failed before the notification was deferred.
    pub(crate) fn have_failed_before(&self) -> bool {
        self.0.iter().any(|delivery| delivery.previous == DeliveryState::Failed)
    }

    /// The failures since the record was last read, each with its destination.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&'d str, &Failure)> {
        let attempted = self.0.iter().filter(|delivery| delivery.previous != DeliveryState::Failed);
        attempted.filter_map(|delivery| Some((delivery.destination.name(), delivery.result.get()?.as_ref().err()?)))
    }
}

impl SharedDelivery<'_> {
    /// Whether its chain delivered to it before the record was read again. With several chains, the delivery may have
    /// been another chain's.
    pub(super) fn completes_its_chain(&self, context: &DeliveryContext<'_>) -> bool {
        self.chains == 1 && self.is_delivered(context)
    }

    /// Delivers, or waits for the chain that is already delivering.
    pub(super) async fn result(&self, event: &Event<'_>, context: &DeliveryContext<'_>) -> &Result<(), Failure> {
        self.result.get_or_init(|| self.deliver(event, context)).await
    }

    fn is_delivered(&self, context: &DeliveryContext<'_>) -> bool {
        self.previous == DeliveryState::Delivered || context.has_delivered(self.destination.name())
    }

    async fn deliver(&self, event: &Event<'_>, context: &DeliveryContext<'_>) -> Result<(), Failure> {
        let Self { destination, fallback, .. } = *self;
        if self.is_delivered(context) {
            return Ok(());
        }
        if self.previous == DeliveryState::Failed || destination.has_exhausted_attempts(context) {
            return Err(Failure::refused("all earlier attempts failed"));
        }
        let slot = destination.acquire_slot(event, fallback, context).await?;
        destination.deliver(slot, event, fallback, context).await
    }
}

/// The state of a delivery. One that was skipped without an attempt stays pending, unless its chain is finished.
fn state(previous: DeliveryState, result: Option<&Result<(), Failure>>, is_finished: bool) -> DeliveryState {
    match result {
        _ if previous != DeliveryState::Pending => previous,
        Some(Ok(())) => DeliveryState::Delivered,
        Some(Err(Failure { kind: FailureKind::Deferred { .. }, .. })) | None => DeliveryState::Pending,
        Some(Err(failure)) if failure.attempts > 0 || is_finished => DeliveryState::Failed,
        Some(Err(_)) => DeliveryState::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_notification_repeats_no_delivery_and_no_failure() {
        let attempted = Err(Failure { attempts: 5, ..Failure::unavailable("503") });
        let skipped = Err(Failure::circuit_open("503"));
        let deferred = Err(Failure::deferred(0));
        for (previous, result, is_finished, expected) in [
            (DeliveryState::Pending, Some(&Ok(())), false, DeliveryState::Delivered),
            (DeliveryState::Pending, Some(&attempted), false, DeliveryState::Failed),
            (DeliveryState::Pending, Some(&skipped), false, DeliveryState::Pending),
            (DeliveryState::Pending, Some(&skipped), true, DeliveryState::Failed),
            (DeliveryState::Pending, Some(&deferred), true, DeliveryState::Pending),
            (DeliveryState::Pending, None, true, DeliveryState::Pending),
            (DeliveryState::Delivered, None, false, DeliveryState::Delivered),
            (DeliveryState::Failed, Some(&skipped), false, DeliveryState::Failed),
        ] {
            assert_eq!(state(previous, result, is_finished), expected, "{previous:?} {result:?} {is_finished}");
        }
    }
}

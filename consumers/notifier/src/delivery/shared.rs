//! The delivery of a notification to a destination, which all routes and fallbacks that lead there share: it is sent
//! there once, and they all see the same result.

use tokio::sync::OnceCell;

use super::destination::{Destination, Standing};
use super::route_progress::{RouteProgress, RouteState};
use crate::delivery_log::DeliveryContext;
use crate::event::Event;
use crate::failure::{Failure, FailureKind};

/// The deliveries of one notification, a destination each.
pub(crate) struct SharedDeliveries<'d>(Vec<SharedDelivery<'d>>);

/// The delivery to one destination. Whoever comes to it first delivers, and the others wait for the result.
pub(crate) struct SharedDelivery<'d> {
    destination: &'d Destination,
    /// Its place in the configuration.
    place: usize,
    /// What is left of the chain that has least left: a destination that is any chain's last gets all its attempts.
    standing: Standing,
    /// How many chains it stands on.
    chains: usize,
    /// What came of it before the notification was postponed.
    before: RouteState,
    result: OnceCell<Result<(), Failure>>,
}

impl<'d> SharedDeliveries<'d> {
    /// Those of a notification for these chains of destinations that came so far.
    pub(crate) fn new(destinations: &'d [Destination], chains: &[&[usize]], stages: RouteProgress) -> Self {
        let mut shared = Self(Vec::new());
        for chain in chains {
            for (index, &place) in chain.iter().enumerate() {
                let standing = if index + 1 == chain.len() { Standing::LastResort } else { Standing::HasFallback };
                shared.add(destinations, place, standing, stages);
            }
        }
        shared
    }

    fn add(&mut self, destinations: &'d [Destination], place: usize, standing: Standing, stages: RouteProgress) {
        if let Some(known) = self.0.iter_mut().find(|known| known.place == place) {
            known.chains += 1;
            if standing == Standing::LastResort {
                known.standing = standing;
            }
        } else if let Some(destination) = destinations.get(place) {
            let before = stages.get(self.0.len());
            self.0.push(SharedDelivery { destination, place, standing, chains: 1, before, result: OnceCell::new() });
        }
    }

    /// Whether it can be told of all of them how far they have come.
    pub(crate) fn can_be_postponed(&self) -> bool {
        RouteProgress::fit(self.0.len())
    }

    /// Those of a chain, in its order.
    pub(super) fn of<'s>(&'s self, chain: &'s [usize]) -> impl Iterator<Item = &'s SharedDelivery<'d>> + Clone {
        chain.iter().filter_map(|place| self.0.iter().find(|delivery| delivery.place == *place))
    }

    /// How far they have come, where these chains need no other turn.
    pub(crate) fn stages(&self, ended: &[&[usize]]) -> RouteProgress {
        let mut stages = RouteProgress::from_bits(0);
        for (index, delivery) in self.0.iter().enumerate() {
            let has_ended = ended.iter().any(|chain| chain.contains(&delivery.place));
            stages.set(index, stage(delivery.before, delivery.result.get(), has_ended));
        }
        stages
    }

    /// Whether any had failed before the notification was postponed.
    pub(crate) fn have_failed_before(&self) -> bool {
        self.0.iter().any(|delivery| delivery.before == RouteState::Failed)
    }

    /// The failures of this turn, each with its destination.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&'d str, &Failure)> {
        let tried = self.0.iter().filter(|delivery| delivery.before != RouteState::Failed);
        tried.filter_map(|delivery| Some((delivery.destination.name(), delivery.result.get()?.as_ref().err()?)))
    }
}

impl SharedDelivery<'_> {
    /// Whether its chain has delivered by it in an earlier turn. Where others lead there too, it may have been theirs.
    pub(super) fn has_ended_its_chain(&self, turn: &DeliveryContext<'_>) -> bool {
        self.chains == 1 && self.is_delivered(turn)
    }

    /// Delivers, or waits for the route that does so already.
    pub(super) async fn result(&self, event: &Event<'_>, turn: &DeliveryContext<'_>) -> &Result<(), Failure> {
        self.result.get_or_init(|| self.deliver(event, turn)).await
    }

    fn is_delivered(&self, turn: &DeliveryContext<'_>) -> bool {
        self.before == RouteState::Delivered || turn.has_delivered(self.destination.name())
    }

    async fn deliver(&self, event: &Event<'_>, turn: &DeliveryContext<'_>) -> Result<(), Failure> {
        let Self { destination, standing, .. } = *self;
        if self.is_delivered(turn) {
            return Ok(());
        }
        if self.before == RouteState::Failed || destination.has_had_its_attempts(turn) {
            return Err(Failure::refused("all attempts failed before"));
        }
        let place = destination.enter(event, standing, turn).await?;
        destination.deliver(place, event, standing, turn).await
    }
}

/// How far a delivery has come. One that was passed over is asked again, unless its chain has ended without it.
fn stage(before: RouteState, result: Option<&Result<(), Failure>>, has_ended: bool) -> RouteState {
    match result {
        _ if before != RouteState::Pending => before,
        Some(Ok(())) => RouteState::Delivered,
        Some(Err(Failure { kind: FailureKind::Crowded { .. }, .. })) | None => RouteState::Pending,
        Some(Err(failure)) if failure.attempts > 0 || has_ended => RouteState::Failed,
        Some(Err(_)) => RouteState::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_turn_repeats_no_delivery_and_no_failure() {
        let tried = Err(Failure { attempts: 5, ..Failure::unavailable("503") });
        let passed_over = Err(Failure::circuit_open("503"));
        let crowded = Err(Failure::crowded(0));
        for (before, result, has_ended, after) in [
            (RouteState::Pending, Some(&Ok(())), false, RouteState::Delivered),
            (RouteState::Pending, Some(&tried), false, RouteState::Failed),
            (RouteState::Pending, Some(&passed_over), false, RouteState::Pending),
            (RouteState::Pending, Some(&passed_over), true, RouteState::Failed),
            (RouteState::Pending, Some(&crowded), true, RouteState::Pending),
            (RouteState::Pending, None, true, RouteState::Pending),
            (RouteState::Delivered, None, false, RouteState::Delivered),
            (RouteState::Failed, Some(&passed_over), false, RouteState::Failed),
        ] {
            assert_eq!(stage(before, result, has_ended), after, "{before:?} {result:?} {has_ended}");
        }
    }
}

//! How far a notification has come on each of its routes, in the 64 bits that are kept of it while it is postponed. Pure.

/// Four bits for each route, the first one's lowest.
const BITS: usize = 4;

/// Every destination of the chain has failed.
const FAILED: u64 = 14;

/// One of them has taken it.
const DELIVERED: u64 = 15;

/// See the module's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RouteProgress(u64);

/// How far it has come on one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteState {
    /// This many destinations of the chain, the first ones, have failed.
    At(usize),
    /// All have.
    Failed,
    /// It was delivered.
    Delivered,
}

impl RouteProgress {
    /// Whether there is room for this many routes with chains no longer than this.
    pub(crate) fn fit(routes: usize, longest_chain: usize) -> bool {
        routes <= u64::BITS as usize / BITS && longest_chain < 14
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn get(self, route: usize) -> RouteState {
        match self.0.checked_shr(shift(route)).unwrap_or(0) & 0xf {
            DELIVERED => RouteState::Delivered,
            FAILED => RouteState::Failed,
            failed => RouteState::At(usize::try_from(failed).unwrap_or(0)),
        }
    }

    /// Sets the stage of a route that [fits](Self::fit).
    pub(crate) fn set(&mut self, route: usize, stage: RouteState) {
        let bits = match stage {
            RouteState::Delivered => DELIVERED,
            RouteState::Failed => FAILED,
            RouteState::At(failed) => u64::try_from(failed).map_or(0, |failed| failed & 0xf),
        };
        self.0 &= !0xf_u64.checked_shl(shift(route)).unwrap_or(0);
        self.0 |= bits.checked_shl(shift(route)).unwrap_or(0);
    }
}

fn shift(route: usize) -> u32 {
    u32::try_from(route * BITS).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_notification_that_is_new_stands_at_every_beginning() {
        assert!((0..20).all(|route| RouteProgress::from_bits(0).get(route) == RouteState::At(0)));
        assert!(RouteProgress::fit(16, 13) && !RouteProgress::fit(17, 1) && !RouteProgress::fit(1, 14));
    }

    proptest! {
        #[test]
        fn each_route_keeps_its_own_stage(steps in prop::collection::vec((0usize..16, 0usize..16), 0..40)) {
            let (mut stages, mut model) = (RouteProgress::from_bits(0), [RouteState::At(0); 16]);
            for (route, stage) in steps {
                let stage = match stage {
                    15 => RouteState::Delivered,
                    14 => RouteState::Failed,
                    failed => RouteState::At(failed),
                };
                stages.set(route, stage);
                model[route] = stage;
                let read = RouteProgress::from_bits(stages.bits());
                prop_assert!((0..16).all(|route| read.get(route) == model[route]));
            }
        }
    }
}

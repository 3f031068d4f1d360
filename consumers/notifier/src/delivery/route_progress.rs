//! How far a notification has come at each of its destinations, in the 64 bits that are kept of it while it is postponed.
//! Pure.

/// Two bits for each destination, the first one's lowest.
const BITS: usize = 2;

/// The destination has failed.
const FAILED: u64 = 2;

/// It has taken the notification.
const DELIVERED: u64 = 3;

/// See the module's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RouteProgress(u64);

/// How far it has come at one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteState {
    /// It was not tried, or may be tried again.
    Pending,
    /// It has failed.
    Failed,
    /// It was delivered.
    Delivered,
}

impl RouteProgress {
    /// Whether there is room for this many destinations.
    pub(crate) fn fit(destinations: usize) -> bool {
        destinations <= u64::BITS as usize / BITS
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn get(self, destination: usize) -> RouteState {
        match self.0.checked_shr(shift(destination)).unwrap_or(0) & 0b11 {
            DELIVERED => RouteState::Delivered,
            FAILED => RouteState::Failed,
            _ => RouteState::Pending,
        }
    }

    /// Sets the stage of a destination that [fits](Self::fit).
    pub(crate) fn set(&mut self, destination: usize, stage: RouteState) {
        let bits = match stage {
            RouteState::Delivered => DELIVERED,
            RouteState::Failed => FAILED,
            RouteState::Pending => 0,
        };
        self.0 &= !0b11_u64.checked_shl(shift(destination)).unwrap_or(0);
        self.0 |= bits.checked_shl(shift(destination)).unwrap_or(0);
    }
}

fn shift(destination: usize) -> u32 {
    u32::try_from(destination * BITS).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_notification_that_is_new_stands_at_every_beginning() {
        assert!((0..40).all(|destination| RouteProgress::from_bits(0).get(destination) == RouteState::Pending));
        assert!(RouteProgress::fit(32) && !RouteProgress::fit(33));
    }

    proptest! {
        #[test]
        fn each_destination_keeps_its_own_stage(steps in prop::collection::vec((0usize..32, 0usize..3), 0..80)) {
            let (mut stages, mut model) = (RouteProgress::from_bits(0), [RouteState::Pending; 32]);
            for (destination, stage) in steps {
                let stage = [RouteState::Pending, RouteState::Failed, RouteState::Delivered][stage];
                stages.set(destination, stage);
                model[destination] = stage;
                let read = RouteProgress::from_bits(stages.bits());
                prop_assert!((0..32).all(|destination| read.get(destination) == model[destination]));
            }
        }
    }
}

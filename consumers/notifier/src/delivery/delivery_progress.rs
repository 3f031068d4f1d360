//! Progress of a notification by destination, packed into the 64-bit resume token that is kept of a deferred record.
//! Pure.

/// Bits of one destination's state. The first destination has the lowest bits.
const BITS: usize = 2;

/// All attempts at the destination failed.
const FAILED: u64 = 2;

/// The destination took the notification.
const DELIVERED: u64 = 3;

/// The state of each destination of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeliveryProgress(u64);

/// The state of the delivery to one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryState {
    /// Not attempted, or to be attempted again.
    Pending,
    /// Failed.
    Failed,
    /// Delivered.
    Delivered,
}

impl DeliveryProgress {
    /// Whether the token has room for this many destinations.
    pub(crate) fn fits(destinations: usize) -> bool {
        destinations <= u64::BITS as usize / BITS
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn get(self, destination: usize) -> DeliveryState {
        match self.0.checked_shr(shift(destination)).unwrap_or(0) & 0b11 {
            DELIVERED => DeliveryState::Delivered,
            FAILED => DeliveryState::Failed,
            _ => DeliveryState::Pending,
        }
    }

    /// Sets the state of a destination that [fits](Self::fits).
    pub(crate) fn set(&mut self, destination: usize, state: DeliveryState) {
        let bits = match state {
            DeliveryState::Delivered => DELIVERED,
            DeliveryState::Failed => FAILED,
            DeliveryState::Pending => 0,
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
    fn a_new_notification_is_pending_at_every_destination() {
        assert!((0..40).all(|destination| DeliveryProgress::from_bits(0).get(destination) == DeliveryState::Pending));
        assert!(DeliveryProgress::fits(32) && !DeliveryProgress::fits(33));
    }

    proptest! {
        #[test]
        fn each_destination_keeps_its_own_state(steps in prop::collection::vec((0usize..32, 0usize..3), 0..80)) {
            let (mut progress, mut model) = (DeliveryProgress::from_bits(0), [DeliveryState::Pending; 32]);
            for (destination, state) in steps {
                let state = [DeliveryState::Pending, DeliveryState::Failed, DeliveryState::Delivered][state];
                progress.set(destination, state);
                model[destination] = state;
                let read = DeliveryProgress::from_bits(progress.bits());
                prop_assert!((0..32).all(|destination| read.get(destination) == model[destination]));
            }
        }
    }
}

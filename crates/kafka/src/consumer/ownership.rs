//! On which partitions work may begin, for those who work on their records.
//!
//! When a partition leaves, what has begun is finished; what only waits is left to its next owner. Whatever is done out
//! of turn by then is [told](super::partitions::Partitions::offsets) to it.

use tokio::sync::watch;

use super::partitions::Lease;

/// The epoch in which each slot's partition is owned; `None` where it is not, or leaves.
#[derive(Debug, Clone, Default)]
pub(super) struct Owned(pub(super) Vec<Option<u32>>);

impl Owned {
    /// Whether the record's partition is owned, in the epoch in which it was taken.
    pub(super) fn holds(&self, lease: Lease) -> bool {
        self.0.get(lease.slot) == Some(&Some(lease.epoch))
    }
}

/// See the module's text. The engine and those who work on records share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Ownership(watch::Sender<Owned>);

impl Ownership {
    /// Says what is owned from now on.
    pub(super) fn set(&self, owned: Owned) {
        self.0.send_replace(owned);
    }

    /// Whether a record is left to the next owner of its partition, unless work on it has begun.
    pub(super) fn is_given_up(&self, lease: Lease) -> bool {
        !self.0.borrow().holds(lease)
    }

    /// Waits for as long as the record's partition is owned.
    pub(super) async fn while_owned<W: Future>(&self, lease: Lease, wait: W) -> Option<W::Output> {
        let mut owned = self.0.subscribe();
        tokio::select! {
            biased;
            _ = owned.wait_for(|owned| !owned.holds(lease)) => None,
            output = wait => Some(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_wait_ends_when_its_partition_leaves_or_begins_another_epoch() {
        let lease = Lease { slot: 0, epoch: 1, offset: 7, bytes: 1 };
        let ownership = Ownership::default();
        for (epoch, given_up) in [(Some(1), false), (None, true), (Some(2), true)] {
            ownership.set(Owned(vec![epoch]));
            assert_eq!(ownership.is_given_up(lease), given_up);
            let wait = ownership.while_owned(lease, pending::<()>()).now_or_never();
            assert_eq!(wait == Some(None), given_up, "{epoch:?}");
        }
        ownership.set(Owned(vec![Some(1)]));
        assert_eq!(ownership.while_owned(lease, ready(5)).now_or_never(), Some(Some(5)));
    }
}

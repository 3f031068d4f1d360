//! The current assignment, published to the tasks that run.
//!
//! When a partition is revoked, what runs is finished; what waits is left to its next owner, which learns the completed
//! offsets from the [commit](crate::assignment::Assignment::offsets).

use tokio::sync::watch;

use crate::assignment::RecordHandle;

/// The epoch in which each slot's partition is assigned; `None` where it is not, or drains.
#[derive(Debug, Clone, Default)]
pub(crate) struct CurrentEpochs(pub(crate) Vec<Option<u32>>);

impl CurrentEpochs {
    /// Whether the record's partition is owned, in the epoch in which it was taken.
    pub(crate) fn holds(&self, handle: RecordHandle) -> bool {
        self.0.get(handle.slot) == Some(&Some(handle.epoch))
    }
}

/// Watches the assignment: the engine publishes it, tasks wait on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct AssignmentWatch(watch::Sender<CurrentEpochs>);

impl AssignmentWatch {
    /// Publishes what is assigned from now on.
    pub(crate) fn set(&self, epochs: CurrentEpochs) {
        self.0.send_replace(epochs);
    }

    /// Whether a record's partition was revoked: its next owner processes it, unless it runs already.
    pub(crate) fn is_revoked(&self, handle: RecordHandle) -> bool {
        !self.0.borrow().holds(handle)
    }

    /// Waits for `wait`, at most until the record's partition is revoked.
    pub(crate) async fn until_revoked<W: Future>(&self, handle: RecordHandle, wait: W) -> Option<W::Output> {
        let mut owned = self.0.subscribe();
        tokio::select! {
            biased;
            _ = owned.wait_for(|owned| !owned.holds(handle)) => None,
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
    fn a_wait_ends_when_its_partition_is_revoked() {
        let handle = RecordHandle { slot: 0, epoch: 1, offset: 7, bytes: 1 };
        let watch = AssignmentWatch::default();
        for (epoch, revoked) in [(Some(1), false), (None, true), (Some(2), true)] {
            watch.set(CurrentEpochs(vec![epoch]));
            assert_eq!(watch.is_revoked(handle), revoked);
            let wait = watch.until_revoked(handle, pending::<()>()).now_or_never();
            assert_eq!(wait == Some(None), revoked, "{epoch:?}");
        }
        watch.set(CurrentEpochs(vec![Some(1)]));
        assert_eq!(watch.until_revoked(handle, ready(5)).now_or_never(), Some(Some(5)));
    }
}

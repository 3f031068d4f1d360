//! What is still wanted of the records in flight, and which of them have done nothing yet.
//!
//! A partition that leaves is committed up to its first unfinished record; what stands after that is read again by its
//! next owner. So not everything that waits may be given up: a record that stands before one that is done, or is being
//! done, is finished too, or that one would be done again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::partitions::Lease;

/// Which records of a partition are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of them.
    All,
    /// Those below this offset: the partition leaves.
    Below(i64),
    /// None but those that cannot be stopped.
    Nothing,
}

/// Which records of a partition are wanted, and of which epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) epoch: u32,
    pub(super) wanted: Wanted,
}

/// Holds by the partition's slot.
#[derive(Debug, Clone, Default)]
pub(super) struct Holds(pub(super) Vec<Hold>);

impl Holds {
    /// Whether all of the record's partition is wanted.
    fn is_owned(&self, lease: Lease) -> bool {
        self.wanted(lease) == Wanted::All
    }

    /// Whether a record that has not begun is wanted.
    pub(super) fn is_needed(&self, lease: Lease) -> bool {
        match self.wanted(lease) {
            Wanted::All => true,
            Wanted::Below(end) => lease.offset < end,
            Wanted::Nothing => false,
        }
    }

    fn wanted(&self, lease: Lease) -> Wanted {
        let hold = self.0.get(lease.slot).filter(|hold| hold.epoch == lease.epoch);
        hold.map_or(Wanted::Nothing, |hold| hold.wanted)
    }
}

/// See the module's text. The engine and those who work on records share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Ownership {
    holds: watch::Sender<Holds>,
    /// Records that wait and can be given up without a trace.
    idle: Arc<Mutex<HashSet<Place>>>,
}

/// Slot, epoch and offset.
type Place = (usize, u32, i64);

fn place(lease: Lease) -> Place {
    (lease.slot, lease.epoch, lease.offset)
}

impl Ownership {
    /// Says what is wanted from now on.
    pub(super) fn set(&self, holds: Holds) {
        self.holds.send_replace(holds);
    }

    /// Offsets of a partition's records that wait and can be given up.
    pub(super) fn idle(&self, slot: usize) -> HashSet<i64> {
        self.lock().iter().filter(|place| place.0 == slot).map(|place| place.2).collect()
    }

    /// Whether a record need not be tried again.
    pub(super) fn is_given_up(&self, lease: Lease) -> bool {
        !self.holds.borrow().is_owned(lease)
    }

    /// A record does something that a repeat would do again.
    pub(super) fn begin(&self, lease: Lease) {
        self.lock().remove(&place(lease));
    }

    /// Waits for as long as all of the partition is wanted.
    pub(super) async fn while_owned<W: Future>(&self, lease: Lease, wait: W) -> Option<W::Output> {
        let _idle = self.idling(lease);
        self.until(wait, |holds| holds.is_owned(lease)).await
    }

    /// Waits for as long as the record is needed.
    pub(super) async fn while_needed<W: Future>(&self, lease: Lease, wait: W) -> Option<W::Output> {
        let _idle = self.idling(lease);
        self.until(wait, |holds| holds.is_needed(lease)).await
    }

    /// Waits with a record that has begun for as long as anything is wanted.
    pub(super) async fn to_the_end<W: Future>(&self, lease: Lease, wait: W) -> Option<W::Output> {
        self.until(wait, |holds| holds.wanted(lease) != Wanted::Nothing).await
    }

    async fn until<W: Future>(&self, wait: W, mut goes_on: impl FnMut(&Holds) -> bool) -> Option<W::Output> {
        let mut holds = self.holds.subscribe();
        tokio::select! {
            biased;
            _ = holds.wait_for(|holds| !goes_on(holds)) => None,
            output = wait => Some(output),
        }
    }

    fn idling(&self, lease: Lease) -> Idling<'_> {
        self.lock().insert(place(lease));
        Idling { ownership: self, place: place(lease) }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Place>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record that waits.
struct Idling<'o> {
    ownership: &'o Ownership,
    place: Place,
}

impl Drop for Idling<'_> {
    fn drop(&mut self) {
        self.ownership.lock().remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt as _;

    use super::*;

    fn lease(offset: i64) -> Lease {
        Lease { slot: 0, epoch: 1, offset, bytes: 1 }
    }

    fn holding(wanted: Wanted) -> Ownership {
        let ownership = Ownership::default();
        ownership.set(Holds(vec![Hold { epoch: 1, wanted }]));
        ownership
    }

    /// Whether a wait of this kind goes on.
    fn goes_on<T>(wait: impl Future<Output = Option<T>>) -> bool {
        !matches!(wait.now_or_never(), Some(None))
    }

    #[test]
    fn what_waits_goes_on_as_far_as_it_is_needed() {
        for (wanted, owned, needed, begun) in [
            (Wanted::All, true, true, true),
            (Wanted::Below(8), false, true, true),
            (Wanted::Below(7), false, false, true),
            (Wanted::Nothing, false, false, false),
        ] {
            let ownership = holding(wanted);
            assert_eq!(goes_on(ownership.while_owned(lease(7), pending::<()>())), owned, "{wanted:?}");
            assert_eq!(goes_on(ownership.while_needed(lease(7), pending::<()>())), needed, "{wanted:?}");
            assert_eq!(goes_on(ownership.to_the_end(lease(7), pending::<()>())), begun, "{wanted:?}");
        }
        let older = Lease { epoch: 0, ..lease(7) };
        assert!(!goes_on(holding(Wanted::All).to_the_end(older, pending::<()>())), "another epoch has begun");
    }

    #[test]
    fn a_record_is_idle_while_it_waits_unless_it_has_begun() {
        let ownership = holding(Wanted::All);
        assert_eq!(ownership.while_needed(lease(1), ready(5)).now_or_never(), Some(Some(5)));
        assert!(ownership.idle(0).is_empty());
        let mut waits = [7, 8].map(|offset| Box::pin(ownership.while_needed(lease(offset), pending::<()>())));
        for wait in &mut waits {
            assert_eq!(wait.now_or_never(), None);
        }
        assert_eq!(ownership.idle(0), HashSet::from([7, 8]));
        ownership.begin(lease(7));
        assert_eq!(ownership.idle(0), HashSet::from([8]));
        drop(waits);
        assert!(ownership.idle(0).is_empty());
    }
}

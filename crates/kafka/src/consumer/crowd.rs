//! Whether records that only wait should make room for others, for those who wait with them.
//!
//! What waits for a slow destination takes up places that others need. It may then be *postponed*: it leaves memory, and
//! is read again once there is room where it waits.

use std::collections::HashSet;

use tokio::sync::watch;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    is_asking: bool,
    /// Queues that records are postponed behind.
    queues: HashSet<usize>,
}

/// See the module's text. The engine, the lanes and those who work on records share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Crowd(watch::Sender<State>);

impl Crowd {
    /// Asks all that only wait to make room, or no longer does.
    pub(super) fn ask(&self, is_asking: bool) {
        self.0.send_if_modified(|state| std::mem::replace(&mut state.is_asking, is_asking) != is_asking);
    }

    /// Says whether records are postponed behind a queue.
    pub(super) fn set_postponed(&self, queue: usize, are_there_any: bool) {
        self.0.send_if_modified(|state| {
            if are_there_any {
                state.queues.insert(queue)
            } else {
                state.queues.remove(&queue)
            };
            // Nobody who waits already has to know.
            false
        });
    }

    /// Waits for `wait`, at most until room is to be made. `None` at once where others are postponed behind the queue,
    /// unless the record `was_postponed` itself: it does not overtake them.
    pub(super) async fn wait<W: Future>(&self, queue: usize, was_postponed: bool, wait: W) -> Option<W::Output> {
        if !was_postponed && self.0.borrow().queues.contains(&queue) {
            return None;
        }
        let mut state = self.0.subscribe();
        tokio::select! {
            biased;
            output = wait => Some(output),
            // The sender lives as long as `self`.
            _ = state.wait_for(|state| state.is_asking) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn what_waits_makes_room_when_it_is_asked_to_and_does_not_overtake_what_is_postponed() {
        let crowd = Crowd::default();
        let wait = |was_postponed| crowd.wait(3, was_postponed, pending::<()>()).now_or_never();
        assert_eq!(wait(false), None);
        crowd.ask(true);
        assert_eq!((wait(false), wait(true)), (Some(None), Some(None)));
        assert_eq!(crowd.wait(3, false, ready(7)).now_or_never(), Some(Some(7)));

        crowd.ask(false);
        crowd.set_postponed(3, true);
        assert_eq!((wait(false), wait(true)), (Some(None), None));
        assert_eq!(crowd.wait(4, false, ready(7)).now_or_never(), Some(Some(7)));
        crowd.set_postponed(3, false);
        assert_eq!(wait(false), None);
    }
}

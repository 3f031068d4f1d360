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

    /// Whether records are postponed behind a queue.
    pub(super) fn has_postponed(&self, queue: usize) -> bool {
        self.0.borrow().queues.contains(&queue)
    }

    /// Waits for `wait`, at most until room is to be made.
    pub(super) async fn wait<W: Future>(&self, wait: W) -> Option<W::Output> {
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
    fn what_waits_makes_room_when_it_is_asked_to() {
        let crowd = Crowd::default();
        let wait = || crowd.wait(pending::<()>()).now_or_never();
        assert_eq!(wait(), None);
        crowd.ask(true);
        assert_eq!(wait(), Some(None));
        assert_eq!(crowd.wait(ready(7)).now_or_never(), Some(Some(7)));
        crowd.ask(false);
        assert_eq!(wait(), None);
    }
}

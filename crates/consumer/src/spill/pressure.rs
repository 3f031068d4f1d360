//! Memory-pressure signal shared by the engine, the key queues and the processors.
//!
//! Records that wait for a slow destination take up memory that others need. Under pressure they are *spilled*: they leave
//! memory, and are read again once their destination has capacity.

use std::collections::HashSet;

use tokio::sync::watch;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    is_active: bool,
    /// Destination queues for which records are spilled.
    queues: HashSet<usize>,
}

/// Whether memory is under pressure, and for which destination queues records are spilled.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryPressure(watch::Sender<State>);

impl MemoryPressure {
    /// Begins or ends the pressure.
    pub(crate) fn set_active(&self, is_active: bool) {
        self.0.send_if_modified(|state| std::mem::replace(&mut state.is_active, is_active) != is_active);
    }

    /// Says whether records are spilled for a destination queue.
    pub(crate) fn set_spilled(&self, queue: usize, has_spilled: bool) {
        self.0.send_if_modified(|state| {
            if has_spilled {
                state.queues.insert(queue)
            } else {
                state.queues.remove(&queue)
            };
            // Those who wait already need not know.
            false
        });
    }

    /// Whether records are spilled for a destination queue.
    pub(crate) fn has_spilled(&self, queue: usize) -> bool {
        self.0.borrow().queues.contains(&queue)
    }

    /// Waits for `wait`, at most until memory is under pressure.
    pub(crate) async fn wait<W: Future>(&self, wait: W) -> Option<W::Output> {
        let mut state = self.0.subscribe();
        tokio::select! {
            biased;
            output = wait => Some(output),
            // The sender lives as long as `self`.
            _ = state.wait_for(|state| state.is_active) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_wait_ends_under_memory_pressure() {
        let pressure = MemoryPressure::default();
        let wait = || pressure.wait(pending::<()>()).now_or_never();
        assert_eq!(wait(), None);
        pressure.set_active(true);
        assert_eq!(wait(), Some(None));
        assert_eq!(pressure.wait(ready(7)).now_or_never(), Some(Some(7)));
        pressure.set_active(false);
        assert_eq!(wait(), None);
    }
}

//! Lets requests out when they are due.
//!
//! In an open loop a thread of its own releases each request at its time: the runtime's timers tick
//! in milliseconds, which would show in every latency. Released requests wait in line for a free
//! connection, without bound, and their waiting counts. In a closed loop a request is due when a
//! connection asks for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::schedule::Schedule;

/// The shortest sleep of the releasing thread: small beside any latency worth measuring, and at
/// most 5,000 wake-ups a second.
const SHORTEST_SLEEP: Duration = Duration::from_micros(200);

/// The longest sleep: how late an end of the run can be noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// A request that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScheduledRequest {
    pub(super) request: u64,
    pub(super) due: Instant,
}

/// Where connections wait for their next request.
#[derive(Debug)]
pub(super) struct Pacer {
    schedule: Schedule,
    start: Instant,
    /// Requests released and not yet taken.
    line: Semaphore,
    taken: AtomicU64,
    released: AtomicU64,
    closed: CancellationToken,
}

impl Pacer {
    /// A gate whose schedule begins at `start`.
    pub(super) fn new(schedule: Schedule, start: Instant) -> Self {
        Self {
            schedule,
            start,
            line: Semaphore::new(0),
            taken: AtomicU64::new(0),
            released: AtomicU64::new(0),
            closed: CancellationToken::new(),
        }
    }

    pub(super) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// When the schedule began.
    pub(super) fn start(&self) -> Instant {
        self.start
    }

    /// Closes the gate when the guard is dropped, so that releasing never outlives the run.
    pub(super) fn close_on_drop(&self) -> DropGuard {
        self.closed.clone().drop_guard()
    }

    /// Ends the schedule: nothing more becomes due. What already waits in line is still taken.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    /// The next request, as soon as one is due; `None` when there will be no more.
    pub(super) async fn pass(&self) -> Option<ScheduledRequest> {
        if !self.schedule.is_open_loop() {
            return self.pass_at_once();
        }
        tokio::select! {
            biased;
            permit = self.line.acquire() => permit.ok()?.forget(),
            () = self.closed.cancelled() => return None,
        }
        Some(self.take())
    }

    fn pass_at_once(&self) -> Option<ScheduledRequest> {
        if self.closed.is_cancelled() {
            return None;
        }
        let request = self.taken.fetch_add(1, Ordering::Relaxed);
        let all = self.schedule.requests().unwrap_or(u64::MAX);
        (request < all).then(|| ScheduledRequest { request, due: Instant::now() })
    }

    fn take(&self) -> ScheduledRequest {
        let request = self.taken.fetch_add(1, Ordering::Relaxed);
        ScheduledRequest { request, due: self.start + self.schedule.due(request) }
    }

    /// Requests that were due and that no connection took. To be asked when connections are done.
    pub(super) fn left_in_line(&self) -> Vec<ScheduledRequest> {
        let waiting = self.line.available_permits();
        (0..waiting).map(|_| self.take()).collect()
    }

    /// Releases requests as they become due, until the schedule's end or [`close`](Self::close).
    /// Blocks: it belongs on a thread of its own. Does nothing in a closed loop.
    pub(super) fn release(&self) {
        if !self.schedule.is_open_loop() {
            return;
        }
        let all = self.schedule.requests().unwrap_or(u64::MAX);
        while !self.closed.is_cancelled() {
            let released = self.release_due(self.start.elapsed());
            if released >= all {
                self.close();
                return;
            }
            let next = self.schedule.due(released);
            let wait = next.saturating_sub(self.start.elapsed());
            std::thread::sleep(wait.clamp(SHORTEST_SLEEP, LONGEST_SLEEP));
        }
    }

    /// Releases what is due once `elapsed` has passed; returns how many were released in all.
    fn release_due(&self, elapsed: Duration) -> u64 {
        let due = self.schedule.due_by(elapsed);
        let new = due.saturating_sub(self.released.swap(due, Ordering::Relaxed));
        self.line.add_permits(usize::try_from(new).unwrap_or(0));
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn gate(rate: u32, count: u64) -> Pacer {
        let schedule = Schedule::new(rate, NonZeroU32::MIN, Some(count), None);
        Pacer::new(schedule, Instant::now())
    }

    #[tokio::test]
    async fn requests_pass_in_order_with_the_time_they_were_due() {
        let gate = gate(1_000, 10);
        assert_eq!(gate.release_due(Duration::from_millis(2)), 3);
        for request in 0..3 {
            let ticket = gate.pass().await.expect("a request is due");
            assert_eq!(ticket.request, request);
            assert_eq!(ticket.due, gate.start + Duration::from_millis(request));
        }
    }

    #[tokio::test]
    async fn a_closed_gate_still_lets_through_what_was_in_line() {
        let gate = gate(1_000, 10);
        gate.release_due(Duration::from_millis(1));
        gate.close();
        assert!(gate.pass().await.is_some());
        assert!(gate.pass().await.is_some());
        assert_eq!(gate.pass().await, None);
    }

    #[tokio::test]
    async fn what_nobody_took_is_found_in_line() {
        let gate = gate(1_000, 10);
        gate.release_due(Duration::from_millis(4));
        gate.pass().await.expect("a request is due");
        let left: Vec<_> = gate.left_in_line().iter().map(|ticket| ticket.request).collect();
        assert_eq!(left, [1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn a_closed_loop_lets_through_as_many_as_the_run_has() {
        let gate = gate(0, 2);
        assert!(gate.pass().await.is_some());
        assert!(gate.pass().await.is_some());
        assert_eq!(gate.pass().await, None);
    }

    #[tokio::test]
    async fn releasing_ends_with_the_schedule() {
        let gate = std::sync::Arc::new(gate(100_000, 50));
        let releasing = tokio::task::spawn_blocking({
            let gate = gate.clone();
            move || gate.release()
        });
        for request in 0..50 {
            assert_eq!(gate.pass().await.map(|ticket| ticket.request), Some(request));
        }
        assert_eq!(gate.pass().await, None);
        releasing.await.expect("releasing does not panic");
    }
}

//! Releases requests when they are due.
//!
//! In an open loop a separate thread releases each request at its time: the runtime's timers tick in milliseconds,
//! which would show in every latency. Released requests queue for a free connection, without bound, and the queueing
//! counts as latency. In a closed loop a request is due when a connection asks for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::schedule::Schedule;

/// Shortest sleep of the releasing thread: small compared to any latency worth measuring, and at most 5,000 wake-ups a
/// second.
const MIN_SLEEP_INTERVAL: Duration = Duration::from_micros(200);

/// Longest sleep: how late the end of the run may be noticed.
const MAX_SLEEP_INTERVAL: Duration = Duration::from_millis(50);

/// A request that is due, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScheduledRequest {
    pub(super) request: u64,
    pub(super) due: Instant,
}

/// Gives connections their next request when it is due.
#[derive(Debug)]
pub(super) struct Pacer {
    schedule: Schedule,
    start: Instant,
    /// One permit for each request released and not yet taken.
    queued: Semaphore,
    taken: AtomicU64,
    released: AtomicU64,
    closed: CancellationToken,
}

impl Pacer {
    /// A pacer whose schedule starts at `start`.
    pub(super) fn new(schedule: Schedule, start: Instant) -> Self {
        Self {
            schedule,
            start,
            queued: Semaphore::new(0),
            taken: AtomicU64::new(0),
            released: AtomicU64::new(0),
            closed: CancellationToken::new(),
        }
    }

    pub(super) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// When the schedule started.
    pub(super) fn start(&self) -> Instant {
        self.start
    }

    /// Closes the pacer when the guard is dropped, so that the releasing thread never outlives the run.
    pub(super) fn close_on_drop(&self) -> DropGuard {
        self.closed.clone().drop_guard()
    }

    /// Ends the schedule: no more requests become due. Queued requests can still be taken.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    /// The next request, as soon as one is due; `None` when there will be no more.
    pub(super) async fn next(&self) -> Option<ScheduledRequest> {
        if !self.schedule.is_open_loop() {
            return self.next_in_closed_loop();
        }
        tokio::select! {
            biased;
            permit = self.queued.acquire() => permit.ok()?.forget(),
            () = self.closed.cancelled() => return None,
        }
        Some(self.take())
    }

    fn next_in_closed_loop(&self) -> Option<ScheduledRequest> {
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

    /// Takes the queued requests that no connection took. Called when the connections are done.
    pub(super) fn take_unsent(&self) -> Vec<ScheduledRequest> {
        let waiting = self.queued.available_permits();
        (0..waiting).map(|_| self.take()).collect()
    }

    /// Releases requests as they become due, until the schedule's end or [`close`](Self::close).
    /// Blocking: runs on its own thread. Does nothing in a closed loop.
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
            std::thread::sleep(wait.clamp(MIN_SLEEP_INTERVAL, MAX_SLEEP_INTERVAL));
        }
    }

    /// Releases the requests due by `elapsed`; returns how many were released in total.
    fn release_due(&self, elapsed: Duration) -> u64 {
        let due = self.schedule.due_by(elapsed);
        let new = due.saturating_sub(self.released.swap(due, Ordering::Relaxed));
        self.queued.add_permits(usize::try_from(new).unwrap_or(0));
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn pacer(rate: u32, count: u64) -> Pacer {
        let schedule = Schedule::new(rate, NonZeroU32::MIN, Some(count), None);
        Pacer::new(schedule, Instant::now())
    }

    #[tokio::test]
    async fn requests_are_released_in_order_with_their_due_times() {
        let pacer = pacer(1_000, 10);
        assert_eq!(pacer.release_due(Duration::from_millis(2)), 3);
        for request in 0..3 {
            let scheduled = pacer.next().await.expect("a request is due");
            assert_eq!(scheduled.request, request);
            assert_eq!(scheduled.due, pacer.start + Duration::from_millis(request));
        }
    }

    #[tokio::test]
    async fn a_closed_pacer_still_gives_out_queued_requests() {
        let pacer = pacer(1_000, 10);
        pacer.release_due(Duration::from_millis(1));
        pacer.close();
        assert!(pacer.next().await.is_some());
        assert!(pacer.next().await.is_some());
        assert_eq!(pacer.next().await, None);
    }

    #[tokio::test]
    async fn queued_requests_that_were_not_taken_are_returned() {
        let pacer = pacer(1_000, 10);
        pacer.release_due(Duration::from_millis(4));
        pacer.next().await.expect("a request is due");
        let left: Vec<_> = pacer.take_unsent().iter().map(|scheduled| scheduled.request).collect();
        assert_eq!(left, [1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn a_closed_loop_gives_out_as_many_requests_as_the_run_has() {
        let pacer = pacer(0, 2);
        assert!(pacer.next().await.is_some());
        assert!(pacer.next().await.is_some());
        assert_eq!(pacer.next().await, None);
    }

    #[tokio::test]
    async fn releasing_ends_with_the_schedule() {
        let pacer = std::sync::Arc::new(pacer(100_000, 50));
        let releasing = tokio::task::spawn_blocking({
            let pacer = pacer.clone();
            move || pacer.release()
        });
        for request in 0..50 {
            assert_eq!(pacer.next().await.map(|scheduled| scheduled.request), Some(request));
        }
        assert_eq!(pacer.next().await, None);
        releasing.await.expect("releasing does not panic");
    }
}

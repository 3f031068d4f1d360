//! Time-outs of a connection: one for the idle time before a request and one for its head.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::{Instant, Sleep, sleep};

/// Time-outs of a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// From a response to the first byte of the next request.
    pub(super) idle: Duration,
    /// From that byte to the end of the request's head.
    pub(super) head: Duration,
}

/// Phase of a connection: reading from the client, or processing a request. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct ConnectionPhase(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Counts phases; in even ones the server waits for the client.
    number: AtomicU64,
    /// The reader to wake for the next client phase. hyper reads ahead while a request is processed, and does not poll
    /// again after the response: without a wake-up the idle time-out would never start.
    waiting: AtomicWaker,
}

/// Guard of a request being processed; the next client phase begins when it is dropped.
#[derive(Debug)]
pub(super) struct ServerPhase(ConnectionPhase);

impl ConnectionPhase {
    /// A request was received.
    pub(super) fn begin_request(&self) -> ServerPhase {
        self.next();
        ServerPhase(self.clone())
    }

    fn next(&self) {
        self.0.number.fetch_add(1, Ordering::AcqRel);
    }

    /// The number of the phase. The client's are even.
    fn number(&self) -> u64 {
        self.0.number.load(Ordering::Acquire)
    }
}

impl Drop for ServerPhase {
    fn drop(&mut self) {
        self.0.next();
        self.0.0.waiting.wake();
    }
}

/// The time-out that runs while the server waits for the client.
#[derive(Debug)]
pub(super) struct Wait {
    timeouts: Timeouts,
    phase: ConnectionPhase,
    /// The phase that the timer runs for, and whether the client has sent bytes in it.
    running: Option<(u64, bool)>,
    timer: Pin<Box<Sleep>>,
}

impl Wait {
    pub(super) fn new(timeouts: Timeouts, phase: ConnectionPhase) -> Self {
        Self { timeouts, phase, running: None, timer: Box::pin(sleep(timeouts.idle)) }
    }

    /// Bytes were received: in a client phase they belong to a request head.
    pub(super) fn on_bytes(&mut self) {
        let phase = self.phase.number();
        if is_client_phase(phase) && self.running != Some((phase, true)) {
            self.restart((phase, true), self.timeouts.head);
        }
    }

    /// Ready when the client has timed out. Called while no bytes are available.
    pub(super) fn poll_timed_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.phase.0.waiting.register(cx.waker());
        let phase = self.phase.number();
        if !is_client_phase(phase) {
            return Poll::Pending;
        }
        if self.running.is_none_or(|(running, _)| running != phase) {
            self.restart((phase, false), self.timeouts.idle);
        }
        self.timer.as_mut().poll(cx)
    }

    /// Ready when the time of the last [`Self::restart_for`] has passed.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().poll(cx)
    }

    /// Restarts the timer, for closing from now on.
    pub(super) fn restart_for(&mut self, time: Duration) {
        self.timer.as_mut().reset(Instant::now() + time);
    }

    fn restart(&mut self, running: (u64, bool), time: Duration) {
        self.running = Some(running);
        self.restart_for(time);
    }
}

fn is_client_phase(phase: u64) -> bool {
    phase.is_multiple_of(2)
}

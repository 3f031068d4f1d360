//! How long a connection may keep the server waiting: the time before a request and that for its head are two.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::{Instant, Sleep, sleep};

/// Limits on what a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// From an answer to the first byte of the next request.
    pub(super) idle: Duration,
    /// From that byte to the end of the request's head.
    pub(super) head: Duration,
}

/// Whose turn it is on a connection: the client's, or the server's while it answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    number: AtomicU64,
    /// Who waits for the client's next turn. hyper reads ahead while a request is answered, and not again after the
    /// answer: without a call the time for an idle client would never begin.
    waiting: AtomicWaker,
}

/// The server's turn, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn(Turns);

impl Turns {
    /// A request has come.
    pub(super) fn begin(&self) -> Turn {
        self.next();
        Turn(self.clone())
    }

    fn next(&self) {
        self.0.number.fetch_add(1, Ordering::AcqRel);
    }

    /// The number of the turn. The client's are even.
    fn number(&self) -> u64 {
        self.0.number.load(Ordering::Acquire)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.next();
        self.0.0.waiting.wake();
    }
}

/// The wait for a client.
#[derive(Debug)]
pub(super) struct Wait {
    timeouts: Timeouts,
    turns: Turns,
    /// The turn that the timer runs for, and whether the client has said something in it.
    running: Option<(u64, bool)>,
    timer: Pin<Box<Sleep>>,
}

impl Wait {
    pub(super) fn new(timeouts: Timeouts, turns: Turns) -> Self {
        Self { timeouts, turns, running: None, timer: Box::pin(sleep(timeouts.idle)) }
    }

    /// The client has sent bytes: of a head, where it is its turn.
    pub(super) fn heard(&mut self) {
        let turn = self.turns.number();
        if is_clients(turn) && self.running != Some((turn, true)) {
            self.restart((turn, true), self.timeouts.head);
        }
    }

    /// Whether the client, which is silent now, has kept the server waiting for too long.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.turns.0.waiting.register(cx.waker());
        let turn = self.turns.number();
        if !is_clients(turn) {
            return Poll::Pending;
        }
        if self.running.is_none_or(|(running, _)| running != turn) {
            self.restart((turn, false), self.timeouts.idle);
        }
        self.timer.as_mut().poll(cx)
    }

    /// Whether `time` has passed since the last [`Self::restart_for`].
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().poll(cx)
    }

    /// Uses the timer for something else from now on.
    pub(super) fn restart_for(&mut self, time: Duration) {
        self.timer.as_mut().reset(Instant::now() + time);
    }

    fn restart(&mut self, running: (u64, bool), time: Duration) {
        self.running = Some(running);
        self.restart_for(time);
    }
}

fn is_clients(turn: u64) -> bool {
    turn.is_multiple_of(2)
}

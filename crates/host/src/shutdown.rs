//! Shutdown: the first signal drains, the second one exits at once.

use std::future::pending;
use std::process;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a process may take to finish what is in flight: below the 30 s after which a container's host kills it.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// How long after the first signal a process exits without having drained: later than [`DRAIN_TIMEOUT`], and within the 30 s
/// of a container's host.
pub const EXIT_TIMEOUT: Duration = Duration::from_secs(28);

/// Handles SIGINT, SIGTERM and SIGHUP (sent when a terminal is closed), and returns the token that the first of them
/// cancels. An ignored SIGHUP (`nohup`) stays ignored.
///
/// A second signal exits at once, with 128 plus its number as exit code. Needs a Tokio runtime, and fails when the
/// signal handlers cannot be installed.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut signals = Signals {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
        hangup: if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) },
    };
    let cancelled = token.clone();
    tokio::spawn(async move {
        let first = signals.next().await;
        tracing::info!(signal = first.name, "draining; a second signal exits at once");
        cancelled.cancel();
        let second = signals.next().await;
        tracing::warn!(signal = second.name, "exiting at once, without draining");
        process::exit(second.exit_code);
    });
    Ok(token)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

struct Received {
    name: &'static str,
    /// 128 plus the signal's number, as in shells.
    exit_code: i32,
}

impl Signals {
    async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.interrupt.recv() => Received { name: "SIGINT", exit_code: 130 },
            _ = self.terminate.recv() => Received { name: "SIGTERM", exit_code: 143 },
            () = recv(&mut self.hangup) => Received { name: "SIGHUP", exit_code: 129 },
        }
    }
}

async fn recv(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => pending().await,
    }
}

/// Whether the process was started with SIGHUP ignored. Known on Linux only (proc(5)); false elsewhere.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is signal 1, the lowest bit.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// The point in time by which the drain must have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// The deadline passed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed")]
pub struct DeadlinePassed;

impl Deadline {
    /// The deadline `limit` from now, usually [`DRAIN_TIMEOUT`].
    pub fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// Remaining time; zero once the deadline has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits for `work` until the deadline, then drops it.
    pub async fn limit<W: Future>(self, work: W) -> Result<W::Output, DeadlinePassed> {
        tokio::time::timeout_at(self.0, work).await.map_err(|_| DeadlinePassed)
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn a_deadline_returns_finished_work_and_drops_late_work() {
        assert_eq!(Deadline::after(DRAIN_TIMEOUT).limit(ready(7)).await, Ok(7));
        let passed = Deadline::after(Duration::ZERO);
        assert_eq!(passed.limit(pending::<()>()).await, Err(DeadlinePassed));
        assert_eq!(passed.remaining(), Duration::ZERO);
    }
}

//! Progress bar on stderr, if that is a terminal.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar};

use super::schedule::Schedule;
use super::stats::Stats;
use crate::progress_bar;

const REFRESH_INTERVAL: Duration = Duration::from_millis(100);

/// Progress bar of a run; cleared on drop.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    measure: Measure,
}

/// Unit of the bar's length.
#[derive(Clone, Copy, Debug)]
enum Measure {
    Events,
    Time,
}

impl Progress {
    /// A bar over the run's events, or over its duration when their number is unknown.
    pub(super) fn of(schedule: &Schedule) -> Self {
        let (length, measure) = match (schedule.events(), schedule.duration()) {
            (Some(events), _) => (Some(events), Measure::Events),
            (None, duration) => (duration.map(whole_millis), Measure::Time),
        };
        Self { bar: progress_bar::on_stderr(length), measure }
    }

    /// Updates the bar from `stats` for as long as it is polled.
    pub(super) async fn follow(&self, stats: &Mutex<Stats>) -> std::convert::Infallible {
        let start = Instant::now();
        let mut ticks = tokio::time::interval(REFRESH_INTERVAL);
        loop {
            ticks.tick().await;
            let (sent, failed) = {
                let stats = stats.lock().unwrap_or_else(PoisonError::into_inner);
                (stats.sent(), stats.failed())
            };
            self.bar.set_position(match self.measure {
                Measure::Events => sent,
                Measure::Time => whole_millis(start.elapsed()),
            });
            self.bar.set_message(format!("{} events, {} failed", HumanCount(sent), HumanCount(failed)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

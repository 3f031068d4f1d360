//! Progress bar on stderr, if that is a terminal.

use std::fmt;
use std::io::Write as _;

use indicatif::ProgressBar;

use crate::progress_bar;

/// Progress bar of a run; cleared on drop.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar over `offsets` offsets.
    pub(super) fn new(offsets: u64) -> Self {
        Self(progress_bar::on_stderr(Some(offsets)))
    }

    /// Sets the number of remaining offsets and of replayed dead letters.
    pub(super) fn update(&self, left: u64, replayed: u64) {
        self.0.set_position(self.0.length().unwrap_or(left).saturating_sub(left));
        self.0.set_message(format!("{replayed} replayed"));
    }

    /// Writes a line to stderr above the bar.
    pub(super) fn print(&self, line: impl fmt::Display) {
        self.0.suspend(|| drop(writeln!(std::io::stderr(), "{line}")));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

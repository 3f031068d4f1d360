//! The progress bar: on stderr, and only where that is a terminal.

use std::fmt;
use std::io::Write as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how far a run has come. Gone from the terminal when dropped.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar for a pass over so many offsets.
    pub(super) fn new(offsets: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(offsets), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{elapsed:>4} {wide_bar} {percent:>3}%  {msg}")
            .expect("the template is well formed");
        bar.set_style(style);
        Self(bar)
    }

    /// So many offsets are left, so many letters replayed.
    pub(super) fn update(&self, left: u64, replayed: u64) {
        self.0.set_position(self.0.length().unwrap_or(left).saturating_sub(left));
        self.0.set_message(format!("{replayed} replayed"));
    }

    /// Writes a line to stderr without spoiling the bar.
    pub(super) fn tell(&self, line: impl fmt::Display) {
        self.0.suspend(|| drop(writeln!(std::io::stderr(), "{line}")));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

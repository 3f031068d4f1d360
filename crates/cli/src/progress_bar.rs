//! The progress bar of long work: on stderr, if that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over `length` units of work; without a length, a bar of time passed.
pub(crate) fn on_stderr(length: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{elapsed:>4} {wide_bar} {percent:>3}%  {msg}")
        .expect("the template is well formed");
    bar.set_style(style);
    bar
}

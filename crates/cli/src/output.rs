//! Standard output that may be a pipe whose reader closes it.

use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How often to check a pipe without output.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Whether `error` is a broken pipe: the reader of stdout has closed it.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let causes = || error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes().any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Resolves when standard output is a pipe closed by its reader: without output no write would fail.
pub(crate) async fn reader_gone() {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    while !is_reader_gone() {
        ticks.tick().await;
    }
}

fn is_reader_gone() -> bool {
    let stdout = io::stdout();
    // Without requested events, `poll` reports errors only: for a pipe, that it has no reader.
    let mut state = [PollFd::new(&stdout, PollFlags::empty())];
    let polled = poll(&mut state, Some(&Timespec::default()));
    polled.is_ok() && state[0].revents().contains(PollFlags::ERR)
}

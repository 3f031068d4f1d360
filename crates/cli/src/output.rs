//! Standard output that may be a pipe, and whose reader may have had enough.

use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How often a quiet pipe is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Whether `error` says that whoever read our output has gone.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let causes = || error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes().any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Resolves when standard output is a pipe whose reader has gone: without a line to write nothing else would tell.
pub(crate) async fn reader_gone() {
    let mut looks = tokio::time::interval(POLL_INTERVAL);
    while !is_reader_gone() {
        looks.tick().await;
    }
}

fn is_reader_gone() -> bool {
    let stdout = io::stdout();
    // Asked for nothing, `poll` tells of errors only: for a pipe, that it has no reader.
    let mut state = [PollFd::new(&stdout, PollFlags::empty())];
    let answer = poll(&mut state, Some(&Timespec::default()));
    answer.is_ok() && state[0].revents().contains(PollFlags::ERR)
}

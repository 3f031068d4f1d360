//! Lines from standard input.

use std::io::BufRead as _;

use tokio::sync::mpsc;

/// How many lines are read ahead: whoever writes into the pipe waits then.
const AHEAD: usize = 100;

/// The lines of standard input, as they come; the channel closes at its end.
///
/// A thread reads them: no other way waits for a terminal without being in the way of everything else, and it may well
/// be waiting when the process ends.
pub(super) fn lines() -> mpsc::Receiver<std::io::Result<String>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

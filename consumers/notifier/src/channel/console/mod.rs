//! The console: one line on stdout for each notification.
//!
//! A thread writes, because stdout may block. It writes whole batches, so that lines never interleave: an idle console
//! writes at once, under load the lines since the last write share one. A notification is delivered when its line is
//! written.

mod line;

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use self::line::Style;
use crate::event::Event;
use crate::failure::Failure;

/// The least time between two writes.
const WRITE_INTERVAL: Duration = Duration::from_micros(500);

/// The most lines that wait to be written.
const QUEUE_LIMIT: usize = 4_096;

/// The channel for stdout.
pub(crate) struct Console {
    lines: mpsc::Sender<Line>,
    style: Style,
}

struct Line {
    text: String,
    /// Receives the result of the write; the error is stdout's.
    written: oneshot::Sender<Result<(), String>>,
}

impl Console {
    /// The console on stdout: coloured on a terminal, unless `NO_COLOR` is set.
    pub(super) fn stdout() -> io::Result<Self> {
        let stdout = io::stdout();
        let colours = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self::new(stdout, if colours { Style::Coloured } else { Style::Plain })
    }

    fn new(out: impl Write + Send + 'static, style: Style) -> io::Result<Self> {
        let (lines, queue) = mpsc::channel(QUEUE_LIMIT);
        thread::Builder::new().name("console".to_owned()).spawn(move || write_all(queue, out))?;
        Ok(Self { lines, style })
    }

    pub(super) async fn send(&self, event: &Event<'_>) -> Result<(), Failure> {
        let closed = || Failure::unavailable("the console thread has ended");
        let (written, outcome) = oneshot::channel();
        let line = Line { text: line::format(event, self.style), written };
        self.lines.send(line).await.map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?.map_err(Failure::unavailable)
    }
}

/// Writes lines until all senders are dropped.
fn write_all(mut queue: mpsc::Receiver<Line>, mut out: impl Write) {
    let mut last_write: Option<Instant> = None;
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, QUEUE_LIMIT) > 0 {
        let pause = last_write.map_or(Duration::ZERO, |last| WRITE_INTERVAL.saturating_sub(last.elapsed()));
        if !pause.is_zero() {
            thread::sleep(pause);
            while batch.len() < QUEUE_LIMIT
                && let Ok(line) = queue.try_recv()
            {
                batch.push(line);
            }
        }
        let text: String = batch.iter().map(|line| line.text.as_str()).collect();
        let result =
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| format!("stdout: {error}"));
        last_write = Some(Instant::now());
        for line in batch.drain(..) {
            // The receiver may be dropped: its delivery was cancelled.
            let _ = line.written.send(result.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::future::join_all;

    use super::*;
    use crate::event::tests::EXAMPLE;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn lines_are_whole_and_share_writes_under_load() {
        let written = Written::default();
        let console = Console::new(written.clone(), Style::Plain).unwrap();
        let ids: Vec<String> = (0..2_000).map(|number| format!("id-{number}")).collect();

        let sent = join_all(ids.iter().map(|id| {
            let console = &console;
            async move { console.send(&Event { id, ..EXAMPLE }).await }
        }));
        assert!(sent.await.iter().all(Result::is_ok));

        let writes = written.0.lock().unwrap().clone();
        assert!(writes.iter().all(|write| write.ends_with(b"\n")), "a write ends in the middle of a line");
        let text = String::from_utf8(writes.concat()).unwrap();
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let mut expected: Vec<String> =
            ids.iter().map(|id| line::format(&Event { id, ..EXAMPLE }, Style::Plain)).collect();
        lines.sort_unstable();
        expected.sort_unstable();
        assert_eq!(lines, expected);
        assert!(writes.len() < 500, "{} writes", writes.len());
    }

    #[tokio::test]
    async fn a_notification_is_not_delivered_when_stdout_is_closed() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let console = Console::new(Closed, Style::Plain).unwrap();
        let failure = console.send(&EXAMPLE).await.unwrap_err();
        assert!(failure.is_transient() && failure.reason.contains("broken pipe"), "{failure}");
    }
}

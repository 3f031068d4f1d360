//! Line editor for a terminal, with history; output is printed above the line being typed.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::AutoStream;
use rustix::termios::{OptionalActions, OutputModes, tcgetattr, tcsetattr};
use rustyline_async::{Readline, ReadlineError, ReadlineEvent, SharedWriter};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::input::READ_AHEAD_LIMIT;
use super::line::{self, Line};

const PROMPT: &str = "order> ";

/// Whether stdin and stdout are a terminal that can move its cursor.
pub(super) fn is_terminal() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb
}

/// A terminal in raw mode under the editor; [`close`](Self::close) restores it.
#[derive(Debug)]
pub(super) struct Terminal {
    messages: UnboundedSender<String>,
    editing: JoinHandle<()>,
}

impl Terminal {
    /// Starts to read lines; Ctrl-C cancels `shutdown`.
    pub(super) fn open(shutdown: &CancellationToken) -> io::Result<(Self, mpsc::Receiver<io::Result<Line>>)> {
        let (readline, writer) = Readline::new(PROMPT.to_owned()).map_err(into_io)?;
        restore_output_processing()?;
        let (messages, to_print) = mpsc::unbounded_channel();
        let (sender, lines) = mpsc::channel(READ_AHEAD_LIMIT);
        let editor = Editor { readline, writer, is_over: false };
        let editing = tokio::spawn(editor.run(to_print, sender, shutdown.clone()));
        Ok((Self { messages, editing }, lines))
    }

    /// Prints whole lines above the one being typed.
    pub(super) fn print(&self, styled: &str) {
        let mut text = AutoStream::new(Vec::new(), AutoStream::choice(&io::stdout()));
        // Writing to a vector cannot fail, and the editor's task outlives this.
        let _ = text.write_all(styled.as_bytes());
        let _ = self.messages.send(String::from_utf8_lossy(&text.into_inner()).into_owned());
    }

    /// Waits until everything is printed, and restores the terminal.
    pub(super) async fn close(self) {
        drop(self.messages);
        let _ = self.editing.await;
    }
}

struct Editor {
    readline: Readline,
    writer: SharedWriter,
    /// Whether input has ended (`exit` or Ctrl-D). Later input is ignored.
    is_over: bool,
}

impl Editor {
    /// Reads lines and prints messages until the message channel closes.
    async fn run(
        mut self,
        mut messages: UnboundedReceiver<String>,
        lines: mpsc::Sender<io::Result<Line>>,
        shutdown: CancellationToken,
    ) {
        let failed = loop {
            tokio::select! {
                event = self.readline.readline() => match event.map_err(into_io).and_then(|event| self.take(event)) {
                    Ok(Some(line)) => {
                        // Without a receiver the command is about to end.
                        let _ = lines.send(Ok(line)).await;
                    }
                    Ok(None) => shutdown.cancel(),
                    Err(error) => break Some(error),
                },
                message = messages.recv() => match message.map(|message| self.print(&message)) {
                    Some(Ok(())) => {}
                    Some(Err(error)) => break Some(error),
                    None => break None,
                },
            }
        };
        // Removes the prompt: the shell prints its own there.
        let _ = self.readline.flush();
        drop(self.readline);
        if let Some(error) = failed {
            let _ = lines.send(Err(error)).await;
        }
    }

    /// The line of an event; `None` for Ctrl-C.
    fn take(&mut self, event: ReadlineEvent) -> io::Result<Option<Line>> {
        let line = match event {
            ReadlineEvent::Interrupted => return Ok(None),
            ReadlineEvent::Line(_) | ReadlineEvent::Eof if self.is_over => Line::Blank,
            ReadlineEvent::Eof => Line::End,
            ReadlineEvent::Line(text) => {
                let line = line::read(&text);
                if !text.trim().is_empty() {
                    self.readline.add_history_entry(text);
                }
                line
            }
        };
        if line == Line::End {
            self.is_over = true;
            self.readline.update_prompt("").map_err(into_io)?;
        }
        Ok(Some(line))
    }

    fn print(&mut self, message: &str) -> io::Result<()> {
        self.writer.write_all(message.as_bytes())
    }
}

/// Restores the newline translation that the editor's raw mode turns off: log lines on stderr need it.
fn restore_output_processing() -> io::Result<()> {
    let mut mode = tcgetattr(io::stdin())?;
    mode.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    Ok(tcsetattr(io::stdin(), OptionalActions::Now, &mode)?)
}

fn into_io(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::IO(error) => error,
        error @ ReadlineError::Closed => io::Error::other(error),
    }
}

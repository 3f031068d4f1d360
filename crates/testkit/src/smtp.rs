//! An SMTP server that records mails, with scripted refusals.
//!
//! The part of RFC 5321 that a client without TLS or authentication needs: EHLO, HELO, MAIL, RCPT, DATA, RSET, NOOP,
//! QUIT.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The steps of a session at which a server may refuse.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// The connection was made.
    Connect,
    /// `MAIL FROM`.
    Mail,
    /// `RCPT TO`.
    Rcpt,
    /// `DATA`, before the content.
    Data,
    /// The end of the content.
    End,
}

/// A mail that was accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mail {
    /// When it was accepted.
    pub at: Instant,
    /// The client's name in EHLO or HELO.
    pub hello: String,
    /// The envelope's sender, without the brackets.
    pub from: String,
    /// The envelope's recipients, without the brackets.
    pub to: Vec<String>,
    /// Headers, blank line and body as sent, without dot-stuffing.
    pub content: Vec<u8>,
}

/// A server on a port of its own; dropping it ends it and its open sessions.
#[derive(Debug)]
pub struct SmtpSink {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<Mail>,
    refusals: Vec<Refusal>,
}

#[derive(Debug)]
struct Refusal {
    moment: Moment,
    reply: String,
    /// `None`: unlimited.
    times: Option<usize>,
}

impl State {
    fn refusal(&mut self, moment: Moment) -> Option<String> {
        let refusal = self.refusals.iter_mut().find(|refusal| refusal.moment == moment && refusal.times != Some(0))?;
        refusal.times = refusal.times.map(|times| times - 1);
        Some(refusal.reply.clone())
    }
}

impl SmtpSink {
    /// Starts it on 127.0.0.1. It accepts everything until [`refuse`](Self::refuse).
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::default();
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { address, state, server })
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses at this step `times` times (`None`: until [`accept`](Self::accept)), with a reply such as
    /// `451 4.3.0 try again later`.
    pub fn refuse(&self, moment: Moment, reply: &str, times: Option<usize>) {
        self.state().refusals.push(Refusal { moment, reply: reply.to_owned(), times });
    }

    /// Accepts everything again.
    pub fn accept(&self) {
        self.state().refusals.clear();
    }

    /// The mails accepted so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.state().mails.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut sessions = JoinSet::new();
    loop {
        // An error means that the client closed the connection before it was accepted.
        let Ok((stream, _)) = listener.accept().await else { continue };
        while sessions.try_join_next().is_some() {}
        let session =
            Session { stream: BufStream::new(stream), state: Arc::clone(&state), hello: String::new(), envelope: None };
        // An error means that the client disconnected.
        sessions.spawn(session.run());
    }
}

struct Session {
    stream: BufStream<TcpStream>,
    state: Arc<Mutex<State>>,
    hello: String,
    envelope: Option<Envelope>,
}

#[derive(Default)]
struct Envelope {
    from: String,
    to: Vec<String>,
}

impl Session {
    async fn run(mut self) -> io::Result<()> {
        if let Some(refusal) = self.refusal(Moment::Connect) {
            return self.reply(&refusal).await;
        }
        self.reply("220 sink ESMTP").await?;
        while let Some(line) = self.line().await? {
            let line = String::from_utf8_lossy(&line).into_owned();
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    argument.clone_into(&mut self.hello);
                    self.reply("250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8").await?;
                }
                "HELO" => {
                    argument.clone_into(&mut self.hello);
                    self.reply("250 OK").await?;
                }
                "NOOP" => self.reply("250 OK").await?,
                "RSET" => {
                    self.envelope = None;
                    self.reply("250 OK").await?;
                }
                "MAIL" => self.mail(argument).await?,
                "RCPT" => self.rcpt(argument).await?,
                "DATA" => self.data().await?,
                "QUIT" => return self.reply("221 bye").await,
                _ => self.reply("502 5.5.1 command not implemented").await?,
            }
        }
        Ok(())
    }

    async fn mail(&mut self, argument: &str) -> io::Result<()> {
        if let Some(refusal) = self.refusal(Moment::Mail) {
            return self.reply(&refusal).await;
        }
        let Some(from) = address(argument, "FROM:") else { return self.reply("501 5.5.4 wrong argument").await };
        self.envelope = Some(Envelope { from, to: Vec::new() });
        self.reply("250 OK").await
    }

    async fn rcpt(&mut self, argument: &str) -> io::Result<()> {
        if let Some(refusal) = self.refusal(Moment::Rcpt) {
            return self.reply(&refusal).await;
        }
        let Some(to) = address(argument, "TO:") else { return self.reply("501 5.5.4 wrong argument").await };
        let Some(envelope) = &mut self.envelope else { return self.reply("503 5.5.1 MAIL first").await };
        envelope.to.push(to);
        self.reply("250 OK").await
    }

    async fn data(&mut self) -> io::Result<()> {
        if let Some(refusal) = self.refusal(Moment::Data) {
            return self.reply(&refusal).await;
        }
        let Some(envelope) = self.envelope.take_if(|envelope| !envelope.to.is_empty()) else {
            return self.reply("503 5.5.1 RCPT first").await;
        };
        self.reply("354 start mail input, end with a dot").await?;
        let mut content = Vec::new();
        loop {
            let Some(line) = self.line().await? else { return Ok(()) };
            if line == b"." {
                break;
            }
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            content.extend_from_slice(b"\r\n");
        }
        if let Some(refusal) = self.refusal(Moment::End) {
            return self.reply(&refusal).await;
        }
        let Envelope { from, to } = envelope;
        let hello = self.hello.clone();
        lock(&self.state).mails.push(Mail { at: Instant::now(), hello, from, to, content });
        self.reply("250 OK").await
    }

    fn refusal(&self, moment: Moment) -> Option<String> {
        lock(&self.state).refusal(moment)
    }

    /// A line without its line ending; `None` at the end of the connection.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        line.truncate(end);
        Ok(Some(line))
    }

    async fn reply(&mut self, reply: &str) -> io::Result<()> {
        self.stream.write_all(reply.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await?;
        self.stream.flush().await
    }
}

/// The address in `FROM:<ann@example.org> BODY=8BITMIME`; may be empty, as in a bounce.
fn address(argument: &str, keyword: &str) -> Option<String> {
    let start = argument.get(..keyword.len())?;
    let rest = argument.get(keyword.len()..)?.trim_start();
    let (address, _) = rest.strip_prefix('<')?.split_once('>')?;
    start.eq_ignore_ascii_case(keyword).then(|| address.to_owned())
}

//! A connection as hyper sees it: to hyper, a client that keeps the server waiting for too long has hung up.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::refusal;
use super::timeouts::{Timeouts, Turns, Wait};

/// How long a client whose request was refused may go on sending it. To close before would reset the connection, and
/// the client might never see the answer.
const LINGER: Duration = Duration::from_secs(5);

/// A stream with limits on the client's time, and problems in the place of hyper's own answers.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    wait: Wait,
    end: End,
}

/// How far the end of a connection is, where hyper has refused a head.
#[derive(Debug)]
enum End {
    /// It has not.
    Open,
    /// The answer, and how much of it is written.
    Answering(Vec<u8>, usize),
    /// The server's side is shut down.
    Lingering,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S, timeouts: Timeouts, turns: Turns) -> Self {
        Self { stream, wait: Wait::new(timeouts, turns), end: End::Open }
    }
}

impl<S: AsyncRead + Unpin> Connection<S> {
    /// Reads what still comes and forgets it, until the client has ended or its time is over.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut forgotten = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut forgotten);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.wait.poll_timer(cx),
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if read.is_pending() {
            return this.wait.poll_over(cx).map(Ok);
        }
        if buffer.filled().len() > before {
            this.wait.heard();
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let End::Open = this.end
            && let Some(answer) = refusal::in_place_of(bytes)
        {
            this.end = End::Answering(answer, 0);
        }
        let End::Answering(answer, written) = &mut this.end else {
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        };
        while let Some(rest) = answer.get(*written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut this.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let End::Open | End::Answering(..) = this.end {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if let End::Open = this.end {
                return Poll::Ready(Ok(()));
            }
            this.end = End::Lingering;
            this.wait.restart_for(LINGER);
        }
        this.poll_linger(cx).map(Ok)
    }
}

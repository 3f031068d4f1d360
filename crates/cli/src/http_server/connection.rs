//! The stream given to hyper: a client that times out looks to hyper like one that closed the connection.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::refusal;
use super::timeouts::{ConnectionPhase, Timeouts, Wait};

/// How long a client may go on sending a rejected request. Closing earlier would reset the connection, and the client
/// might never see the response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// A stream with client time-outs, which replaces hyper's own error responses with problem documents.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    wait: Wait,
    close: CloseState,
}

/// Progress of closing a connection after hyper rejected a request head.
#[derive(Debug)]
enum CloseState {
    /// Not closing.
    Open,
    /// The response, and how many of its bytes are written.
    Responding(Vec<u8>, usize),
    /// The write side is shut down; remaining input is discarded.
    Lingering,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S, timeouts: Timeouts, phase: ConnectionPhase) -> Self {
        Self { stream, wait: Wait::new(timeouts, phase), close: CloseState::Open }
    }
}

impl<S: AsyncRead + Unpin> Connection<S> {
    /// Discards remaining input until the client closes or [`LINGER_TIMEOUT`] has passed.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut discarded = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut discarded);
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
            return this.wait.poll_timed_out(cx).map(Ok);
        }
        if buffer.filled().len() > before {
            this.wait.on_bytes();
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let CloseState::Open = this.close
            && let Some(response) = refusal::problem_response(bytes)
        {
            this.close = CloseState::Responding(response, 0);
        }
        let CloseState::Responding(response, written) = &mut this.close else {
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        };
        while let Some(rest) = response.get(*written..).filter(|rest| !rest.is_empty()) {
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
        if let CloseState::Open | CloseState::Responding(..) = this.close {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if let CloseState::Open = this.close {
                return Poll::Ready(Ok(()));
            }
            this.close = CloseState::Lingering;
            this.wait.restart_for(LINGER_TIMEOUT);
        }
        this.poll_linger(cx).map(Ok)
    }
}

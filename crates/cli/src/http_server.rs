//! HTTP/1.1 server on a listener, with time-outs for slow clients and a graceful stop.

mod connection;
mod refusal;
#[cfg(test)]
mod tests;
mod timeouts;
pub(crate) mod tls;

use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use clap::Args;
use http::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use millrace_access::PeerAddress;
use millrace_host::settings::duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::connection::Connection;
use self::timeouts::{ConnectionPhase, Timeouts};
use self::tls::Tls;

/// Time-out of a request's head, from its first byte to its end.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long requests in flight may take once the server stops: slightly above the edge's own time-out.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(16);

/// Back-off after a failed accept, as when file descriptors run out.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Settings of the HTTP server.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct HttpArgs {
    /// How long an idle connection is kept: longer than the load balancer in front keeps it, else requests fail with
    /// 502
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = idle_timeout)]
    idle_timeout: Duration,
}

fn idle_timeout(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than 0s".to_owned()),
        time => Ok(time),
    }
}

/// Serves until `shutdown`, then finishes the requests in flight. Without `tls`, connections are plain text.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    http: HttpArgs,
    tls: Option<Tls>,
    shutdown: CancellationToken,
) {
    let timeouts = Timeouts { idle: http.idle_timeout, head: HEAD_TIMEOUT };
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Responses are small and written at once: Nagle's algorithm would only delay them.
                let _ = stream.set_nodelay(true);
                let (router, watcher, peer) = (router.clone(), connections.watcher(), peer.ip());
                match &tls {
                    None => connect(stream, router, peer, timeouts, watcher),
                    Some(tls) => {
                        let handshake = shutdown.clone().run_until_cancelled_owned(tls.accept(stream));
                        tokio::spawn(async move {
                            match handshake.await {
                                Some(Ok(stream)) => connect(stream, router, peer, timeouts, watcher),
                                Some(Err(error)) => tracing::debug!(%error, %peer, "TLS handshake failed"),
                                // No request has begun.
                                None => {}
                            }
                        });
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed, retrying");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
    drop(listener);
    if timeout(DRAIN_TIMEOUT, connections.shutdown()).await.is_err() {
        tracing::warn!("drain timed out with requests still in flight");
    }
}

fn connect<S>(stream: S, router: Router, peer: IpAddr, timeouts: Timeouts, connections: Watcher)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let phase = ConnectionPhase::default();
    let router = TowerToHyperService::new(router);
    let io = TokioIo::new(Connection::new(stream, timeouts, phase.clone()));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let guard = phase.begin_request();
        request.extensions_mut().insert(PeerAddress(peer));
        let response = router.call(request);
        async move {
            let response = response.await;
            drop(guard);
            response
        }
    });
    // The connection keeps the time-outs: hyper has one for both the idle time and the head.
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(io, service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection closed with an error");
        }
    });
}

//! HTTP/1.1 on a listener, with the patience a server needs on an open port, and a graceful stop.

mod connection;
mod refusal;
#[cfg(test)]
mod tests;
mod timeouts;

use std::time::Duration;

use axum::Router;
use clap::Args;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use millrace_host::settings::duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::connection::Connection;
use self::timeouts::{Timeouts, Turns};

/// How long a client may take to send a request's head, from its first byte on.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long requests in flight may take once the server stops: a little above the edge's own limit.
const DRAIN: Duration = Duration::from_secs(16);

/// How long to wait after the system refused a connection, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the HTTP server treats its clients.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct HttpArgs {
    /// How long an idle connection is kept: longer than the load balancer in front keeps it, else requests fail with 502
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = idle_timeout)]
    idle_timeout: Duration,
}

fn idle_timeout(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than 0s".to_owned()),
        time => Ok(time),
    }
}

/// Serves until `shutdown`, then finishes the requests in flight.
pub(crate) async fn serve(listener: TcpListener, router: Router, http: HttpArgs, shutdown: CancellationToken) {
    let timeouts = Timeouts { idle: http.idle_timeout, head: HEAD_TIMEOUT };
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                // Answers are small and written whole: waiting to fill a packet only delays them.
                let _ = stream.set_nodelay(true);
                connect(stream, router.clone(), timeouts, &connections);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(DRAIN, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}

fn connect<S>(stream: S, router: Router, timeouts: Timeouts, connections: &GracefulShutdown)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let turns = Turns::default();
    let router = TowerToHyperService::new(router);
    let io = TokioIo::new(Connection::new(stream, timeouts, turns.clone()));
    let service = service_fn(move |request| {
        let turn = turns.begin();
        let answer = router.call(request);
        async move {
            let answer = answer.await;
            drop(turn);
            answer
        }
    });
    // Time is kept by the connection: hyper has one limit for a head and for the time before it.
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(io, service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}

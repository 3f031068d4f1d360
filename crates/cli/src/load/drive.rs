//! Runs the load: connections take requests from the pacer, send them and record the outcome.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::connection::{Connection, Endpoint};
use super::pacer::{Pacer, ScheduledRequest};
use super::request::Requests;
use super::response::{Failure, ResponseResult};
use super::schedule::Schedule;
use super::stats::Stats;

/// How long responses are awaited after the run was stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Back-off of a closed loop's connection after it failed, so as not to spin.
const RECONNECT_BACKOFF: Duration = Duration::from_millis(100);

/// A run, ready to start.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) endpoint: Endpoint,
    pub(super) requests: Requests,
    pub(super) schedule: Schedule,
    pub(super) connections: NonZeroUsize,
    /// Time-out of a request, from when it is sent.
    pub(super) timeout: Duration,
}

impl Run {
    /// Sends all requests and awaits the responses; returns how long that took.
    ///
    /// Connections are opened first. The schedule ends with its last request, or when `stop` is cancelled. Requests due
    /// by then are still sent: in a run bounded by time within one request time-out, in a stopped run within five
    /// seconds. Requests without a response after that are recorded as unanswered.
    pub(super) async fn drive(self, stats: Arc<Mutex<Stats>>, stop: &CancellationToken) -> anyhow::Result<Duration> {
        let endpoint = Arc::new(self.endpoint);
        let connections =
            (0..self.connections.get()).map(|_| opened(Connection::new(endpoint.clone()), self.timeout, stop));
        let connections = join_all(connections).await;

        let load = Arc::new(Load {
            pacer: Pacer::new(self.schedule, Instant::now()),
            requests: self.requests,
            timeout: self.timeout,
            stats,
            aborted: CancellationToken::new(),
        });
        let _closing = load.pacer.close_on_drop();
        let _ending = AbortOnDropHandle::new(tokio::spawn(load.clone().end(stop.clone())));
        let releasing = tokio::task::spawn_blocking({
            let load = load.clone();
            move || load.pacer.release()
        });

        let mut working = JoinSet::new();
        for connection in connections {
            working.spawn(load.clone().work(connection));
        }
        while let Some(ended) = working.join_next().await {
            ended.context("a connection's task failed")?;
        }
        let elapsed = load.pacer.start().elapsed();

        load.pacer.close();
        releasing.await.context("the pacer's thread failed")?;
        for scheduled in load.pacer.take_unsent() {
            load.record(scheduled, load.unanswered(scheduled));
        }
        Ok(elapsed)
    }
}

/// Opens the connection; a failure is reported by its first request.
async fn opened(mut connection: Connection, timeout: Duration, stop: &CancellationToken) -> Connection {
    tokio::select! {
        _ = tokio::time::timeout(timeout, connection.open()) => {}
        () = stop.cancelled() => {}
    }
    connection
}

/// State shared by the tasks of a run.
#[derive(Debug)]
struct Load {
    pacer: Pacer,
    requests: Requests,
    timeout: Duration,
    stats: Arc<Mutex<Stats>>,
    /// Cancelled when responses are no longer awaited.
    aborted: CancellationToken,
}

impl Load {
    /// Sends requests until there are no more.
    async fn work(self: Arc<Self>, mut connection: Connection) {
        let mut aborted = pin!(self.aborted.cancelled());
        loop {
            let scheduled = tokio::select! {
                biased;
                () = &mut aborted => return,
                scheduled = self.pacer.next() => scheduled,
            };
            let Some(scheduled) = scheduled else { return };
            tokio::select! {
                biased;
                outcome = self.exchange(scheduled, &mut connection) => {
                    let has_connection_error = outcome.failures.contains_key(&Failure::Connection);
                    self.record(scheduled, outcome);
                    if has_connection_error && !self.pacer.schedule().is_open_loop() {
                        sleep(RECONNECT_BACKOFF).await;
                    }
                }
                () = &mut aborted => return self.record(scheduled, self.unanswered(scheduled)),
            }
        }
    }

    async fn exchange(&self, scheduled: ScheduledRequest, connection: &mut Connection) -> ResponseResult {
        let events = self.pacer.schedule().events_of(scheduled.request);
        let count = events.end - events.start;
        let payload = self.requests.payload(events);
        match tokio::time::timeout(self.timeout, connection.exchange(&payload)).await {
            Ok(Ok(response)) => ResponseResult::of(&response, count),
            Ok(Err(error)) => ResponseResult::failed(count, Failure::Connection, Some(error.to_string())),
            Err(_) => ResponseResult::failed(count, Failure::Timeout, None),
        }
    }

    fn unanswered(&self, scheduled: ScheduledRequest) -> ResponseResult {
        let events = self.pacer.schedule().events_of(scheduled.request);
        ResponseResult::failed(events.end - events.start, Failure::Unanswered, None)
    }

    fn record(&self, scheduled: ScheduledRequest, outcome: ResponseResult) {
        let latency = scheduled.due.elapsed();
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.record(latency, outcome);
    }

    /// Aborts requests after the run's duration, if any, or after `stop` is cancelled, and the time-out that follows.
    async fn end(self: Arc<Self>, stop: CancellationToken) {
        let over = async {
            match self.pacer.schedule().duration() {
                Some(duration) => sleep_until((self.pacer.start() + duration).into()).await,
                None => std::future::pending().await,
            }
            // An open loop closes the pacer itself, after the last request that was due.
            if !self.pacer.schedule().is_open_loop() {
                self.pacer.close();
            }
            sleep(self.timeout).await;
        };
        let stopped = async {
            stop.cancelled().await;
            self.pacer.close();
            sleep(STOP_TIMEOUT).await;
        };
        tokio::select! {
            () = over => {}
            () = stopped => {}
        }
        self.aborted.cancel();
    }
}

//! Runs the load: connections take requests from the gate, exchange them, and record the outcome.

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

/// How long answers are awaited after the run was stopped.
const PATIENCE_WHEN_STOPPED: Duration = Duration::from_secs(5);

/// How long a connection of a closed loop rests when it could not be had, so as not to spin.
const RECONNECT_BACKOFF: Duration = Duration::from_millis(100);

/// A run, ready to start.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) peer: Endpoint,
    pub(super) requests: Requests,
    pub(super) schedule: Schedule,
    pub(super) connections: NonZeroUsize,
    /// How long one request may take from when it is sent.
    pub(super) timeout: Duration,
}

impl Run {
    /// Sends everything and awaits the answers; returns how long that took.
    ///
    /// Connections are opened first. The schedule ends with its last request, or when `stop` is
    /// cancelled. What was due by then is still sent: in a run bounded by time for as long as one
    /// request may take, in a stopped run for five seconds. What has no answer after that is
    /// recorded as unanswered.
    pub(super) async fn drive(self, tally: Arc<Mutex<Stats>>, stop: &CancellationToken) -> anyhow::Result<Duration> {
        let peer = Arc::new(self.peer);
        let connections =
            (0..self.connections.get()).map(|_| opened(Connection::new(peer.clone()), self.timeout, stop));
        let connections = join_all(connections).await;

        let load = Arc::new(Load {
            gate: Pacer::new(self.schedule, Instant::now()),
            requests: self.requests,
            timeout: self.timeout,
            tally,
            given_up: CancellationToken::new(),
        });
        let _closing = load.gate.close_on_drop();
        let _ending = AbortOnDropHandle::new(tokio::spawn(load.clone().end(stop.clone())));
        let releasing = tokio::task::spawn_blocking({
            let load = load.clone();
            move || load.gate.release()
        });

        let mut working = JoinSet::new();
        for connection in connections {
            working.spawn(load.clone().work(connection));
        }
        while let Some(ended) = working.join_next().await {
            ended.context("a connection's task failed")?;
        }
        let elapsed = load.gate.start().elapsed();

        load.gate.close();
        releasing.await.context("the thread that keeps the schedule failed")?;
        for ticket in load.gate.left_in_line() {
            load.record(ticket, load.unanswered(ticket));
        }
        Ok(elapsed)
    }
}

/// The connection, open unless that failed: its first request will tell why.
async fn opened(mut connection: Connection, timeout: Duration, stop: &CancellationToken) -> Connection {
    tokio::select! {
        _ = tokio::time::timeout(timeout, connection.open()) => {}
        () = stop.cancelled() => {}
    }
    connection
}

/// What the tasks of a run share.
#[derive(Debug)]
struct Load {
    gate: Pacer,
    requests: Requests,
    timeout: Duration,
    tally: Arc<Mutex<Stats>>,
    /// Cancelled when no answer is awaited any longer.
    given_up: CancellationToken,
}

impl Load {
    /// Takes requests until there are no more.
    async fn work(self: Arc<Self>, mut connection: Connection) {
        let mut given_up = pin!(self.given_up.cancelled());
        loop {
            let ticket = tokio::select! {
                biased;
                () = &mut given_up => return,
                ticket = self.gate.pass() => ticket,
            };
            let Some(ticket) = ticket else { return };
            tokio::select! {
                biased;
                verdict = self.exchange(ticket, &mut connection) => {
                    let refused = verdict.failures.contains_key(&Failure::Connection);
                    self.record(ticket, verdict);
                    if refused && !self.gate.schedule().is_open_loop() {
                        sleep(RECONNECT_BACKOFF).await;
                    }
                }
                () = &mut given_up => return self.record(ticket, self.unanswered(ticket)),
            }
        }
    }

    async fn exchange(&self, ticket: ScheduledRequest, connection: &mut Connection) -> ResponseResult {
        let events = self.gate.schedule().events_of(ticket.request);
        let count = events.end - events.start;
        let payload = self.requests.payload(events);
        match tokio::time::timeout(self.timeout, connection.exchange(&payload)).await {
            Ok(Ok(answer)) => ResponseResult::of(&answer, count),
            Ok(Err(broken)) => ResponseResult::failed(count, Failure::Connection, Some(broken.to_string())),
            Err(_) => ResponseResult::failed(count, Failure::Timeout, None),
        }
    }

    fn unanswered(&self, ticket: ScheduledRequest) -> ResponseResult {
        let events = self.gate.schedule().events_of(ticket.request);
        ResponseResult::failed(events.end - events.start, Failure::Unanswered, None)
    }

    fn record(&self, ticket: ScheduledRequest, verdict: ResponseResult) {
        let latency = ticket.due.elapsed();
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.record(latency, verdict);
    }

    /// Ends the run: at its time where it is bounded by time, or when `stop` is cancelled.
    async fn end(self: Arc<Self>, stop: CancellationToken) {
        let over = async {
            match self.gate.schedule().duration() {
                Some(duration) => sleep_until((self.gate.start() + duration).into()).await,
                None => std::future::pending().await,
            }
            // An open loop closes the gate itself, behind the last request that was due.
            if !self.gate.schedule().is_open_loop() {
                self.gate.close();
            }
            sleep(self.timeout).await;
        };
        let stopped = async {
            stop.cancelled().await;
            self.gate.close();
            sleep(PATIENCE_WHEN_STOPPED).await;
        };
        tokio::select! {
            () = over => {}
            () = stopped => {}
        }
        self.given_up.cancel();
    }
}

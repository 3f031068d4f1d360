//! Delivery reports, passed from librdkafka to the caller that sent the records.
//!
//! All records of one call share a [`Deliveries`]; the last report wakes the caller.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use millrace_domain::ErrorClass;
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError as RdKafkaError;
use rdkafka::message::Message as _;
use rdkafka::producer::{DeliveryResult, NoCustomPartitioner, ProducerContext};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::sent::{BrokerStats, PersistenceCheck, SentLog, Statistics};
use super::telemetry::ProducerMetrics;
use super::{Ack, ProduceError};
use crate::error::KafkaError;
use crate::ffi;
use crate::logging_context::{ASKS_FOR_TOKENS, LoggingContext};
use crate::settings::KafkaSettings;

type Report = Result<Ack, Undelivered>;

/// A record whose delivery failed.
#[derive(Debug, Clone)]
pub(super) struct Undelivered {
    pub(super) error: ProduceError,
    /// The check against the statistics, where librdkafka alone does not prove that it was not written.
    pub(super) check: Option<PersistenceCheck>,
}

impl Undelivered {
    /// The error after the check of the statistics before and after; without the latter the outcome is unknown.
    pub(super) fn confirmed(self, before: &BrokerStats, after: Option<&BrokerStats>) -> ProduceError {
        match self.check {
            Some(check) if !after.is_some_and(|after| check.is_unsent(before, after)) => self.error.into_unknown(),
            _ => self.error,
        }
    }
}

impl From<ProduceError> for Undelivered {
    fn from(error: ProduceError) -> Self {
        Self { error, check: None }
    }
}

/// The reports of one call.
pub(super) struct Deliveries {
    begun: Instant,
    reports: Mutex<Vec<Report>>,
    outstanding: AtomicUsize,
    waiter: AtomicWaker,
}

impl Deliveries {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            reports: Mutex::new(vec![Err(ProduceError::Closed.into()); count]),
            outstanding: AtomicUsize::new(count),
            waiter: AtomicWaker::new(),
        })
    }

    /// The delivery opaque of a record: librdkafka carries it as one pointer.
    #[allow(clippy::unnecessary_box_returns)]
    pub(super) fn opaque(self: &Arc<Self>, index: usize) -> Box<Opaque> {
        Box::new(Opaque { deliveries: Arc::clone(self), index })
    }

    /// Takes a report; returns the time since the call where it is the last.
    pub(super) fn settle(&self, index: usize, report: Report) -> Option<Duration> {
        if let Some(slot) = self.reports.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            *slot = report;
        }
        let is_last = self.outstanding.fetch_sub(1, Ordering::AcqRel) == 1;
        if is_last {
            self.waiter.wake();
        }
        is_last.then(|| self.begun.elapsed())
    }

    /// Waits for all reports; they come in the order of the records.
    pub(super) async fn settled(&self) -> Vec<Report> {
        poll_fn(|context| {
            self.waiter.register(context.waker());
            match self.outstanding.load(Ordering::Acquire) {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
        std::mem::take(&mut *self.reports.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The delivery opaque: which report of a call a record's is.
pub(super) struct Opaque {
    deliveries: Arc<Deliveries>,
    index: usize,
}

/// The client context: delivery reports, statistics, log lines and tokens.
pub(super) struct DeliveryContext {
    logging: LoggingContext,
    queue_space: Notify,
    fatal: CancellationToken,
    sent: SentLog,
    metrics: ProducerMetrics,
}

impl DeliveryContext {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        Ok(Self {
            logging: LoggingContext::new(settings)?,
            queue_space: Notify::new(),
            fatal: CancellationToken::new(),
            sent: SentLog::new(),
            metrics: ProducerMetrics::new(),
        })
    }

    /// Resolves when a record has left the queue after this call.
    pub(super) fn queue_space(&self) -> impl Future<Output = ()> {
        self.queue_space.notified()
    }

    pub(super) fn fatal(&self) -> &CancellationToken {
        &self.fatal
    }

    pub(super) fn sent(&self) -> &SentLog {
        &self.sent
    }

    pub(super) fn metrics(&self) -> &ProducerMetrics {
        &self.metrics
    }
}

impl ClientContext for DeliveryContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = ASKS_FOR_TOKENS;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.logging.log(level, facility, line);
    }

    fn error(&self, error: RdKafkaError, reason: &str) {
        self.logging.error(error, reason);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice::<Statistics>(statistics) {
            Ok(statistics) => {
                self.metrics.set_queued(statistics.msg_cnt, statistics.msg_size);
                self.sent.record(statistics);
            }
            Err(error) => tracing::debug!(%error, "cannot parse librdkafka statistics"),
        }
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.logging.token()
    }
}

impl ProducerContext<NoCustomPartitioner> for DeliveryContext {
    type DeliveryOpaque = Box<Opaque>;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: Self::DeliveryOpaque) {
        let report = match result {
            Ok(message) => Ok(Ack { partition: message.partition(), offset: message.offset() }),
            Err((error, message)) => {
                let error = ProduceError::undelivered(error.clone(), ffi::persistence(message));
                // A permanent rejection by a broker proves that it did not write the record. After a transient error an
                // earlier attempt may have been written.
                let needs_check = !error.may_be_written() && error.class() == ErrorClass::Transient;
                let check = needs_check
                    .then(|| PersistenceCheck { topic: message.topic().to_owned(), partition: message.partition() });
                Err(Undelivered { error, check })
            }
        };
        // Here, and not by the caller, who may have gone.
        match &report {
            Ok(_) => self.metrics.acknowledged(),
            Err(undelivered) if undelivered.check.is_none() => self.metrics.failed(&undelivered.error),
            Err(_) => {}
        }
        if let Some(duration) = opaque.deliveries.settle(opaque.index, report) {
            self.metrics.settled(duration);
        }
        self.queue_space.notify_waiters();
    }
}

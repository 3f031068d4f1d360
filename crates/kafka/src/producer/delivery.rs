//! Delivery reports on their way back to whoever waits for them.
//!
//! All records of one call share a [`Deliveries`]; its waiter is woken once, by the last report.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

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

use super::sent::{BrokerStats, PersistenceCheck, SentLog};
use super::{Ack, ProduceError};
use crate::error::KafkaError;
use crate::ffi;
use crate::logging_context::{ASKS_FOR_TOKENS, LoggingContext};
use crate::settings::KafkaSettings;

type Report = Result<Ack, Undelivered>;

/// A record that is given up.
#[derive(Debug, Clone)]
pub(super) struct Undelivered {
    pub(super) error: ProduceError,
    /// Where it was, if a second witness must confirm that it was not written.
    pub(super) doubt: Option<PersistenceCheck>,
}

impl Undelivered {
    /// The error that holds by what was sent between two moments; without a second one the doubt stays.
    pub(super) fn confirmed(self, before: &BrokerStats, after: Option<&BrokerStats>) -> ProduceError {
        match self.doubt {
            Some(doubt) if !after.is_some_and(|after| doubt.is_cleared(before, after)) => self.error.in_doubt(),
            _ => self.error,
        }
    }
}

impl From<ProduceError> for Undelivered {
    fn from(error: ProduceError) -> Self {
        Self { error, doubt: None }
    }
}

/// The reports of one call.
pub(super) struct Deliveries {
    reports: Mutex<Vec<Report>>,
    outstanding: AtomicUsize,
    waiter: AtomicWaker,
}

impl Deliveries {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            reports: Mutex::new(vec![Err(ProduceError::Closed.into()); count]),
            outstanding: AtomicUsize::new(count),
            waiter: AtomicWaker::new(),
        })
    }

    /// What travels with the record through librdkafka, as one pointer.
    #[allow(clippy::unnecessary_box_returns)]
    pub(super) fn slot(self: &Arc<Self>, index: usize) -> Box<Slot> {
        Box::new(Slot { deliveries: Arc::clone(self), index })
    }

    pub(super) fn settle(&self, index: usize, report: Report) {
        if let Some(place) = self.reports.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            *place = report;
        }
        if self.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waiter.wake();
        }
    }

    /// All reports, in the order of the records, once the last one is in.
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

/// One record's place among the reports.
pub(super) struct Slot {
    deliveries: Arc<Deliveries>,
    index: usize,
}

/// Takes librdkafka's delivery reports.
pub(super) struct DeliveryContext {
    events: LoggingContext,
    room: Notify,
    fatal: CancellationToken,
    sent: SentLog,
}

impl DeliveryContext {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        Ok(Self {
            events: LoggingContext::new(settings)?,
            room: Notify::new(),
            fatal: CancellationToken::new(),
            sent: SentLog::new(),
        })
    }

    /// Resolves when a record left the queue after this call.
    pub(super) fn room(&self) -> impl Future<Output = ()> {
        self.room.notified()
    }

    pub(super) fn fatal(&self) -> &CancellationToken {
        &self.fatal
    }

    pub(super) fn sent(&self) -> &SentLog {
        &self.sent
    }
}

impl ClientContext for DeliveryContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = ASKS_FOR_TOKENS;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.events.log(level, facility, line);
    }

    fn error(&self, error: RdKafkaError, reason: &str) {
        self.events.error(error, reason);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.sent.take(statistics);
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.events.token()
    }
}

impl ProducerContext<NoCustomPartitioner> for DeliveryContext {
    type DeliveryOpaque = Box<Slot>;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: Self::DeliveryOpaque) {
        let report = match result {
            Ok(message) => Ok(Ack { partition: message.partition(), offset: message.offset() }),
            Err((error, message)) => {
                let error = ProduceError::undelivered(error.clone(), ffi::persistence(message));
                // A broker that refuses a record for good has not written it. Others may have been asked before.
                let is_doubtful = !error.may_be_written() && error.class() == ErrorClass::Transient;
                let doubt = is_doubtful
                    .then(|| PersistenceCheck { topic: message.topic().to_owned(), partition: message.partition() });
                Err(Undelivered { error, doubt })
            }
        };
        slot.deliveries.settle(slot.index, report);
        self.room.notify_waiters();
    }
}

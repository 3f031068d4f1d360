//! The processor: delivers the notification of each record.

use std::io;

use futures_util::future::join_all;
use jiff::Timestamp;
use millrace_consumer::{Attempt, ConsumerOptions, DestinationQueues, Outcome, Processor};
use millrace_domain::event::Notification;
use millrace_domain::traceparent::TraceParent;
use millrace_domain::{DeadLetterClass, Envelope, UtcDateTime, digest, payment};
use millrace_host::exit::SettingError;
use millrace_json::Document;
use millrace_kafka::Record;
use millrace_outbound::{AddressPolicy, HttpError, Proxies};
use millrace_store::{AcceptResult, NotificationOutcome, Progress, Store};
use thiserror::Error;

use crate::channel::Channel;
use crate::config::{ConfigError, Plan};
use crate::delivery::{Destination, SharedDeliveries, Undelivered, deliver};
use crate::delivery_log::{DeliveryContext, DeliveryLog, IdOrigin};
use crate::event::Event;
use crate::routes::Routes;
use crate::settings::Settings;

/// Delivers notifications. The consumer runtime calls it for each record.
pub struct Notifier {
    destinations: Vec<Destination>,
    chains: Vec<Vec<usize>>,
    routes: Routes,
    log: Option<DeliveryLog>,
}

/// Why a notifier cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A setting is invalid.
    #[error("{0}")]
    Setting(#[source] SettingError),
    /// The HTTP client cannot be set up.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// TLS for mail cannot be set up.
    #[error("cannot set up TLS for mail")]
    Mail(#[from] lettre::transport::smtp::Error),
    /// The console's thread cannot be started.
    #[error("cannot start the console")]
    Console(#[source] io::Error),
}

impl Notifier {
    /// A notifier with these settings. It reads its configuration here, and connects at the first delivery.
    ///
    /// The metrics recorder must be installed before: handles are created here.
    ///
    /// # Errors
    /// [`StartError::Setting`] names the setting, the file, the key and the problem; or the
    /// environment variable with an invalid proxy.
    pub fn from_settings(settings: &Settings) -> Result<Self, StartError> {
        let flag = if settings.notifier_config_text.is_some() { "notifier-config-text" } else { "notifier-config" };
        let invalid = |error: ConfigError| StartError::Setting(SettingError::of_flag(flag, error.to_string()));
        let plan = Plan::load(settings).map_err(invalid)?;
        let policy = if settings.allow_private_destinations { AddressPolicy::Any } else { AddressPolicy::PublicOnly };
        Self::build(plan, policy, &Proxies::read(|name| std::env::var_os(name)))
    }

    /// Records every delivery in this store, and repeats no recorded one. Must be called within a tokio runtime: writes
    /// run in tasks.
    #[must_use]
    pub fn recording_in(self, store: Store) -> Self {
        Self { log: Some(DeliveryLog::new(store)), ..self }
    }

    /// Limits the destinations' queues to half of what a consumer with these options may have in flight of each topic, so
    /// that notifications that need not wait still find room.
    #[must_use]
    pub fn within(mut self, options: &ConsumerOptions) -> Self {
        let options = options.share_of(crate::subscription().topics.len());
        let shares = 2 * self.destinations.len().max(1);
        let (records, bytes) = (options.max_in_flight / shares, options.max_in_flight_bytes / shares);
        self.destinations =
            self.destinations.into_iter().map(|destination| destination.within(records, bytes)).collect();
        self
    }

    fn build(plan: Plan, policy: AddressPolicy, proxies: &Proxies) -> Result<Self, StartError> {
        let build = |(index, destination): (usize, crate::config::DestinationPlan)| {
            let channel = Channel::build(destination.channel, policy, proxies)?;
            Ok(Destination::new(index, &destination.name, channel, destination.limits))
        };
        let destinations = plan.destinations.into_iter().enumerate().map(build).collect::<Result<_, StartError>>()?;
        Ok(Self { destinations, chains: plan.chains, routes: plan.routes, log: None })
    }

    /// Delivers to the chains of all matching routes, concurrently.
    async fn deliver(&self, event: &Event<'_>, context: &mut DeliveryContext<'_>) -> Outcome {
        let indexes = self.routes.destinations(event.user_id, event.kind);
        if indexes.is_empty() {
            let Event { user_id, kind, .. } = event;
            return Outcome::reject(format!("no route matches: user {user_id:?}, type {kind:?}"));
        }
        let chains = indexes.iter().filter_map(|&index| self.chains.get(index)).map(Vec::as_slice);
        let chains: Vec<_> = chains.collect();
        let shared = SharedDeliveries::new(&self.destinations, &chains, context.progress());
        if shared.can_be_deferred() {
            context.allow_deferral();
        }
        let context = &*context;
        let results = join_all(chains.iter().map(|chain| deliver(chain, &shared, event, context))).await;
        outcome(&chains, &results, &shared)
    }

    /// Records a notification as accepted, delivers it, and records its outcome.
    async fn deliver_once(
        &self,
        log: &DeliveryLog,
        event: &Event<'_>,
        origin: IdOrigin,
        attempt: &Attempt<'_>,
    ) -> Outcome {
        let accepted = attempt.until_revoked(log.accept(event.id, event.user_id, origin)).await;
        let progress = match accepted {
            None => return Outcome::retry("partition revoked before the notification was recorded as accepted"),
            Some(Err(reason)) => return Outcome::Fatal { reason },
            Some(Ok(AcceptResult::Refused(refusal))) => return Outcome::reject(refusal.to_string()),
            Some(Ok(AcceptResult::New)) => Progress::default(),
            Some(Ok(AcceptResult::Repeat(progress))) if progress.outcome == Some(NotificationOutcome::Delivered) => {
                tracing::debug!(event_id = event.id, trace_id = event.trace_id(), "already delivered, skipping");
                return Outcome::DONE;
            }
            Some(Ok(AcceptResult::Repeat(progress))) => progress,
        };
        let mut context = DeliveryContext::recorded(attempt, log, progress);
        let outcome = self.deliver(event, &mut context).await;
        let recorded = match outcome {
            Outcome::Done(()) => NotificationOutcome::Delivered,
            Outcome::Reject { .. } => NotificationOutcome::Failed,
            Outcome::Retry { .. } | Outcome::Defer { .. } | Outcome::Fatal { .. } => return outcome,
        };
        match context.record_outcome(event, recorded).await {
            Some(Ok(())) => outcome,
            Some(Err(reason)) => Outcome::Fatal { reason },
            None => Outcome::retry("partition revoked before the outcome was recorded"),
        }
    }
}

/// The outcome of all chains: one delivery is enough. Without one, the dead letter is transient (worth a replay) where
/// any destination may still take the notification.
fn outcome(chains: &[&[usize]], results: &[Result<(), Undelivered>], shared: &SharedDeliveries<'_>) -> Outcome {
    // Also where another chain has delivered: the revoked one has attempts left.
    if results.contains(&Err(Undelivered::Revoked)) {
        return Outcome::retry("partition revoked before all attempts were made");
    }
    let deferred = |result: &Result<(), Undelivered>| match result {
        Err(Undelivered::Deferred { queue }) => Some(*queue),
        _ => None,
    };
    if let Some(queue) = results.iter().rev().find_map(deferred) {
        let finished = chains.iter().zip(results).filter(|(_, result)| deferred(result).is_none());
        let finished: Vec<_> = finished.map(|(&chain, _)| chain).collect();
        return Outcome::Defer { queue, resume_token: shared.progress(&finished).bits() };
    }
    if results.iter().any(Result::is_ok) {
        return Outcome::DONE;
    }
    let failed_before = shared.have_failed_before();
    let transient = failed_before || shared.failures().any(|(_, failure)| failure.is_transient());
    let mut reasons: Vec<_> =
        shared.failures().map(|(destination, failure)| format!("{destination}: {failure}")).collect();
    reasons.extend(failed_before.then(|| "others failed before the notification was deferred".to_owned()));
    Outcome::Reject {
        class: if transient { DeadLetterClass::Transient } else { DeadLetterClass::Permanent },
        reason: reasons.join("; "),
        // The most attempts at any destination; at least 1, and the reason tells where none was made.
        attempts: shared.failures().map(|(_, failure)| failure.attempts.max(1)).max(),
    }
}

impl Processor for Notifier {
    type Product = ();

    async fn process(&self, record: &Record<'_>, attempt: &Attempt<'_>) -> Outcome {
        let (document, notification) = match read(record) {
            Ok(read) => read,
            Err(reason) => return Outcome::reject(reason),
        };
        let envelope = record.envelope();
        let event = Event {
            id: envelope.id.as_str(),
            kind: &envelope.event_type,
            time: time_of(&envelope.time, record),
            user_id: &notification.user_id,
            message: &notification.message,
            value: document.root().raw(),
            trace: attempt.trace().or_else(|| TraceParent::parse(envelope.traceparent.as_deref()?)),
        };
        match &self.log {
            None => self.deliver(&event, &mut DeliveryContext::unrecorded(attempt)).await,
            Some(log) => self.deliver_once(log, &event, id_origin(record, &envelope, &document), attempt).await,
        }
    }
}

impl DestinationQueues for Notifier {
    fn capacity(&self, queue: usize) -> usize {
        self.destinations.get(queue).map_or(usize::MAX, Destination::capacity)
    }

    /// Records the notification as accepted, so that `GET /notifications/{id}` finds it.
    fn on_queued(&self, record: &Record<'_>) {
        if let Some(log) = &self.log
            && let Ok((document, notification)) = read(record)
        {
            let envelope = record.envelope();
            let origin = id_origin(record, &envelope, &document);
            log.accept_in_background(envelope.id.as_str(), &notification.user_id, origin);
        }
    }
}

/// The order key of a record without a key: its user, whose notifications are delivered in order.
pub(crate) fn order_key(record: &Record<'_>) -> Option<Vec<u8>> {
    read(record).ok().map(|(_, notification)| notification.user_id.into_owned().into_bytes())
}

/// Reads a record as a notification. The error is the reason of its dead letter.
fn read<'r>(record: &'r Record<'_>) -> Result<(Document<'r>, Notification<'r>), String> {
    let document = Document::parse(record.value().unwrap_or_default()).map_err(|error| format!("not JSON: {error}"))?;
    let notification = if record.topic() == payment::TOPIC {
        Notification::of_payment(&document).map_err(|errors| format!("not a payment: {errors}"))
    } else {
        Notification::read(&document).map_err(|errors| format!("not a notification: {errors}"))
    };
    notification.map(|notification| (document, notification))
}

fn id_origin(record: &Record<'_>, envelope: &Envelope<'_>, document: &Document<'_>) -> IdOrigin {
    let digest = digest::of_json(&envelope.event_type, &envelope.time, document);
    let digest = record.digest_under(&envelope.id, digest);
    if record.is_synthetic_id(&envelope.id) { IdOrigin::Position(digest) } else { IdOrigin::Producer(digest) }
}

/// The event's time; the record's timestamp where `ce_time` is not a time.
fn time_of(text: &str, record: &Record<'_>) -> UtcDateTime {
    let of_record = || Timestamp::from_millisecond(record.timestamp().max(0)).unwrap_or_default();
    UtcDateTime::read(text).unwrap_or_else(|| of_record().into())
}

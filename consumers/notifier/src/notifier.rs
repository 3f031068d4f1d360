//! The processor: a record in, notifications out.

use std::io;

use futures_util::future::join_all;
use jiff::Timestamp;
use millrace_consumer::{Attempt, ConsumerOptions, DestinationQueues, Outcome, Processor};
use millrace_domain::event::Notification;
use millrace_domain::json::Document;
use millrace_domain::{DeadLetterClass, Envelope, UtcDateTime, digest, payment};
use millrace_host::exit::SettingError;
use millrace_host::settings::Origins;
use millrace_kafka::Record;
use millrace_store::{AcceptResult, NotificationOutcome, Progress, Store};
use thiserror::Error;

use crate::channel::Channel;
use crate::config::{ConfigError, Plan};
use crate::delivery::{Destination, SharedDeliveries, Undelivered, deliver};
use crate::delivery_log::{DeliveryContext, DeliveryLog, Name};
use crate::event::Event;
use crate::network::{AddressPolicy, HttpError, Proxies};
use crate::routes::Routes;
use crate::settings::Settings;

/// Delivers notifications: what the consumer runtime calls for each record.
pub struct Notifier {
    destinations: Vec<Destination>,
    chains: Vec<Vec<usize>>,
    routes: Routes,
    deliveries: Option<DeliveryLog>,
}

/// Why a notifier cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error("{0}")]
    Setting(#[source] SettingError),
    /// HTTP destinations cannot be reached at all.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Mail cannot be sent at all.
    #[error("cannot set up TLS for mail")]
    Mail(#[from] lettre::transport::smtp::Error),
    /// The console's thread does not start.
    #[error("cannot start the console")]
    Console(#[source] io::Error),
}

impl Notifier {
    /// A notifier as the settings say. It reads its configuration, and connects when there is something to deliver.
    ///
    /// Metrics must have been installed before, or its own are not recorded.
    ///
    /// # Errors
    /// [`StartError::Setting`] names the setting as the user wrote it, the file, the key and what is wrong with it; or the
    /// environment variable that names no proxy.
    pub fn from_settings(settings: &Settings, origins: &Origins) -> Result<Self, StartError> {
        let wrong = |error: ConfigError| StartError::Setting(origins.error("notifier-config", error.to_string()));
        let plan = Plan::load(settings.notifier_config.as_deref()).map_err(wrong)?;
        let policy = if settings.allow_private_destinations { AddressPolicy::Any } else { AddressPolicy::PublicOnly };
        Self::build(plan, policy, &Proxies::read(|name| std::env::var(name).ok()))
    }

    /// The same, with every delivery recorded in this store, and none repeated that is. Within a runtime: it writes in
    /// tasks of its own.
    #[must_use]
    pub fn recording_in(self, store: Store) -> Self {
        Self { deliveries: Some(DeliveryLog::of(store)), ..self }
    }

    /// The same within what a consumer with these options may hold of each topic: all queues together take half of it, so
    /// that they leave room for those who have no need to wait.
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
        let build = |(number, destination): (usize, crate::config::DestinationPlan)| {
            let channel = Channel::build(destination.channel, policy, proxies)?;
            Ok(Destination::new(number, &destination.name, channel, destination.limits))
        };
        let destinations = plan.destinations.into_iter().enumerate().map(build).collect::<Result<_, StartError>>()?;
        Ok(Self { destinations, chains: plan.chains, routes: plan.routes, deliveries: None })
    }

    /// Delivers on every route at the same time.
    async fn deliver(&self, event: &Event<'_>, turn: &mut DeliveryContext<'_>) -> Outcome {
        let places = self.routes.destinations(event.user_id, event.kind);
        if places.is_empty() {
            let Event { user_id, kind, .. } = event;
            return Outcome::reject(format!("no route matches: user {user_id:?}, type {kind:?}"));
        }
        let chains = places.iter().filter_map(|&place| self.chains.get(place)).map(Vec::as_slice);
        let chains: Vec<_> = chains.collect();
        let shared = SharedDeliveries::new(&self.destinations, &chains, turn.stages());
        if shared.can_be_postponed() {
            turn.may_postpone();
        }
        let turn = &*turn;
        let results = join_all(chains.iter().map(|chain| deliver(chain, &shared, event, turn))).await;
        verdict(&chains, &results, &shared)
    }

    /// Takes a notification up, delivers it, and records both.
    async fn deliver_once(
        &self,
        deliveries: &DeliveryLog,
        event: &Event<'_>,
        name: Name,
        attempt: &Attempt<'_>,
    ) -> Outcome {
        let accepted = attempt.until_revoked(deliveries.accept(event.id, event.user_id, name)).await;
        let progress = match accepted {
            None => return Outcome::retry("given up before it was taken up"),
            Some(Err(reason)) => return Outcome::Fatal { reason },
            Some(Ok(AcceptResult::Refused(refusal))) => return Outcome::reject(refusal.to_string()),
            Some(Ok(AcceptResult::New)) => Progress::default(),
            Some(Ok(AcceptResult::Repeat(progress))) if progress.outcome == Some(NotificationOutcome::Delivered) => {
                tracing::debug!(event = event.id, "delivered before");
                return Outcome::DONE;
            }
            Some(Ok(AcceptResult::Repeat(progress))) => progress,
        };
        let mut turn = DeliveryContext::recorded(attempt, deliveries, progress);
        let outcome = self.deliver(event, &mut turn).await;
        let end = match outcome {
            Outcome::Done(()) => NotificationOutcome::Delivered,
            Outcome::Reject { .. } => NotificationOutcome::Failed,
            Outcome::Retry { .. } | Outcome::Defer { .. } | Outcome::Fatal { .. } => return outcome,
        };
        match turn.conclude(event, end).await {
            Some(Ok(())) => outcome,
            Some(Err(reason)) => Outcome::Fatal { reason },
            None => Outcome::retry("given up before the end was recorded"),
        }
    }
}

/// One delivery is enough. Where there is none, the letter is worth a replay if any destination may yet take it.
fn verdict(chains: &[&[usize]], results: &[Result<(), Undelivered>], shared: &SharedDeliveries<'_>) -> Outcome {
    // Also where another route has delivered: this one's attempts are still to be made.
    if results.contains(&Err(Undelivered::GivenUp)) {
        return Outcome::retry("given up before every route was tried");
    }
    let crowded = |result: &Result<(), Undelivered>| match result {
        Err(Undelivered::Crowded { queue }) => Some(*queue),
        _ => None,
    };
    if let Some(queue) = results.iter().rev().find_map(crowded) {
        let ended = chains.iter().zip(results).filter(|(_, result)| crowded(result).is_none());
        let ended: Vec<_> = ended.map(|(&chain, _)| chain).collect();
        return Outcome::Defer { queue, resume_token: shared.stages(&ended).bits() };
    }
    if results.iter().any(Result::is_ok) {
        return Outcome::DONE;
    }
    let failed_before = shared.have_failed_before();
    let transient = failed_before || shared.failures().any(|(_, failure)| failure.is_transient());
    let mut reasons: Vec<_> =
        shared.failures().map(|(destination, failure)| format!("{destination}: {failure}")).collect();
    reasons.extend(failed_before.then(|| "others failed before it was postponed".to_owned()));
    Outcome::Reject {
        class: if transient { DeadLetterClass::Transient } else { DeadLetterClass::Permanent },
        reason: reasons.join("; "),
        // Of several destinations, the one that was tried most often; that none was tried is in the reason.
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
        };
        match &self.deliveries {
            None => self.deliver(&event, &mut DeliveryContext::unrecorded(attempt)).await,
            Some(deliveries) => {
                self.deliver_once(deliveries, &event, name(record, &envelope, &document), attempt).await
            }
        }
    }
}

impl DestinationQueues for Notifier {
    fn capacity(&self, queue: usize) -> usize {
        self.destinations.get(queue).map_or(usize::MAX, Destination::room)
    }

    /// Records the notification as accepted, so that `GET /notifications/{id}` finds it.
    fn on_queued(&self, record: &Record<'_>) {
        if let Some(deliveries) = &self.deliveries
            && let Ok((document, notification)) = read(record)
        {
            let envelope = record.envelope();
            deliveries.announce(envelope.id.as_str(), &notification.user_id, name(record, &envelope, &document));
        }
    }
}

/// The order key of a record without a key: its user, whose notifications are delivered in order.
pub(crate) fn order_key(record: &Record<'_>) -> Option<Vec<u8>> {
    read(record).ok().map(|(_, notification)| notification.user_id.into_owned().into_bytes())
}

/// The notification that a record is, or why it is none.
fn read<'r>(record: &'r Record<'_>) -> Result<(Document<'r>, Notification<'r>), String> {
    let document = Document::parse(record.value().unwrap_or_default()).map_err(|error| format!("not JSON: {error}"))?;
    let notification = if record.topic() == payment::TOPIC {
        Notification::of_payment(&document).map_err(|errors| format!("not a payment: {errors}"))
    } else {
        Notification::read(&document).map_err(|errors| format!("not a notification: {errors}"))
    };
    notification.map(|notification| (document, notification))
}

fn name(record: &Record<'_>, envelope: &Envelope<'_>, document: &Document<'_>) -> Name {
    let digest = digest::of_json(&envelope.event_type, &envelope.time, document);
    let digest = record.digest_under(&envelope.id, digest);
    if record.is_synthetic_id(&envelope.id) { Name::Place(digest) } else { Name::Given(digest) }
}

/// The event's time; where other producers wrote something else, the record's.
fn time_of(text: &str, record: &Record<'_>) -> UtcDateTime {
    let of_record = || Timestamp::from_millisecond(record.timestamp().max(0)).unwrap_or_default();
    UtcDateTime::read(text).unwrap_or_else(|| of_record().into())
}

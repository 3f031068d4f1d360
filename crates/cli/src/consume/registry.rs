//! The consumers this program holds. To add one: its line in [`CONSUMERS`] and its constructor below.

use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all, ready};
use millrace_consumer::{Consumer, ConsumerError, ConsumerOptions, Progress, Subscription};
use millrace_event_store::EventStore;
use millrace_host::retention::Retention;
use millrace_host::settings::Origins;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::TransactionalProducer;
use millrace_kafka::{KafkaSettings, Producer};
use millrace_login_insights::{LoginInsights, Runner};
use millrace_notifier::Notifier;
use millrace_payments::Payments;
use millrace_store::{RetainedTable, Store};
use tokio_util::sync::CancellationToken;

use crate::broker::BROKER_TIMEOUT;
use crate::replay;

/// All of them.
pub(crate) const CONSUMERS: &[Registered] = &[
    Registered {
        name: millrace_notifier::NAME,
        subscriptions: || vec![millrace_notifier::subscription()],
        start: |host| ready(notifier(host)).boxed(),
    },
    Registered {
        name: millrace_event_store::NAME,
        subscriptions: || vec![millrace_event_store::subscription()],
        start: |host| event_store(host).boxed(),
    },
    Registered {
        name: millrace_payments::NAME,
        subscriptions: || vec![millrace_payments::subscription()],
        start: |host| payments(host).boxed(),
    },
    Registered {
        name: millrace_login_insights::NAME,
        subscriptions: || vec![millrace_login_insights::subscription(), millrace_login_insights::files_subscription()],
        start: |host| ready(login_insights(host)).boxed(),
    },
];

/// A consumer that can be started by its name.
pub(crate) struct Registered {
    /// Its name, as users write it.
    pub(crate) name: &'static str,
    /// What it reads, and as which groups.
    pub(crate) subscriptions: fn() -> Vec<Subscription>,
    /// Makes it ready to run.
    pub(crate) start: for<'h> fn(&'h Host<'h>) -> BoxFuture<'h, anyhow::Result<Started>>,
}

/// What every consumer gets from the process it runs in.
pub(crate) struct Host<'a> {
    /// How to reach the broker.
    pub(crate) kafka: &'a KafkaSettings,
    /// Writes dead letters.
    pub(crate) producer: &'a Producer,
    /// How much is done at once, and how often it is tried.
    pub(crate) options: &'a ConsumerOptions,
    /// Asks the broker questions.
    pub(crate) cluster: &'a AdminClient,
    /// The database, where there is one.
    pub(crate) store: Option<&'a Store>,
    /// Where files go that a consumer writes.
    pub(crate) data_dir: &'a Path,
    /// The consumers' own settings.
    pub(crate) settings: &'a ConsumerSettings,
    /// How the user wrote each setting.
    pub(crate) origins: &'a Origins,
    /// Cancelled when the consumer must drain.
    pub(crate) shutdown: &'a CancellationToken,
}

/// The consumers' own settings, whichever of them run.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)] // clap names groups after types, and each consumer has `Settings`
pub(crate) struct ConsumerSettings {
    #[command(flatten)]
    pub(crate) notifier: millrace_notifier::Settings,
    #[command(flatten)]
    pub(crate) payments: millrace_payments::Settings,
    #[command(flatten)]
    pub(crate) login_insights: millrace_login_insights::Settings,
    #[command(flatten)]
    pub(crate) retention: Retention,
}

/// A consumer that runs as long as it is polled.
pub(crate) struct Started {
    /// Its memberships in groups, in the order of its subscriptions.
    pub(crate) members: Vec<Arc<Progress>>,
    /// Ends once it has drained.
    pub(crate) end: BoxFuture<'static, Result<(), ConsumerError>>,
}

impl Started {
    fn new(progress: Arc<Progress>, end: impl Future<Output = Result<(), ConsumerError>> + Send + 'static) -> Self {
        Self { members: vec![progress], end: end.boxed() }
    }

    /// Waits until its groups have given it its partitions.
    pub(crate) async fn joined(members: &[Arc<Progress>]) {
        join_all(members.iter().map(|member| member.joined())).await;
    }
}

impl Host<'_> {
    fn consumer(&self, subscription: Subscription, options: ConsumerOptions) -> Consumer {
        Consumer::new(self.kafka.clone(), subscription, options, self.producer.clone())
    }
}

/// Sees whether every consumer can be made with its settings, before a broker is there for it.
pub(crate) fn check(settings: &ConsumerSettings, data_dir: &Path, origins: &Origins) -> anyhow::Result<()> {
    Notifier::from_settings(&settings.notifier, origins)?;
    LoginInsights::from_settings(&settings.login_insights, data_dir, origins)?;
    Ok(())
}

fn notifier(host: &Host<'_>) -> anyhow::Result<Started> {
    let mut notifier = Notifier::from_settings(&host.settings.notifier, host.origins)?;
    let retention = host.settings.retention;
    retention.check(host.store.is_some(), host.origins)?;
    let deletion = host.store.map(|store| retention.start(store, RetainedTable::Notifications));
    if let Some(store) = host.store {
        notifier = notifier.recording_in(store.clone());
    } else {
        millrace_notifier::warn_of_repeats();
    }
    let options = millrace_notifier::consumer_options(host.options.clone());
    let notifier = notifier.within(&options);
    let consumer = host.consumer(millrace_notifier::subscription(), options);
    let (progress, shutdown) = (consumer.progress(), host.shutdown.clone());
    Ok(Started::new(progress, async move {
        let _deletion = deletion;
        consumer.run_keyed(&notifier, Some(&notifier), shutdown).await
    }))
}

async fn event_store(host: &Host<'_>) -> anyhow::Result<Started> {
    let Some(store) = host.store else {
        let problem = "the event-store keeps events in a database: name one, such as postgres://USER@HOST/NAME";
        return Err(host.origins.error("database", problem).into());
    };
    let events = EventStore::of(store.clone(), host.cluster, BROKER_TIMEOUT).await?;
    let deletion = host.settings.retention.start(store, RetainedTable::Events);
    let consumer = host.consumer(millrace_event_store::subscription(), host.options.clone());
    let (progress, shutdown) = (consumer.progress(), host.shutdown.clone());
    Ok(Started::new(progress, async move {
        let _deletion = deletion;
        consumer.run_batches(&events, shutdown).await
    }))
}

async fn payments(host: &Host<'_>) -> anyhow::Result<Started> {
    let payments = Payments::from_settings(&host.settings.payments);
    let instance = host.options.group_instance_id.as_deref();
    let producer = TransactionalProducer::of_instance(host.kafka, millrace_payments::NAME, instance).await?;
    let consumer = host.consumer(millrace_payments::subscription(), host.options.clone());
    let (progress, shutdown) = (consumer.progress(), host.shutdown.clone());
    Ok(Started::new(progress, async move { consumer.run_transactional(&payments, &producer, shutdown).await }))
}

fn login_insights(host: &Host<'_>) -> anyhow::Result<Started> {
    let insights = LoginInsights::from_settings(&host.settings.login_insights, host.data_dir, host.origins)?;
    let members = Runner::new(host.options, |subscription, options| host.consumer(subscription, options));
    let (kafka, shutdown) = (host.kafka.clone(), host.shutdown.clone());
    Ok(Started {
        members: vec![members.progress(), members.files_progress()],
        end: async move { insights.run(members, &kafka, shutdown).await }.boxed(),
    })
}

/// The consumers of these names, each once; names that are not known are left out.
pub(crate) fn named(names: &[String]) -> impl Iterator<Item = &'static Registered> {
    CONSUMERS.iter().filter(move |consumer| names.iter().any(|name| name == consumer.name))
}

/// The groups that parts of this program read as.
pub(crate) fn groups() -> impl Iterator<Item = String> {
    let subscriptions = CONSUMERS.iter().flat_map(|consumer| (consumer.subscriptions)());
    subscriptions.map(|subscription| subscription.group).chain([replay::GROUP.to_owned()])
}

/// The topics that a consumer of this program reads as this group; none for other groups.
pub(crate) fn topics_of_group(group: &str) -> Vec<String> {
    let subscriptions = CONSUMERS.iter().flat_map(|consumer| (consumer.subscriptions)());
    subscriptions
        .filter(|subscription| subscription.group == group)
        .flat_map(|subscription| subscription.topics)
        .collect()
}

#[cfg(test)]
mod tests {
    use millrace_domain::catalogue::catalogue;

    use super::*;

    #[test]
    fn every_consumer_has_a_name_of_its_own_and_groups_and_topics_as_the_catalogue_has_them() {
        for (index, consumer) in CONSUMERS.iter().enumerate() {
            assert!(CONSUMERS[..index].iter().all(|other| other.name != consumer.name));
            for subscription in (consumer.subscriptions)() {
                assert_eq!(subscription.group, format!("millrace-{}", subscription.name));
                assert!(subscription.name.starts_with(consumer.name));
                let known = catalogue().consumers.iter().find(|known| known.name == subscription.name);
                assert_eq!(known.map(|known| &known.reads), Some(&subscription.topics));
            }
        }
    }
}

//! The consumers this program holds. To add one: its line in [`CONSUMERS`] and its constructor below.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use millrace_event_store::EventStore;
use millrace_host::settings::Origins;
use millrace_kafka::cluster::Cluster;
use millrace_kafka::consumer::{Consumer, ConsumerError, ConsumerOptions, Progress, Subscription};
use millrace_kafka::{KafkaSettings, Producer};
use millrace_notifier::Notifier;
use millrace_store::Store;
use tokio_util::sync::CancellationToken;

use crate::broker::ANSWER;
use crate::replay;

/// All of them.
pub(crate) const CONSUMERS: &[Registered] = &[
    Registered {
        name: millrace_notifier::NAME,
        subscription: millrace_notifier::subscription,
        start: |host| ready(notifier(host)).boxed(),
    },
    Registered {
        name: millrace_event_store::NAME,
        subscription: millrace_event_store::subscription,
        start: |host| event_store(host).boxed(),
    },
];

/// A consumer that can be started by its name.
pub(crate) struct Registered {
    /// Its name, as users write it.
    pub(crate) name: &'static str,
    /// What it reads, and as which group.
    pub(crate) subscription: fn() -> Subscription,
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
    pub(crate) cluster: &'a Cluster,
    /// The database, where there is one.
    pub(crate) store: Option<&'a Store>,
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
}

/// A consumer that runs as long as it is polled.
pub(crate) struct Started {
    /// What can be seen of it.
    pub(crate) progress: Arc<Progress>,
    /// Ends once it has drained.
    pub(crate) end: BoxFuture<'static, Result<(), ConsumerError>>,
}

/// Sees whether every consumer can be made with its settings, before a broker is there for it.
pub(crate) fn check(settings: &ConsumerSettings, origins: &Origins) -> anyhow::Result<()> {
    Notifier::from_settings(&settings.notifier, origins)?;
    Ok(())
}

fn notifier(host: &Host<'_>) -> anyhow::Result<Started> {
    let mut notifier = Notifier::from_settings(&host.settings.notifier, host.origins)?;
    if let Some(store) = host.store {
        notifier = notifier.recording_in(store.clone());
    }
    let options = millrace_notifier::consumer_options(host.options.clone());
    let consumer = Consumer::new(host.kafka.clone(), millrace_notifier::subscription(), options, host.producer.clone());
    let (progress, shutdown) = (consumer.progress(), host.shutdown.clone());
    let end = async move { consumer.run_keyed(&notifier, shutdown).await };
    Ok(Started { progress, end: end.boxed() })
}

async fn event_store(host: &Host<'_>) -> anyhow::Result<Started> {
    let Some(store) = host.store else {
        let problem = "the event-store keeps events in a database: name one, such as postgres://USER@HOST/NAME";
        return Err(host.origins.error("database", problem).into());
    };
    let events = EventStore::of(store.clone(), host.cluster, ANSWER).await?;
    let subscription = millrace_event_store::subscription();
    let consumer = Consumer::new(host.kafka.clone(), subscription, host.options.clone(), host.producer.clone());
    let (progress, shutdown) = (consumer.progress(), host.shutdown.clone());
    let end = async move { consumer.run_batches(&events, shutdown).await };
    Ok(Started { progress, end: end.boxed() })
}

/// The consumers of these names, each once; names that are not known are left out.
pub(crate) fn named(names: &[String]) -> impl Iterator<Item = &'static Registered> {
    CONSUMERS.iter().filter(move |consumer| names.iter().any(|name| name == consumer.name))
}

/// The groups that parts of this program read as.
pub(crate) fn groups() -> impl Iterator<Item = String> {
    let consumers = CONSUMERS.iter().map(|consumer| (consumer.subscription)().group);
    consumers.chain([replay::GROUP.to_owned()])
}

/// The topics that a consumer of this program reads as this group; none for other groups.
pub(crate) fn topics_of_group(group: &str) -> Vec<String> {
    let subscriptions = CONSUMERS.iter().map(|consumer| (consumer.subscription)());
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
    fn every_consumer_has_a_name_of_its_own_a_group_named_after_it_and_topics_of_the_catalogue() {
        for (index, consumer) in CONSUMERS.iter().enumerate() {
            assert!(CONSUMERS[..index].iter().all(|other| other.name != consumer.name));
            let subscription = (consumer.subscription)();
            assert_eq!(subscription.group, format!("millrace-{}", consumer.name));
            assert!(!subscription.topics.is_empty());
            assert!(subscription.topics.iter().all(|topic| catalogue().topic(topic).is_some()));
        }
    }
}

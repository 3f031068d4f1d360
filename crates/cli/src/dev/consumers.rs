//! The consumers inside `millrace dev`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures_util::future::join_all;
use millrace_consumer::{ConsumerError, Progress};
use millrace_domain::catalogue::catalogue;
use millrace_host::app::AppEnv;
use millrace_host::health::{Health, Status};
use millrace_kafka::KafkaError;
use millrace_kafka::admin::{AdminClient, Offsets};
use tokio::task::JoinSet;

use crate::consume::registry::Built;

/// How often it is looked whether everything is processed.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How long the broker in this process may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// A consumer that runs.
pub(super) struct Running {
    name: &'static str,
    pub(super) progress: Arc<Progress>,
    topics: Vec<String>,
}

impl Running {
    /// The topics it reads, by their names in the catalogue.
    pub(super) fn catalogue_topics(&self) -> impl Iterator<Item = &'static str> + '_ {
        let topics = catalogue().topics.iter().map(|topic| topic.name.as_str());
        topics.filter(|name| self.topics.iter().any(|topic| topic == name))
    }
}

/// All consumers of this program, and the tasks they run in.
#[derive(Default)]
pub(super) struct Consumers {
    pub(super) running: Vec<Running>,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Consumers {
    /// Starts these consumers.
    pub(super) async fn start(built: Vec<Built>, env: &AppEnv, health: &Health) -> anyhow::Result<Self> {
        let mut consumers = Self::default();
        for built in built {
            let consumer = built.consumer;
            let started = built.start(env.clone()).await?;
            let members = (consumer.subscriptions)().into_iter().zip(started.members);
            let running = members.map(|(subscription, progress)| Running {
                name: consumer.name,
                progress,
                topics: subscription.topics,
            });
            consumers.running.extend(running);
            let name = consumer.name;
            health.set(name, Status::Starting);
            let health = health.clone();
            consumers.tasks.spawn(async move {
                let end = started.end.await;
                if let Err(error) = &end {
                    health.set(name, Status::Failed(error.to_string()));
                }
                end.with_context(|| format!("the consumer {name}"))
            });
        }
        Ok(consumers)
    }

    /// Waits until each has its partitions.
    pub(super) async fn joined(&self, health: &Health) {
        let joined = self.running.iter().map(|consumer| async {
            consumer.progress.joined().await;
            health.set(consumer.name, Status::Ok);
        });
        join_all(joined).await;
    }

    /// Waits for a consumer that ends by itself, which none should.
    pub(super) async fn first_end(&mut self) -> anyhow::Error {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(end)) => match log_refused(end) {
                    Some(Ok(())) => return anyhow!("a consumer ended by itself"),
                    Some(Err(error)) => return error,
                    None => {}
                },
                Some(Err(error)) => return error.into(),
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until all have ended.
    pub(super) async fn ended(&mut self) -> anyhow::Result<()> {
        while let Some(end) = self.tasks.join_next().await {
            log_refused(end?).transpose()?;
        }
        Ok(())
    }

    /// Waits until nothing that the broker holds is left to process.
    pub(super) async fn caught_up(&self, cluster: &AdminClient) -> Result<(), KafkaError> {
        let mut look = tokio::time::interval(POLL_INTERVAL);
        loop {
            look.tick().await;
            if self.behind(cluster).await? == 0 {
                return Ok(());
            }
        }
    }

    /// How many records the broker holds that are not processed yet, those included that wait for an earlier one to be
    /// committed.
    pub(super) async fn behind(&self, cluster: &AdminClient) -> Result<i64, KafkaError> {
        let ends = self.ends(cluster).await?;
        let of = |consumer: &Running| -> i64 {
            let places = ends.iter().filter(|((topic, _), _)| consumer.topics.contains(topic));
            places
                .map(|((topic, partition), end)| end - consumer.progress.position(topic, *partition).unwrap_or(0))
                .sum()
        };
        Ok(self.running.iter().map(of).sum())
    }

    /// How many records were never processed, of a broker that began empty when these consumers did.
    pub(super) async fn unprocessed(&self, cluster: &AdminClient) -> Result<i64, KafkaError> {
        let ends = self.ends(cluster).await?;
        let of = |consumer: &Running| {
            let ends = ends.iter().filter(|((topic, _), _)| consumer.topics.contains(topic));
            let written: i64 = ends.map(|(_, end)| end).sum();
            written.saturating_sub_unsigned(consumer.progress.processed()).max(0)
        };
        Ok(self.running.iter().map(of).sum())
    }

    /// The end of every partition that is read.
    async fn ends(&self, cluster: &AdminClient) -> Result<Offsets, KafkaError> {
        let overview = cluster.overview(BROKER_TIMEOUT).await?;
        let is_read = |name: &String| self.running.iter().any(|consumer| consumer.topics.contains(name));
        let read = overview.topics.into_iter().filter(|(name, _)| is_read(name)).collect();
        cluster.end_offsets(&read, BROKER_TIMEOUT).await
    }
}

/// Logs that a consumer has halted because its dead-letter topic refuses a letter: its records stay on their topics, and the
/// edge and the other consumers go on. Any other end is given back.
fn log_refused(end: anyhow::Result<()>) -> Option<anyhow::Result<()>> {
    match end {
        Err(error) if matches!(error.downcast_ref(), Some(ConsumerError::DeadLetterRefused(_))) => {
            let error = format!("{error:#}");
            tracing::error!(error, "consumer stopped; the edge and the other consumers go on until this process ends");
            None
        }
        end => Some(end),
    }
}

//! Runs both consumers, and stops them in order: first the insights, then their files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use millrace_consumer::{Consumer, ConsumerError, ConsumerOptions, Progress, Subscription};
use millrace_domain::insight;
use millrace_host::exit::SettingError;
use millrace_kafka::admin::{AdminClient, Offsets};
use millrace_kafka::producer::TransactionalProducer;
use millrace_kafka::{KafkaError, KafkaSettings};
use tokio_util::sync::CancellationToken;

use crate::files::Files;
use crate::insights::Insights;
use crate::settings::Settings;
use crate::{NAME, consumer_options, files_options, files_subscription, subscription};

/// How long a stop waits for the files of the last insights.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the committed offsets are polled meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The consumer: makes insights, and writes their files.
#[derive(Debug)]
pub struct LoginInsights {
    insights: Insights,
    files: Files,
}

/// The two consumers, each a member of its own group.
#[derive(Debug)]
pub struct Runner {
    logins: Consumer,
    files: Consumer,
    instance: Option<String>,
}

impl Runner {
    /// Both consumers with the user's options. `consumer` builds one.
    pub fn new(options: &ConsumerOptions, consumer: impl Fn(Subscription, ConsumerOptions) -> Consumer) -> Self {
        Self {
            logins: consumer(subscription(), consumer_options(options.clone())),
            files: consumer(files_subscription(), files_options(options.clone())),
            instance: options.group_instance_id.clone(),
        }
    }

    /// The progress of the consumer of logins.
    pub fn progress(&self) -> Arc<Progress> {
        self.logins.progress()
    }

    /// The progress of the consumer that writes files.
    pub fn files_progress(&self) -> Arc<Progress> {
        self.files.progress()
    }
}

impl LoginInsights {
    /// The consumer with these settings. Files go to `data_dir` by default.
    ///
    /// # Errors
    /// [`SettingError`] names the setting and the problem.
    pub fn from_settings(settings: &Settings, data_dir: &Path) -> Result<Self, SettingError> {
        let files = Files::from_settings(settings, data_dir)?;
        Ok(Self { insights: Insights::from_settings(settings), files })
    }

    /// Runs both consumers until `shutdown`. Then waiting logins become insights, and these become files, before it
    /// returns. If one consumer fails, the other stops too.
    ///
    /// # Errors
    /// [`ConsumerError`] where a consumer fails; [`KafkaError::Unreachable`] in it where the transaction coordinator does
    /// not answer within 30 s.
    pub async fn run(
        self,
        runner: Runner,
        kafka: &KafkaSettings,
        shutdown: CancellationToken,
    ) -> Result<(), ConsumerError> {
        let Runner { logins, files, instance } = runner;
        let producer = TransactionalProducer::of_instance(kafka, NAME, instance.as_deref());
        let Some(producer) = shutdown.run_until_cancelled(producer).await else { return Ok(()) };
        let producer = producer?;
        let (stop_insights, stop_files) = (shutdown.child_token(), CancellationToken::new());
        let run_insights = Box::pin(async {
            let result = logins.run_transactional(&self.insights, &producer, stop_insights.clone()).await;
            if result.is_ok() {
                stop_files.run_until_cancelled(catch_up(kafka)).await;
            }
            stop_files.cancel();
            result
        });
        let run_files = Box::pin(async {
            let result = files.run_keyed(&self.files, None, stop_files.clone()).await;
            stop_files.cancel();
            stop_insights.cancel();
            result
        });
        let (insights, files) = tokio::join!(run_insights, run_files);
        insights.and(files)
    }
}

/// Waits for the files of all insights committed until now, whichever member writes them.
async fn catch_up(kafka: &KafkaSettings) {
    match tokio::time::timeout(CATCH_UP_TIMEOUT, files_written(kafka)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "reading committed offsets failed: some insights may have no file yet");
        }
        Err(_) => tracing::warn!("waiting for insights' files timed out: the rest is written after the restart"),
    }
}

async fn files_written(kafka: &KafkaSettings) -> Result<(), KafkaError> {
    let cluster = AdminClient::new(kafka)?;
    let mut topics = cluster.overview(CATCH_UP_TIMEOUT).await?.topics;
    topics.retain(|name, _| name == insight::TOPIC);
    let ends = cluster.end_offsets(&topics, CATCH_UP_TIMEOUT).await?;
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    loop {
        ticks.tick().await;
        if covers(&committed(&cluster, &topics).await?, &ends) {
            return Ok(());
        }
    }
}

async fn committed(cluster: &AdminClient, topics: &BTreeMap<String, i32>) -> Result<Offsets, KafkaError> {
    cluster.committed(&files_subscription().group, topics, CATCH_UP_TIMEOUT).await
}

fn covers(committed: &Offsets, ends: &Offsets) -> bool {
    ends.iter().all(|(partition, end)| committed.get(partition).copied().unwrap_or(0) >= *end)
}

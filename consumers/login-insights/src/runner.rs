//! Both halves at work, and the order in which they stop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use millrace_consumer::{Consumer, ConsumerError, ConsumerOptions, Progress, Subscription};
use millrace_domain::insight;
use millrace_host::exit::SettingError;
use millrace_host::settings::Origins;
use millrace_kafka::admin::{AdminClient, Offsets};
use millrace_kafka::producer::TransactionalProducer;
use millrace_kafka::{KafkaError, KafkaSettings};
use tokio_util::sync::CancellationToken;

use crate::files::Files;
use crate::insights::Insights;
use crate::settings::Settings;
use crate::{NAME, consumer_options, files_options, files_subscription, subscription};

/// How long a stop waits for the files of the last insights.
const CATCH_UP: Duration = Duration::from_secs(5);

/// How often it is looked whether they are there.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The consumer: makes insights, and writes their files.
#[derive(Debug)]
pub struct LoginInsights {
    insights: Insights,
    files: Files,
}

/// The memberships of both halves in their groups.
#[derive(Debug)]
pub struct Runner {
    logins: Consumer,
    files: Consumer,
    instance: Option<String>,
}

impl Runner {
    /// Memberships with the user's options. `consumer` makes one of them.
    pub fn new(options: &ConsumerOptions, consumer: impl Fn(Subscription, ConsumerOptions) -> Consumer) -> Self {
        Self {
            logins: consumer(subscription(), consumer_options(options.clone())),
            files: consumer(files_subscription(), files_options(options.clone())),
            instance: options.group_instance_id.clone(),
        }
    }

    /// What can be seen of the half that makes insights.
    pub fn progress(&self) -> Arc<Progress> {
        self.logins.progress()
    }

    /// What can be seen of the half that writes files.
    pub fn files_progress(&self) -> Arc<Progress> {
        self.files.progress()
    }
}

impl LoginInsights {
    /// The consumer as the settings say; its files are in `data_dir` unless they say otherwise.
    ///
    /// # Errors
    /// [`SettingError`] names the setting as the user wrote it, and what is wrong with it.
    pub fn from_settings(settings: &Settings, data_dir: &Path, origins: &Origins) -> Result<Self, SettingError> {
        let files = Files::from_settings(settings, data_dir, origins)?;
        Ok(Self { insights: Insights::from_settings(settings), files })
    }

    /// Runs both halves until `shutdown`. Then the logins that wait become insights, and these become files, before it
    /// returns. If one half ends by itself, so does the other.
    ///
    /// # Errors
    /// [`ConsumerError`] where it had to end by itself; it is [`KafkaError::Unreachable`] where the coordinator of
    /// transactions does not answer within 30 s.
    pub async fn run(
        self,
        members: Runner,
        kafka: &KafkaSettings,
        shutdown: CancellationToken,
    ) -> Result<(), ConsumerError> {
        let Runner { logins, files, instance } = members;
        let producer = TransactionalProducer::of_instance(kafka, NAME, instance.as_deref());
        let Some(producer) = shutdown.run_until_cancelled(producer).await else { return Ok(()) };
        let producer = producer?;
        let (stop_insights, stop_files) = (shutdown.child_token(), CancellationToken::new());
        let making = Box::pin(async {
            let end = logins.run_transactional(&self.insights, &producer, stop_insights.clone()).await;
            if end.is_ok() {
                stop_files.run_until_cancelled(catch_up(kafka)).await;
            }
            stop_files.cancel();
            end
        });
        let writing = Box::pin(async {
            let end = files.run_keyed(&self.files, None, stop_files.clone()).await;
            stop_files.cancel();
            stop_insights.cancel();
            end
        });
        let (made, written) = tokio::join!(making, writing);
        made.and(written)
    }
}

/// Waits for the files of all insights that are there now, whichever process writes them.
async fn catch_up(kafka: &KafkaSettings) {
    match tokio::time::timeout(CATCH_UP, files_written(kafka)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "ending without knowing whether every insight has its file"),
        Err(_) => tracing::warn!("ending before every insight has its file: the others follow after the restart"),
    }
}

async fn files_written(kafka: &KafkaSettings) -> Result<(), KafkaError> {
    let cluster = AdminClient::new(kafka)?;
    let mut topics = cluster.overview(CATCH_UP).await?.topics;
    topics.retain(|name, _| name == insight::TOPIC);
    let ends = cluster.end_offsets(&topics, CATCH_UP).await?;
    let mut look = tokio::time::interval(POLL_INTERVAL);
    loop {
        look.tick().await;
        if covers(&committed(&cluster, &topics).await?, &ends) {
            return Ok(());
        }
    }
}

async fn committed(cluster: &AdminClient, topics: &BTreeMap<String, i32>) -> Result<Offsets, KafkaError> {
    cluster.committed(&files_subscription().group, topics, CATCH_UP).await
}

fn covers(committed: &Offsets, ends: &Offsets) -> bool {
    ends.iter().all(|(place, end)| committed.get(place).copied().unwrap_or(0) >= *end)
}

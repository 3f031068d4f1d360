//! Start-up of the log indexer, for every host.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use millrace_consumer::Subscription;
use millrace_host::app::{AppEnv, AppError, BoxFuture, ConsumerApp, DatabaseUse, SettingsContext, Started};
use millrace_host::exit::SettingError;

use crate::cluster::{Cluster, OpenError};
use crate::day_index::DayIndices;
use crate::indexer::LogIndexer;
use crate::retention::delete_old;
use crate::settings::Settings;

impl ConsumerApp for LogIndexer {
    const NAME: &'static str = crate::NAME;
    const ABOUT: &'static str = "Index cleaned logs from Kafka in OpenSearch, each at least once and under its own id";
    const EXAMPLES: &'static str = "\
Examples:
  millrace-log-indexer --kafka localhost:9092 --index-to http://localhost:9200
      an index for each day, such as millrace-logs-2026.01.31, for 30 days
  millrace-log-indexer --kafka localhost:9092 --index-to https://user:password@search:9200 --index-retain 7d
      in a cluster that asks for a password, for a week
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 MILLRACE_INDEX_TO=https://vpc-logs.eu-central-1.es.amazonaws.com \\
      MILLRACE_INDEX_SIGN=true millrace-log-indexer
      in Amazon OpenSearch Service, from the environment (built with the cargo feature aws)";
    const DATABASE: DatabaseUse = DatabaseUse::None;

    type Settings = Settings;

    fn subscriptions() -> Vec<Subscription> {
        vec![crate::subscription()]
    }

    fn is_wanted(settings: &Settings) -> bool {
        settings.index_to.is_some()
    }

    fn build(settings: Settings, context: &SettingsContext<'_>) -> Result<Self, AppError> {
        let (retain, limits) = (settings.retain(context.is_local), settings.limits());
        let Some(url) = settings.cluster()? else {
            let problem = "is needed: the URL of an OpenSearch cluster, such as https://search:9200";
            return Err(SettingError::of_flag("index-to", problem).into());
        };
        if settings.index_sign && !(url.username().is_empty() && url.password().is_none()) {
            return Err(SettingError::of_flag("index-sign", "--index-to has a user: a request has either").into());
        }
        #[cfg(not(feature = "sigv4"))]
        if settings.index_sign {
            let problem = "signing is not in this build (cargo feature `aws`)";
            return Err(SettingError::of_flag("index-sign", problem).into());
        }
        let cluster = Cluster::open(url, settings.index_timeout).map_err(|error| match error {
            OpenError::Setting(error) => error.into(),
            OpenError::Http(error) => AppError::start(error),
        })?;
        Ok(Self::new(cluster, DayIndices::new(settings.index_prefix), retain, limits, settings.index_sign))
    }

    #[cfg_attr(not(feature = "sigv4"), expect(unused_mut, reason = "a signer is added"))]
    fn start(mut self, env: AppEnv) -> BoxFuture<'static, Result<Started, AppError>> {
        Box::pin(async move {
            #[cfg(feature = "sigv4")]
            if self.is_signed {
                let signer = crate::signature::Signer::from_env().await;
                self.cluster.sign_with(signer.map_err(|problem| SettingError::of_flag("index-sign", problem))?);
            }
            let consumer = env.consumer(crate::subscription(), self.options(env.options.clone()));
            let (progress, shutdown) = (consumer.progress(), env.shutdown);
            Ok(Started::new(progress, async move {
                let beside = async {
                    // So that a wrong URL or password is told before there are rows.
                    if let Err(error) = self.ensure_template(Timestamp::now().to_zoned(TimeZone::UTC).date()).await {
                        tracing::warn!(%error, "OpenSearch cannot be used yet; rows will wait");
                    }
                    match self.retain {
                        Some(retain) => delete_old(&self.cluster, &self.indices, retain).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    end = consumer.run_batches(&self, shutdown) => end,
                    never = beside => match never {},
                }
            }))
        })
    }
}

//! Start-up of the notifier, for every host.

use millrace_consumer::{ConsumerOptions, Subscription};
use millrace_host::app::{AppEnv, AppError, BoxFuture, ConsumerApp, DatabaseUse, SettingsContext, Started};
use millrace_store::RetainedTable;

use crate::notifier::Notifier;
use crate::settings::Settings;

impl ConsumerApp for Notifier {
    const NAME: &'static str = crate::NAME;
    const ABOUT: &'static str = "Deliver notifications from Kafka: console, webhooks, mail, Slack, Teams, SNS";
    const EXAMPLES: &'static str = "\
Examples:
  millrace-notifier --kafka localhost:9092
      every notification on stdout
  millrace-notifier --kafka localhost:9092 --notifier-config notifier.toml
      to the destinations in the file
  millrace-notifier --kafka localhost:9092 --database postgres://millrace@db/millrace
      recorded deliveries are not repeated
  millrace-notifier --kafka localhost:9092 --database postgres://millrace@db/millrace --retain 90d
      notifications and deliveries older than 90 days are deleted
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 MILLRACE_NOTIFIER_CONFIG=/etc/notifier.toml millrace-notifier
      the same settings from the environment";
    const DATABASE: DatabaseUse = DatabaseUse::Optional;

    type Settings = Settings;

    fn subscriptions() -> Vec<Subscription> {
        vec![crate::subscription()]
    }

    fn build(mut settings: Settings, context: &SettingsContext<'_>) -> Result<Self, AppError> {
        // On a laptop, destinations are on the laptop itself.
        settings.allow_private_destinations |= context.is_local;
        Self::from_settings(&settings).map_err(AppError::start)
    }

    fn start(self, env: AppEnv) -> BoxFuture<'static, Result<Started, AppError>> {
        Box::pin(async move {
            let deletion = env.store.as_ref().map(|store| env.retention.start(store, RetainedTable::Notifications));
            let notifier = if let Some(store) = env.store.clone() {
                self.recording_in(store)
            } else {
                tracing::warn!(
                    "no --database: a repeated id, or a record read again after a crash, is delivered again"
                );
                self
            };
            let options = consumer_options(env.options.clone());
            let notifier = notifier.within(&options);
            let consumer = env.consumer(crate::subscription(), options);
            let (progress, shutdown) = (consumer.progress(), env.shutdown);
            Ok(Started::new(progress, async move {
                let _deletion = deletion;
                consumer.run_keyed(&notifier, Some(&notifier), shutdown).await
            }))
        })
    }
}

/// The options it runs with: concurrency equals the records in flight.
///
/// Each destination limits its own concurrency. A limit across all of them would let slow destinations block the
/// others.
fn consumer_options(options: ConsumerOptions) -> ConsumerOptions {
    ConsumerOptions { concurrency: options.max_in_flight, ..options }
}

//! Start-up of the event store, for every host.

use std::time::Duration;

use millrace_consumer::Subscription;
use millrace_host::app::{AppEnv, AppError, BoxFuture, ConsumerApp, DatabaseUse, SettingsContext, Started};
use millrace_store::RetainedTable;

use crate::event_store::EventStore;

/// How long the lookup of the cluster's id may take.
const CLUSTER_ID_TIMEOUT: Duration = Duration::from_secs(25);

/// The event store's start-up, before its database is open.
#[derive(Debug)]
pub struct EventStoreApp;

/// No settings of its own.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)] // clap names groups after types, and each consumer has `Settings`
pub struct Settings {}

impl ConsumerApp for EventStoreApp {
    const NAME: &'static str = crate::NAME;
    const ABOUT: &'static str = "Store events and payments from Kafka in a database, each of them once";
    const EXAMPLES: &'static str = "\
Examples:
  millrace-event-store --kafka localhost:9092 --database postgres://millrace@localhost/millrace
  millrace-event-store --kafka localhost:9092 --database sqlite:///var/lib/millrace/events.db
  millrace-event-store --kafka localhost:9092 --database postgres://localhost/millrace --retain 90d
      events older than 90 days are deleted
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 DATABASE_URL=postgres://… millrace-event-store
      the same settings from the environment";
    const DATABASE: DatabaseUse = DatabaseUse::Required;

    type Settings = Settings;

    fn subscriptions() -> Vec<Subscription> {
        vec![crate::subscription()]
    }

    fn build(_settings: Settings, _context: &SettingsContext<'_>) -> Result<Self, AppError> {
        Ok(Self)
    }

    fn start(self, env: AppEnv) -> BoxFuture<'static, Result<Started, AppError>> {
        Box::pin(async move {
            let store = env.required_store()?;
            let events = EventStore::of(store.clone(), &env.admin, CLUSTER_ID_TIMEOUT).await?;
            let deletion = env.retention.start(&store, RetainedTable::Events);
            let consumer = env.consumer(crate::subscription(), env.options.clone());
            let (progress, shutdown) = (consumer.progress(), env.shutdown);
            Ok(Started::new(progress, async move {
                let _deletion = deletion;
                consumer.run_batches(&events, shutdown).await
            }))
        })
    }
}

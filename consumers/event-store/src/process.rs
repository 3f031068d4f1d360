//! The container's binary: command line and start-up.

use clap::Parser;
use millrace_host::consumer::Context;
use millrace_host::database;
use millrace_host::health::Status;
use millrace_host::kafka_consumer::{self, BROKER_TIMEOUT, KafkaArgs, ProcessError};
use millrace_host::retention::Retention;
use millrace_store::RetainedTable;

use crate::event_store::EventStore;

const EXAMPLES: &str = "\
Examples:
  millrace-event-store --kafka localhost:9092 --database postgres://millrace@localhost/millrace
  millrace-event-store --kafka localhost:9092 --database sqlite:///var/lib/millrace/events.db
  millrace-event-store --kafka localhost:9092 --database postgres://localhost/millrace --retain 90d
      events older than 90 days are deleted
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 DATABASE_URL=postgres://… millrace-event-store
      the same settings from the environment";

/// Store events and payments from Kafka in a database, each of them once
#[derive(Debug, Parser)]
#[command(name = "millrace-event-store", version, after_help = EXAMPLES)]
pub struct CommandLine {
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Database that stores the events: a PostgreSQL or SQLite URL
    #[arg(long, value_name = "URL", hide_env_values = true)]
    database: String,
    #[command(flatten)]
    retention: Retention,
}

/// Runs the event store until shutdown.
///
/// # Errors
/// [`ProcessError`] where it cannot start, or the consumer fails.
pub async fn run(settings: CommandLine, context: Context) -> Result<(), ProcessError> {
    database::check(&settings.database, &context.origins).map_err(ProcessError::Setting)?;
    let Some(kafka) = settings.kafka.connect(&context).await? else { return Ok(()) };
    let opening = database::open(&settings.database, &context.origins);
    let Some(store) = context.shutdown.run_until_cancelled(opening).await else { return Ok(()) };
    let store = store.map_err(ProcessError::start)?;
    context.health.set("database", Status::Ok);
    let events = EventStore::of(store.clone(), &kafka.cluster, BROKER_TIMEOUT).await?;
    let _deletion = settings.retention.start(&store, RetainedTable::Events);
    let consumer = kafka.consumer(crate::subscription(), kafka.options.clone());
    let progress = consumer.progress();
    let outcome =
        kafka_consumer::run(&context, &progress, consumer.run_batches(&events, context.shutdown.clone())).await;
    store.close().await;
    outcome
}

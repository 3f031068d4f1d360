//! The container's binary: command line and start-up.

use clap::Parser;
use millrace_host::consumer::Context;
use millrace_host::kafka_consumer::{self, KafkaArgs, ProcessError};
use millrace_kafka::producer::TransactionalProducer;

use crate::payments::Payments;
use crate::settings::Settings;

const EXAMPLES: &str = "\
Examples:
  millrace-payments --kafka localhost:9092
      pays every order up to 10000
  millrace-payments --kafka localhost:9092 --payment-delay 1s --decline-above 99.50
      a slow gateway that declines amounts above 99.50
  millrace-payments --kafka localhost:9092 --group-instance-id payments-1
      static membership: after a crash, aborts the open transaction and resumes at once
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 MILLRACE_PAYMENT_DELAY=1s millrace-payments
      the same settings from the environment";

/// Pay orders from Kafka, each of them exactly once
#[derive(Debug, Parser)]
#[command(name = "millrace-payments", version, after_help = EXAMPLES)]
pub struct CommandLine {
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    payments: Settings,
}

/// Pays orders until shutdown.
///
/// # Errors
/// [`ProcessError`] where it cannot start, or the consumer fails.
pub async fn run(settings: CommandLine, context: Context) -> Result<(), ProcessError> {
    let payments = Payments::from_settings(&settings.payments);
    let Some(kafka) = settings.kafka.connect(&context).await? else { return Ok(()) };
    let instance = kafka.options.group_instance_id.as_deref();
    let producer = TransactionalProducer::of_instance(&kafka.kafka, crate::NAME, instance);
    let Some(producer) = context.shutdown.run_until_cancelled(producer).await else { return Ok(()) };
    let producer = producer?;
    let consumer = kafka.consumer(crate::subscription(), kafka.options.clone());
    let progress = consumer.progress();
    let consuming = consumer.run_transactional(&payments, &producer, context.shutdown.clone());
    kafka_consumer::run(&context, &progress, consuming).await
}

//! Start-up of payments, for every host.

use millrace_consumer::Subscription;
use millrace_host::app::{AppEnv, AppError, BoxFuture, ConsumerApp, DatabaseUse, SettingsContext, Started};
use millrace_kafka::producer::TransactionalProducer;

use crate::payments::Payments;
use crate::settings::Settings;

impl ConsumerApp for Payments {
    const NAME: &'static str = crate::NAME;
    const ABOUT: &'static str = "Pay orders from Kafka, each of them exactly once";
    const EXAMPLES: &'static str = "\
Examples:
  millrace-payments --kafka localhost:9092
      pays every order up to 10000
  millrace-payments --kafka localhost:9092 --payment-delay 1s --decline-above 99.50
      a slow gateway that declines amounts above 99.50
  millrace-payments --kafka localhost:9092 --group-instance-id payments-1
      after a crash, the instance resolves the open transaction of its last process at once
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 MILLRACE_PAYMENT_DELAY=1s millrace-payments
      the same settings from the environment";
    const DATABASE: DatabaseUse = DatabaseUse::None;

    type Settings = Settings;

    fn subscriptions() -> Vec<Subscription> {
        vec![crate::subscription()]
    }

    fn build(settings: Settings, _context: &SettingsContext<'_>) -> Result<Self, AppError> {
        Ok(Self::from_settings(&settings))
    }

    fn start(self, env: AppEnv) -> BoxFuture<'static, Result<Started, AppError>> {
        Box::pin(async move {
            let instance = env.options.group_instance_id.as_deref();
            let producer = TransactionalProducer::of_instance(&env.kafka, crate::NAME, instance).await?;
            let consumer = env.consumer(crate::subscription(), env.options.clone());
            let (progress, shutdown) = (consumer.progress(), env.shutdown);
            Ok(Started::new(progress, async move { consumer.run_transactional(&self, &producer, shutdown).await }))
        })
    }
}

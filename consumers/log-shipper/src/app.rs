//! Start-up of the log shipper, for every host.

use millrace_consumer::Subscription;
use millrace_host::app::{AppEnv, AppError, BoxFuture, ConsumerApp, DatabaseUse, SettingsContext, Started};
use millrace_host::exit::SettingError;
use millrace_objects::Objects;

use crate::settings::{Destination, Settings};
use crate::shipper::LogShipper;
use crate::sink::Sink;
#[cfg(feature = "firehose")]
use crate::sink::firehose::FirehoseSink;
use crate::sink::objects::ObjectSink;

impl ConsumerApp for LogShipper {
    const NAME: &'static str = crate::NAME;
    const ABOUT: &'static str =
        "Ship raw logs from Kafka to an Amazon Data Firehose stream, a bucket or a folder, each at least once";
    const EXAMPLES: &'static str = "\
Examples:
  millrace-log-shipper --kafka localhost:9092
      objects in .millrace/lake/raw
  millrace-log-shipper --kafka localhost:9092 --logs-to /var/lib/lake --logs-batch-age 5m --logs-compression zstd
      in another folder, after five minutes or 16 MiB, as Zstandard
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 MILLRACE_LOGS_TO=firehose://logs millrace-log-shipper
      into a Firehose stream, from the environment (built with the cargo feature firehose)";
    const DATABASE: DatabaseUse = DatabaseUse::None;

    type Settings = Settings;

    fn subscriptions() -> Vec<Subscription> {
        vec![crate::subscription()]
    }

    fn build(settings: Settings, context: &SettingsContext<'_>) -> Result<Self, AppError> {
        let destination = settings.destination(context.data_dir);
        let limits = settings.limits(&destination, context.is_local)?;
        let wrong = |problem: String| SettingError::of_flag("logs-to", problem);
        let sink = match destination {
            Destination::Objects(location) => {
                let objects = Objects::open(&location).map_err(|error| wrong(error.to_string()))?;
                Sink::Objects(ObjectSink::new(objects, settings.logs_compression))
            }
            #[cfg(feature = "firehose")]
            Destination::Firehose(stream) => Sink::Firehose(FirehoseSink::new(stream)),
            #[cfg(not(feature = "firehose"))]
            Destination::Firehose(_) => {
                return Err(wrong("Firehose is not in this build (cargo feature `firehose`)".to_owned()).into());
            }
        };
        Ok(Self { sink, limits })
    }

    fn start(self, env: AppEnv) -> BoxFuture<'static, Result<Started, AppError>> {
        Box::pin(async move {
            #[cfg(feature = "firehose")]
            if let Sink::Firehose(firehose) = &self.sink {
                firehose.check().await.map_err(|problem| SettingError::of_flag("logs-to", problem))?;
            }
            let consumer = env.consumer(crate::subscription(), self.options(env.options.clone()));
            let (progress, shutdown) = (consumer.progress(), env.shutdown);
            Ok(Started::new(progress, async move { consumer.run_batches(&self, shutdown).await }))
        })
    }
}

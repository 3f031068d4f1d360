//! Start-up of login insights, for every host.

use futures_util::FutureExt as _;
use millrace_consumer::Subscription;
use millrace_host::app::{AppEnv, AppError, BoxFuture, ConsumerApp, DatabaseUse, SettingsContext, Started};

use crate::runner::{LoginInsights, Runner};
use crate::settings::Settings;

impl ConsumerApp for LoginInsights {
    const NAME: &'static str = crate::NAME;
    const ABOUT: &'static str =
        "Aggregate batches of logins from Kafka into insights, each login in exactly one, and write them as files";
    const EXAMPLES: &'static str = "\
Examples:
  millrace-login-insights --kafka localhost:9092
      files in .millrace/insights
  millrace-login-insights --kafka localhost:9092 --batch-age 1m --insights-to /var/lib/millrace
      in another folder; a batch that is not full closes after a minute
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 MILLRACE_INSIGHTS_TO=s3://lake/logins millrace-login-insights
      in a bucket, from the environment (built with the cargo feature s3)";
    const DATABASE: DatabaseUse = DatabaseUse::None;

    type Settings = Settings;

    fn subscriptions() -> Vec<Subscription> {
        vec![crate::subscription(), crate::files_subscription()]
    }

    fn build(settings: Settings, context: &SettingsContext<'_>) -> Result<Self, AppError> {
        Ok(Self::from_settings(&settings, context.data_dir)?)
    }

    fn start(self, env: AppEnv) -> BoxFuture<'static, Result<Started, AppError>> {
        Box::pin(async move {
            let runner = Runner::new(&env.options, |subscription, options| env.consumer(subscription, options));
            let members = vec![runner.progress(), runner.files_progress()];
            let AppEnv { kafka, shutdown, .. } = env;
            Ok(Started { members, end: async move { self.run(runner, &kafka, shutdown).await }.boxed() })
        })
    }
}

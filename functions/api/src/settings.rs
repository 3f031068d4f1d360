//! The function's settings: environment variables, as a function has no command line.

use clap::{Parser, ValueEnum};
use millrace_host::exit::SettingError;
use millrace_host::settings;
use millrace_host::telemetry::logs::LogSettings;
use millrace_kafka::KafkaSettings;
use millrace_kafka::settings::Security;

use crate::init_error::InitError;
use crate::path::BasePath;

/// Variables that Lambda sets and its runtime requires.
const LAMBDA_VARIABLES: [&str; 4] =
    ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", RUNTIME_API];
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// The HTTP edge as a Lambda function. Configured by environment variables, started by AWS Lambda.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
        cargo lambda build -p millrace-api --profile dist --compiler cargo\n  \
        cargo lambda deploy millrace-api --env-var KAFKA_BOOTSTRAP_SERVERS=b-1.example.com:9092\n\n\
        Outside Lambda, `millrace serve` is the same edge."
)]
pub struct Settings {
    /// Bootstrap brokers, separated by commas
    #[arg(long, value_name = "HOST:PORT,…")]
    kafka: Option<String>,

    /// An MSK cluster, in place of its bootstrap brokers; authenticates with IAM unless KAFKA_SASL_MECHANISM is set
    #[cfg(feature = "msk")]
    #[arg(long, value_name = "ARN", conflicts_with = "kafka")]
    kafka_cluster_arn: Option<String>,

    /// The database that events and notifications are looked up in
    #[cfg(feature = "database")]
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,

    /// The base path of a custom domain's mapping, such as /intake
    #[arg(long, value_name = "PATH")]
    pub(crate) base_path: Option<BasePath>,

    /// Metrics: emf (CloudWatch's Embedded Metric Format, on standard output) or off
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Metrics::Emf)]
    pub(crate) metrics: Metrics,

    #[command(flatten)]
    security: Security,

    /// The logs' settings.
    #[command(flatten)]
    pub logs: LogSettings,
}

/// Where metrics go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Metrics {
    /// To CloudWatch, with every answer.
    Emf,
    /// Nowhere: CloudWatch bills each metric.
    Off,
}

impl Settings {
    /// Reads the process's settings. `--help` and `--version` print and exit.
    ///
    /// # Errors
    /// [`InitError`] names the invalid or missing variable.
    pub fn read() -> Result<Self, InitError> {
        let settings = match settings::try_parse_from(std::env::args_os()) {
            Ok(settings) => settings,
            Err(help) if !help.use_stderr() => help.exit(),
            Err(error) => return Err(error.into()),
        };
        match LAMBDA_VARIABLES.into_iter().find(|name| std::env::var_os(name).is_none()) {
            None => Ok(settings),
            Some(missing) => Err(SettingError::new(missing, "is not set; AWS Lambda sets it").into()),
        }
    }

    /// The bootstrap brokers, for an MSK cluster through a call to AWS.
    #[cfg_attr(not(feature = "msk"), allow(clippy::unused_async, reason = "only the call to AWS waits"))]
    pub(crate) async fn brokers(&self) -> Result<KafkaSettings, InitError> {
        #[cfg(feature = "msk")]
        if let Some(arn) = &self.kafka_cluster_arn {
            let mut security = self.security.clone();
            security.sasl_mechanism.get_or_insert(millrace_kafka::settings::SaslMechanism::AwsMskIam);
            let bootstrap_servers = millrace_kafka::msk::bootstrap_brokers(arn).await?;
            return Ok(KafkaSettings { bootstrap_servers, security, ..KafkaSettings::default() });
        }
        let missing = || SettingError::new("KAFKA_BOOTSTRAP_SERVERS", "is required");
        let bootstrap_servers = self.kafka.clone().ok_or_else(missing)?;
        Ok(KafkaSettings { bootstrap_servers, security: self.security.clone(), ..KafkaSettings::default() })
    }
}

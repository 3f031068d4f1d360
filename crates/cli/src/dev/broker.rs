//! The broker of `millrace dev`: embedded, Apache Kafka started from its jars, or an external one.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use millrace_broker::{Apache, ApacheCluster, Embedded, embedded};
use millrace_consumer::ConsumerOptions;
use millrace_domain::catalogue::catalogue;
use millrace_host::exit::SettingError;
use millrace_host::settings::bootstrap_servers;
use millrace_kafka::KafkaSettings;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::settings::Security;

use crate::topics;

/// The value of `--kafka`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// librdkafka's mock broker, in memory.
    Embedded,
    /// Apache Kafka from its jars.
    Apache,
    /// An external broker at these bootstrap servers.
    At(String),
}

impl Choice {
    /// The named broker, else the embedded one.
    ///
    /// Without a name, security settings are rejected: whoever set them means a broker that has security. Beside a name
    /// they may be variables for other commands, and embedded and apache ignore them.
    pub(super) fn or_embedded(named: Option<Self>, security: &Security) -> Result<Self, SettingError> {
        match named {
            Some(named) => Ok(named),
            None if *security == Security::default() => Ok(Self::Embedded),
            None => Err(SettingError::of_flag(
                "kafka",
                "name the broker that the Kafka security settings (KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_…, KAFKA_SSL_…) \
                 are for; embedded and apache ignore them",
            )),
        }
    }
}

/// Parses `embedded`, `apache` or bootstrap servers.
pub(crate) fn choice(text: &str) -> Result<Choice, String> {
    match text {
        "embedded" => Ok(Choice::Embedded),
        "apache" => Ok(Choice::Apache),
        servers => {
            bootstrap_servers(servers).map(Choice::At).map_err(|error| format!("{error} (or embedded, or apache)"))
        }
    }
}

/// A running broker with the catalogue's topics.
pub(super) enum Broker {
    Embedded { settings: KafkaSettings, _broker: Embedded },
    Apache { settings: KafkaSettings, cluster: ApacheCluster },
    External { settings: KafkaSettings },
}

/// The in-memory broker answers a fetch that found no records only after half of `fetch.wait.max.ms`, even when records
/// arrive meanwhile.
const EMBEDDED_FETCH_WAIT_MS: &str = "40";

/// `linger.ms` of producers on the in-memory broker.
const EMBEDDED_LINGER: Duration = Duration::from_millis(10);

const EMBEDDED_COMMIT_INTERVAL: Duration = Duration::from_millis(100);
const EMBEDDED_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

impl Broker {
    pub(super) async fn start(choice: &Choice, data_dir: &Path, security: Security) -> anyhow::Result<Self> {
        match choice {
            Choice::Embedded => {
                let topics = catalogue().all();
                let topics: Vec<_> = topics.iter().map(|topic| (topic.name.as_str(), topic.partitions)).collect();
                let broker = Embedded::start(&topics)?;
                let mut settings = KafkaSettings::plaintext(broker.bootstrap_servers());
                settings.consumer_overrides.push(("fetch.wait.max.ms".to_owned(), EMBEDDED_FETCH_WAIT_MS.to_owned()));
                tracing::debug!("{}", embedded::LIMITS);
                Ok(Self::Embedded { settings, _broker: broker })
            }
            Choice::Apache => {
                print_step("Starting Apache Kafka from its jars, which Maven fetches the first time.");
                let cluster = Apache::builder(data_dir.join("kafka")).start().await?;
                let settings = KafkaSettings::plaintext(cluster.bootstrap_servers());
                topics::create(&settings).await?;
                Ok(Self::Apache { settings, cluster })
            }
            Choice::At(bootstrap_servers) => {
                print_step(&format!("Checking the topics on {bootstrap_servers}."));
                let settings = KafkaSettings { security, ..KafkaSettings::plaintext(bootstrap_servers) };
                let created = topics::create(&settings).await?;
                if !created.is_empty() {
                    print_step(&format!("Created the missing topics: {}.", created.join(", ")));
                }
                Ok(Self::External { settings })
            }
        }
    }

    pub(super) fn settings(&self) -> &KafkaSettings {
        match self {
            Self::Embedded { settings, .. } | Self::Apache { settings, .. } | Self::External { settings } => settings,
        }
    }

    pub(super) fn is_embedded(&self) -> bool {
        matches!(self, Self::Embedded { .. })
    }

    /// Producer settings. The in-memory broker finds a batch by a linear scan: the fewer batches the better.
    pub(super) fn producer_settings(&self) -> ProducerSettings {
        let settings = ProducerSettings::default();
        if self.is_embedded() { ProducerSettings { linger: EMBEDDED_LINGER, ..settings } } else { settings }
    }

    /// Consumer options. In memory a commit costs nothing and frees capacity; and the embedded broker is stopped only
    /// after its consumers have caught up, so their drain is short.
    pub(super) fn consumer_options(&self, options: ConsumerOptions) -> ConsumerOptions {
        if self.is_embedded() {
            let (commit_interval, drain_deadline) = (EMBEDDED_COMMIT_INTERVAL, EMBEDDED_DRAIN_TIMEOUT);
            ConsumerOptions { commit_interval, drain_deadline, ..options }
        } else {
            options
        }
    }

    /// Resolves when a broker process started here exits unexpectedly.
    pub(super) async fn ended(&self) -> anyhow::Error {
        match self {
            Self::Apache { cluster, .. } => {
                let ends = cluster.brokers().iter().map(|broker| Box::pin(broker.ended()));
                futures_util::future::select_all(ends).await.0.into()
            }
            Self::Embedded { .. } | Self::External { .. } => std::future::pending().await,
        }
    }

    /// The broker's limits, for the banner.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Embedded { .. } => {
                "embedded, in memory: at most 5 MiB a partition, gone at exit,\n           \
                  no transactions: at least once where a real Kafka gives exactly once; Java clients: --kafka apache"
            }
            Self::Apache { .. } => "Apache Kafka, its data kept in the data directory",
            Self::External { .. } => "yours",
        }
    }

    pub(super) async fn stop(self) {
        if let Self::Apache { cluster, .. } = self {
            for broker in cluster.brokers() {
                if let Err(error) = broker.stop().await {
                    tracing::warn!(%error, "Apache Kafka did not stop cleanly");
                }
            }
        }
    }
}

/// Prints a step of a slow start before the banner.
fn print_step(step: &str) {
    // A closed stdout is no error here.
    let _ = writeln!(anstream::stdout(), "{step}");
}

//! Waits until a newly started broker assigns producer ids.
//!
//! Such a broker fetches a block of producer ids from the controller only on the first `InitProducerId` request, and
//! answers that request with `COORDINATOR_LOAD_IN_PROGRESS`. librdkafka logs a warning, retries and succeeds: a false
//! alarm on every start. So a client without log output sends the first request, before the edge's producer is created.

use std::time::Duration;

use anyhow::Context as _;
use millrace_kafka::KafkaSettings;
use millrace_kafka::error::ClientError;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError as RdKafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Statistics};
use tokio_util::sync::CancellationToken;

/// librdkafka's `idemp_state` of a producer that has its id.
const ASSIGNED: &str = "Assigned";

/// `statistics.interval.ms`: how often librdkafka reports the client's state.
const STATISTICS_INTERVAL_MS: &str = "50";

/// A producer that requests an id and writes nothing.
#[derive(Default)]
struct ProducerIdProbe {
    has_id: CancellationToken,
}

impl ClientContext for ProducerIdProbe {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, line: &str) {
        tracing::debug!(target: "librdkafka", facility, "{line}");
    }

    fn error(&self, error: RdKafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", error = %ClientError(error), "{reason}");
    }

    fn stats(&self, statistics: Statistics) {
        if statistics.eos.is_some_and(|state| state.idemp_state == ASSIGNED) {
            self.has_id.cancel();
        }
    }
}

impl ProducerContext for ProducerIdProbe {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Whether the broker assigned a producer id within `timeout`.
///
/// Fails on wrong settings.
pub(super) async fn wait(settings: &KafkaSettings, timeout: Duration) -> anyhow::Result<bool> {
    let probe = ProducerIdProbe::default();
    let has_id = probe.has_id.clone();
    let mut config = settings.client_config("producer-ids")?;
    config.set("enable.idempotence", "true").set("statistics.interval.ms", STATISTICS_INTERVAL_MS);
    let client: ThreadedProducer<ProducerIdProbe> =
        config.create_with_context(probe).context("requesting a producer id")?;
    let is_assigned = tokio::time::timeout(timeout, has_id.cancelled()).await.is_ok();
    drop(client);
    Ok(is_assigned)
}

#[cfg(test)]
mod tests {
    use millrace_testkit::kafka;

    use super::*;

    #[tokio::test]
    async fn a_new_broker_assigns_a_producer_id() {
        let Some(kafka) = kafka::dedicated(|builder| builder).await else { return };
        let settings = KafkaSettings::plaintext(kafka.bootstrap_servers());
        assert!(wait(&settings, Duration::from_secs(30)).await.unwrap());
    }

    #[tokio::test]
    async fn without_a_broker_the_wait_times_out() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = KafkaSettings::plaintext(silent.local_addr().unwrap().to_string());
        assert!(!wait(&settings, Duration::from_millis(300)).await.unwrap());
    }
}

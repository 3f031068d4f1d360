//! Waits until a broker hands out producer ids.
//!
//! A broker that has just started gets itself a block of ids from the controller only when a client asks for the first
//! one, and answers that client that it is still loading. librdkafka warns of that, asks again after a moment and is
//! served: a warning about nothing in front of everyone who starts the broker here. So a client that keeps it to itself
//! asks first, and the edge's producer, with all its warnings, comes after it.

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

/// What librdkafka calls an idempotent producer that has its id.
const HAS_ID: &str = "Assigned";

/// How often librdkafka tells the state of the client.
const TELL_EVERY_MS: &str = "50";

/// A client that wants an id and nothing else.
#[derive(Default)]
struct Asking {
    has_id: CancellationToken,
}

impl ClientContext for Asking {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, line: &str) {
        tracing::debug!(target: "librdkafka", facility, "{line}");
    }

    fn error(&self, error: RdKafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", error = %ClientError(error), "{reason}");
    }

    fn stats(&self, statistics: Statistics) {
        if statistics.eos.is_some_and(|state| state.idemp_state == HAS_ID) {
            self.has_id.cancel();
        }
    }
}

impl ProducerContext for Asking {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Whether the broker has handed out an id within `patience`.
///
/// Fails where the settings are wrong.
pub(super) async fn handed_out(settings: &KafkaSettings, patience: Duration) -> anyhow::Result<bool> {
    let asking = Asking::default();
    let has_id = asking.has_id.clone();
    let mut config = settings.client_config("producer-ids")?;
    config.set("enable.idempotence", "true").set("statistics.interval.ms", TELL_EVERY_MS);
    let client: ThreadedProducer<Asking> = config.create_with_context(asking).context("asking for a producer id")?;
    let is_handed_out = tokio::time::timeout(patience, has_id.cancelled()).await.is_ok();
    drop(client);
    Ok(is_handed_out)
}

#[cfg(test)]
mod tests {
    use millrace_testkit::kafka;

    use super::*;

    #[tokio::test]
    async fn a_broker_that_has_just_started_hands_out_an_id() {
        let Some(kafka) = kafka::dedicated(|builder| builder).await else { return };
        let settings = KafkaSettings::plaintext(kafka.bootstrap_servers());
        assert!(handed_out(&settings, Duration::from_secs(30)).await.unwrap());
    }

    #[tokio::test]
    async fn where_no_broker_answers_the_wait_ends() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = KafkaSettings::plaintext(silent.local_addr().unwrap().to_string());
        assert!(!handed_out(&settings, Duration::from_millis(300)).await.unwrap());
    }
}

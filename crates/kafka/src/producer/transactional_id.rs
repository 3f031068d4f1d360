//! Transactional ids of a consumer's instances.

use std::time::Duration;

use millrace_domain::EventId;

use super::{ProducerSettings, TransactionError, TransactionalProducer};
use crate::error::KafkaError;
use crate::settings::KafkaSettings;

/// How long the transaction coordinator may take to answer.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);

impl TransactionalProducer {
    /// An initialized producer with the transactional id of an instance of `consumer`.
    ///
    /// A named instance (`group.instance.id`) keeps its id across restarts, and aborts at once the transaction that its
    /// last process left open. Any other has a new id in each process; the broker aborts what it leaves open after the
    /// transaction time-out.
    ///
    /// # Errors
    /// [`KafkaError`]; where no coordinator answers, after 30 s.
    pub async fn of_instance(
        kafka: &KafkaSettings,
        consumer: &str,
        instance: Option<&str>,
    ) -> Result<Self, KafkaError> {
        let id = transactional_id(consumer, instance);
        let producer = Self::new(kafka, &ProducerSettings::default(), &id)?;
        producer.init_transactions(INIT_TIMEOUT).await.map_err(|error| match error {
            TransactionError::Client(failure) => failure,
            error => KafkaError::Unreachable {
                bootstrap: kafka.bootstrap_servers.clone(),
                reason: format!(
                    "waited {} s for the coordinator of transactions as {id}: {error}",
                    INIT_TIMEOUT.as_secs()
                ),
            },
        })?;
        Ok(producer)
    }
}

fn transactional_id(consumer: &str, instance: Option<&str>) -> String {
    match instance {
        Some(instance) => format!("millrace-{consumer}-{instance}"),
        None => format!("millrace-{consumer}-{}", EventId::random().as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Others have a new one in each process.
    #[test]
    fn a_named_instance_keeps_its_transactional_id() {
        assert_eq!(transactional_id("payments", Some("a-1")), "millrace-payments-a-1");
        let ids = [(); 2].map(|()| transactional_id("payments", None));
        assert!(ids[0] != ids[1] && ids.iter().all(|id| id.starts_with("millrace-payments-")));
    }
}

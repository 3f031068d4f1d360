//! Under which name an instance of a consumer writes its transactions.

use std::time::Duration;

use millrace_domain::EventId;

use super::{ProducerSettings, TransactionError, TransactionalProducer};
use crate::error::KafkaError;
use crate::settings::KafkaSettings;

/// How long the coordinator of transactions may take to answer.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);

impl TransactionalProducer {
    /// A producer that has taken over the transactional id of an instance of `consumer`.
    ///
    /// An instance with a name of its own (Kafka's `group.instance.id`)
    /// keeps its id across restarts, and ends at once what its last life left open. Any other has an id of its own in
    /// each life; what it leaves open, the broker ends after the transactions' time-out.
    ///
    /// # Errors
    /// [`KafkaError`]; where nobody answers, after 30 s.
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

    #[test]
    fn a_named_instance_keeps_its_transactional_id_and_others_have_a_new_one_in_each_life() {
        assert_eq!(transactional_id("payments", Some("a-1")), "millrace-payments-a-1");
        let ids = [(); 2].map(|()| transactional_id("payments", None));
        assert!(ids[0] != ids[1] && ids.iter().all(|id| id.starts_with("millrace-payments-")));
    }
}

//! Under which name this process writes its transactions.

use std::time::Duration;

use millrace_kafka::consumer::ConsumerOptions;
use millrace_kafka::producer::{ProducerSettings, TransactionError, TransactionalProducer};
use millrace_kafka::{KafkaFailure, KafkaSettings};
use uuid::Uuid;

use crate::NAME;

/// How long the coordinator of transactions may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A producer that has taken over the transactional id of this instance.
///
/// An instance with a name of its own ([`group_instance_id`](ConsumerOptions::group_instance_id)) keeps its id across
/// restarts, and ends at once what its last life left open. Any other has an id of its own in each life; what it leaves
/// open, the broker ends after the transactions' time-out.
///
/// # Errors
/// [`KafkaFailure`]; where nobody answers, after 30 s.
pub async fn transactional_producer(
    kafka: &KafkaSettings,
    options: &ConsumerOptions,
) -> Result<TransactionalProducer, KafkaFailure> {
    let id = transactional_id(options);
    let producer = TransactionalProducer::new(kafka, &ProducerSettings::default(), &id)?;
    producer.take_over(PATIENCE).await.map_err(|error| match error {
        TransactionError::Client(failure) => failure,
        error => KafkaFailure::Unreachable {
            bootstrap: kafka.bootstrap_servers.clone(),
            reason: format!("waited {} s for the coordinator of transactions as {id}: {error}", PATIENCE.as_secs()),
        },
    })?;
    Ok(producer)
}

fn transactional_id(options: &ConsumerOptions) -> String {
    match &options.group_instance_id {
        Some(instance) => format!("millrace-{NAME}-{instance}"),
        None => format!("millrace-{NAME}-{}", Uuid::now_v7()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_instance_keeps_its_transactional_id_and_others_have_a_new_one_in_each_life() {
        let named = ConsumerOptions { group_instance_id: Some("a-1".to_owned()), ..ConsumerOptions::default() };
        assert_eq!(transactional_id(&named), "millrace-payments-a-1");
        let ids = [(); 2].map(|()| transactional_id(&ConsumerOptions::default()));
        assert!(ids[0] != ids[1] && ids.iter().all(|id| id.starts_with("millrace-payments-")));
    }
}

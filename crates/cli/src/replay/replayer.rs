//! Writes records back to their source topic and commits the replayed offsets, in one Kafka transaction.
//!
//! However a replay ends, a dead letter is either replayed and committed, or neither. A killed replay leaves a
//! transaction open; `initTransactions` of the next one aborts it.

use std::collections::BTreeMap;

use millrace_consumer::CompletedOffsets;
use millrace_kafka::producer::{ProducerSettings, TransactionError, TransactionalProducer};
use millrace_kafka::{Committed, GroupOffsets, KafkaError, KafkaSettings};
use thiserror::Error;

use super::dead_letter_record::DeadLetterRecord;
use super::replayed::{self, MetadataTooLarge};
use super::scan::Partition;
use crate::broker::BROKER_TIMEOUT;

/// The group whose committed offsets record what was replayed.
pub(crate) const GROUP: &str = "millrace-replay";

/// Why dead letters were not replayed.
#[derive(Debug, Error)]
pub(super) enum ReplayError {
    /// See [`MetadataTooLarge`].
    #[error(transparent)]
    Progress(#[from] MetadataTooLarge),
    /// See [`TransactionError`].
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// See [`KafkaError`].
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

/// A transactional producer that replays the dead letters of one topic.
#[derive(Debug)]
pub(super) struct Replayer {
    producer: TransactionalProducer,
    offsets: GroupOffsets,
    in_memory: bool,
}

impl Replayer {
    /// Initializes transactions for `topic`, which fences any other replay of it.
    pub(super) async fn init_transactions(
        settings: &KafkaSettings,
        topic: &str,
        offsets: GroupOffsets,
        in_memory: bool,
    ) -> Result<Self, ReplayError> {
        let id = format!("{GROUP}-{topic}");
        let producer = TransactionalProducer::new(settings, &ProducerSettings::default(), &id)?;
        producer.init_transactions(BROKER_TIMEOUT).await?;
        Ok(Self { producer, offsets, in_memory })
    }

    /// Replays `dead_letters` in one transaction, and marks them as replayed in `partitions`.
    pub(super) async fn replay(
        &self,
        dead_letters: &[DeadLetterRecord],
        partitions: &mut BTreeMap<i32, Partition>,
    ) -> Result<(), ReplayError> {
        let mut after: BTreeMap<i32, CompletedOffsets> = BTreeMap::new();
        for dead_letter in dead_letters {
            let Some(partition) = partitions.get(&dead_letter.partition) else { continue };
            let replayed = after.entry(dead_letter.partition).or_insert_with(|| partition.replayed.clone());
            replayed.insert(dead_letter.offset, dead_letter.offset + 1);
        }
        let commits = after.iter().map(|(&partition, replayed)| Ok((partition, replayed::commit(replayed)?)));
        let commits: BTreeMap<i32, Committed> = commits.collect::<Result<_, MetadataTooLarge>>()?;
        let records = dead_letters.iter().map(DeadLetterRecord::record).collect();
        self.producer.write_for(records, &self.offsets, &commits).await?;
        if self.in_memory {
            // The embedded broker accepts transactions but drops their offsets.
            self.offsets.commit(&commits).await?;
        }
        for (number, replayed) in after {
            if let Some(partition) = partitions.get_mut(&number) {
                partition.replayed = replayed;
            }
        }
        Ok(())
    }
}

//! Writes letters back, each together with the record that it was replayed.
//!
//! Both are one Kafka transaction: whatever ends a replay, a letter is either back on its topic and recorded as such, or
//! neither. A replay that is killed leaves a transaction open; the next one aborts it before it begins.

use std::collections::BTreeMap;

use millrace_consumer::CompletedOffsets;
use millrace_kafka::producer::{ProducerSettings, TransactionError, TransactionalProducer};
use millrace_kafka::{Committed, GroupOffsets, KafkaError, KafkaSettings};
use thiserror::Error;

use super::letter::Letter;
use super::replayed::{self, TooScattered};
use super::scan::Partition;
use crate::broker::BROKER_TIMEOUT;

/// The group whose offsets say what was replayed.
pub(crate) const GROUP: &str = "millrace-replay";

/// Why letters were not written.
#[derive(Debug, Error)]
pub(super) enum CopyError {
    /// See [`TooScattered`].
    #[error(transparent)]
    Progress(#[from] TooScattered),
    /// See [`TransactionError`].
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// See [`KafkaError`].
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Replayer {
    producer: TransactionalProducer,
    offsets: GroupOffsets,
    in_memory: bool,
}

impl Replayer {
    /// Takes replaying `topic` over from any other process.
    pub(super) async fn init_transactions(
        settings: &KafkaSettings,
        topic: &str,
        offsets: GroupOffsets,
        in_memory: bool,
    ) -> Result<Self, CopyError> {
        let id = format!("{GROUP}-{topic}");
        let producer = TransactionalProducer::new(settings, &ProducerSettings::default(), &id)?;
        producer.init_transactions(BROKER_TIMEOUT).await?;
        Ok(Self { producer, offsets, in_memory })
    }

    /// Writes `letters` back to their topics and records it, in `partitions` as well.
    pub(super) async fn copy(
        &self,
        letters: &[Letter],
        partitions: &mut BTreeMap<i32, Partition>,
    ) -> Result<(), CopyError> {
        let mut after: BTreeMap<i32, CompletedOffsets> = BTreeMap::new();
        for letter in letters {
            let Some(partition) = partitions.get(&letter.partition) else { continue };
            let replayed = after.entry(letter.partition).or_insert_with(|| partition.replayed.clone());
            replayed.insert(letter.offset, letter.offset + 1);
        }
        let commits = after.iter().map(|(&partition, replayed)| Ok((partition, replayed::commit(replayed)?)));
        let commits: BTreeMap<i32, Committed> = commits.collect::<Result<_, TooScattered>>()?;
        let records = letters.iter().map(Letter::record).collect();
        self.producer.write_for(records, &self.offsets, &commits).await?;
        if self.in_memory {
            // The embedded broker takes transactions and forgets the offsets in them.
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

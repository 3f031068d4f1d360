//! Transactional producer: records and the offsets of their input are committed atomically.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::ErrorClass;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::producer::{Producer as _, ThreadedProducer};
use thiserror::Error;

use super::delivery::DeliveryContext;
use super::{ProduceError, Producer, ProducerRecord, ProducerSettings};
use crate::error::{ClientError, KafkaError};
use crate::failpoint;
use crate::offsets::{Committed, GroupOffsets};
use crate::settings::KafkaSettings;

/// `transaction.timeout.ms`: the broker then aborts a transaction left open. `read_committed` readers wait until then.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);

/// The time-out of one call of a transaction.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a call that fails with a retriable error is made.
const MAX_CALLS: u32 = 3;

/// Why a transaction was not committed.
#[derive(Debug, Error)]
pub enum TransactionError {
    /// One of its records could not be written; it was aborted.
    #[error("record {index} of the transaction: {source}")]
    Record {
        /// The record's index.
        index: usize,
        /// Why.
        source: ProduceError,
    },
    /// It was aborted.
    #[error("the transaction was aborted: {0}")]
    Aborted(String),
    /// The commit metadata is larger than the broker accepts; it was aborted.
    #[error("the commit metadata exceeds the broker's offset.metadata.max.bytes")]
    MetadataTooLarge,
    /// Fenced by a newer producer with the same transactional id; nothing of it was committed.
    #[error("producer fenced: another process with the same transactional id took over")]
    Fenced,
    /// No answer to the commit: the outcome is unknown. The group's committed offsets tell once a broker answers.
    #[error("no answer to the commit, the outcome of the transaction is unknown: {0}")]
    Unknown(String),
    /// A fatal client error.
    #[error(transparent)]
    Client(#[from] KafkaError),
}

impl TransactionError {
    /// Whether to retry: nothing of it was committed, and the cause may be transient.
    pub fn is_worth_retrying(&self) -> bool {
        match self {
            Self::Aborted(_) | Self::MetadataTooLarge => true,
            Self::Record { source, .. } => source.class() == ErrorClass::Transient,
            Self::Fenced | Self::Unknown(_) | Self::Client(_) => false,
        }
    }
}

/// A producer of transactions, one at a time.
#[derive(Debug, Clone)]
pub struct TransactionalProducer(Producer);

impl TransactionalProducer {
    /// A producer with a transactional id, which one process can use at a time: the newest.
    ///
    /// # Errors
    /// [`KafkaError`] where the settings are wrong.
    pub fn new(kafka: &KafkaSettings, settings: &ProducerSettings, id: &str) -> Result<Self, KafkaError> {
        let transactional = [
            ("transactional.id", id.to_owned()),
            ("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string()),
        ];
        Producer::connect(kafka, settings, &transactional).map(Self)
    }

    /// Fences an older producer with the same transactional id, and aborts the transaction it left open. To be called
    /// once, before the first transaction.
    ///
    /// # Errors
    /// [`TransactionError::Aborted`] where the coordinator does not answer in time.
    pub async fn init_transactions(&self, timeout: Duration) -> Result<(), TransactionError> {
        self.call(move |client| client.init_transactions(timeout)).await.map_err(classify)
    }

    /// Writes `records` and commits `offsets` atomically, for a group that has no members.
    ///
    /// The future must not be dropped before it completes: the next call would find the transaction still open.
    ///
    /// # Errors
    /// [`TransactionError`] says whether it may have been committed.
    pub async fn write_for(
        &self,
        records: Vec<ProducerRecord<'_>>,
        group: &GroupOffsets,
        offsets: &BTreeMap<i32, Committed>,
    ) -> Result<(), TransactionError> {
        self.write(records, group.group()?, group.list(offsets)?).await
    }

    /// The same for a member of a group, which must still own the partitions of the offsets.
    pub async fn write(
        &self,
        records: Vec<ProducerRecord<'_>>,
        group: ConsumerGroupMetadata,
        offsets: TopicPartitionList,
    ) -> Result<(), TransactionError> {
        failpoint!("transaction.taken");
        self.0.client.begin_transaction().map_err(classify)?;
        let mut reports = self.0.send_all(records).await.into_iter().enumerate();
        failpoint!("transaction.produced");
        let failed =
            reports.find_map(|(index, report)| Some(TransactionError::Record { index, source: report.err()? }));
        if let Some(failed) = failed {
            return Err(self.abort(failed).await);
        }
        if let Err(error) =
            self.call(move |client| client.send_offsets_to_transaction(&offsets, &group, CALL_TIMEOUT)).await
        {
            return Err(self.abort(classify(error)).await);
        }
        failpoint!("transaction.complete");
        self.commit().await?;
        failpoint!("transaction.committed");
        Ok(())
    }

    async fn commit(&self) -> Result<(), TransactionError> {
        let mut calls = 0;
        loop {
            calls += 1;
            let Err(error) = self.call(|client| client.commit_transaction(CALL_TIMEOUT)).await else { return Ok(()) };
            match error {
                RdKafkaError::Transaction(ref cause) if cause.is_retriable() && calls < MAX_CALLS => {
                    tracing::warn!(error = %ClientError(error), "transaction commit failed, retrying");
                }
                RdKafkaError::Transaction(ref cause) if cause.txn_requires_abort() => {
                    return Err(self.abort(classify(error)).await);
                }
                error if is_fenced(&error) => return Err(TransactionError::Fenced),
                error => return Err(TransactionError::Unknown(ClientError(error).to_string())),
            }
        }
    }

    /// Aborts because of `reason`, unless the producer is fenced.
    async fn abort(&self, reason: TransactionError) -> TransactionError {
        if matches!(reason, TransactionError::Fenced | TransactionError::Client(_)) {
            return reason;
        }
        for calls in 1.. {
            match self.call(|client| client.abort_transaction(CALL_TIMEOUT)).await {
                Ok(()) => break,
                Err(RdKafkaError::Transaction(cause)) if cause.is_retriable() && calls < MAX_CALLS => {
                    let error = ClientError(RdKafkaError::Transaction(cause));
                    tracing::warn!(%error, "transaction abort failed, retrying");
                }
                Err(error) if is_fenced(&error) => return TransactionError::Fenced,
                // The broker aborts it after the transaction time-out.
                Err(error) => return KafkaError::call("aborting a transaction")(error).into(),
            }
        }
        reason
    }

    /// Runs a call on a blocking thread: librdkafka's transaction calls block their caller.
    async fn call<C>(&self, call: C) -> KafkaResult<()>
    where
        C: FnOnce(&ThreadedProducer<DeliveryContext>) -> KafkaResult<()> + Send + 'static,
    {
        let client = Arc::clone(&self.0.client);
        tokio::task::spawn_blocking(move || call(&client)).await.unwrap_or(Err(RdKafkaError::Canceled))
    }
}

fn classify(error: RdKafkaError) -> TransactionError {
    match error {
        error if is_fenced(&error) => TransactionError::Fenced,
        RdKafkaError::Transaction(ref cause) if cause.is_fatal() => {
            KafkaError::call("writing a transaction")(error).into()
        }
        error if error.rdkafka_error_code() == Some(Code::OffsetMetadataTooLarge) => TransactionError::MetadataTooLarge,
        error => TransactionError::Aborted(ClientError(error).to_string()),
    }
}

fn is_fenced(error: &RdKafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch))
}

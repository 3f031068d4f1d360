//! A producer whose records, and the offsets of what they were made from, are seen together or not at all.

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

/// After this the broker aborts a transaction that its producer left behind. So long readers of its topics wait.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);

/// How long one call of a transaction may take.
const CALL: Duration = Duration::from_secs(10);

/// How often a call without an answer is made.
const CALLS: u32 = 3;

/// Why a transaction did not take place.
#[derive(Debug, Error)]
pub enum TransactionError {
    /// One of its records could not be written: nothing of it is seen.
    #[error("record {index} of the transaction: {source}")]
    Record {
        /// The record's place among those given.
        index: usize,
        /// Why.
        source: ProduceError,
    },
    /// It was aborted: nothing of it is seen.
    #[error("the transaction was aborted: {0}")]
    Aborted(String),
    /// The broker does not keep as much text as was to be committed with an offset: nothing of it is seen.
    #[error("the broker keeps too little text with an offset (offset.metadata.max.bytes)")]
    MetadataTooLarge,
    /// A newer producer with the same transactional id took over: nothing of it is seen.
    #[error("another process with the same transactional id took over")]
    Fenced,
    /// Nobody answered whether it was committed. The group's committed offsets tell once the broker is back.
    #[error("nobody answered whether the transaction was committed: {0}")]
    Unknown(String),
    /// The client cannot go on.
    #[error(transparent)]
    Client(#[from] KafkaError),
}

impl TransactionError {
    /// Whether the same may be written again: nothing of it is seen, and what kept it from taking place may pass.
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
    /// A producer under a transactional id, which only one process can use at a time: the newest.
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

    /// Takes the transactional id over: an older producer under it is shut out, and what it left behind is aborted.
    /// To be called once, before anything is written.
    ///
    /// # Errors
    /// [`TransactionError::Aborted`] where the coordinator does not answer in time.
    pub async fn init_transactions(&self, timeout: Duration) -> Result<(), TransactionError> {
        self.call(move |client| client.init_transactions(timeout)).await.map_err(not_taken)
    }

    /// Writes `records` and commits `offsets` for a group that has no members, all of it or nothing.
    ///
    /// Not to be given up half way: a later call would find the transaction still open.
    ///
    /// # Errors
    /// [`TransactionError`] says whether anything of it is seen.
    pub async fn write_for(
        &self,
        records: Vec<ProducerRecord<'_>>,
        group: &GroupOffsets,
        offsets: &BTreeMap<i32, Committed>,
    ) -> Result<(), TransactionError> {
        self.write(records, group.group()?, group.list(offsets)?).await
    }

    /// The same for a member of a group, which must not have lost what the offsets are of.
    pub async fn write(
        &self,
        records: Vec<ProducerRecord<'_>>,
        group: ConsumerGroupMetadata,
        offsets: TopicPartitionList,
    ) -> Result<(), TransactionError> {
        failpoint!("transaction.taken");
        self.0.client.begin_transaction().map_err(not_taken)?;
        let mut reports = self.0.send_all(records).await.into_iter().enumerate();
        failpoint!("transaction.produced");
        let failed =
            reports.find_map(|(index, report)| Some(TransactionError::Record { index, source: report.err()? }));
        if let Some(failed) = failed {
            return Err(self.abort(failed).await);
        }
        if let Err(error) = self.call(move |client| client.send_offsets_to_transaction(&offsets, &group, CALL)).await {
            return Err(self.abort(not_taken(error)).await);
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
            let Err(error) = self.call(|client| client.commit_transaction(CALL)).await else { return Ok(()) };
            match error {
                RdKafkaError::Transaction(ref cause) if cause.is_retriable() && calls < CALLS => {
                    tracing::warn!(error = %ClientError(error), "committing a transaction, asking again");
                }
                RdKafkaError::Transaction(ref cause) if cause.txn_requires_abort() => {
                    return Err(self.abort(not_taken(error)).await);
                }
                error if is_fenced(&error) => return Err(TransactionError::Fenced),
                error => return Err(TransactionError::Unknown(ClientError(error).to_string())),
            }
        }
    }

    /// Aborts because of `reason`, unless a newer producer has done so already.
    async fn abort(&self, reason: TransactionError) -> TransactionError {
        if matches!(reason, TransactionError::Fenced | TransactionError::Client(_)) {
            return reason;
        }
        for calls in 1.. {
            match self.call(|client| client.abort_transaction(CALL)).await {
                Ok(()) => break,
                Err(RdKafkaError::Transaction(cause)) if cause.is_retriable() && calls < CALLS => {
                    let error = ClientError(RdKafkaError::Transaction(cause));
                    tracing::warn!(%error, "aborting a transaction, asking again");
                }
                Err(error) if is_fenced(&error) => return TransactionError::Fenced,
                // The broker aborts it by itself when its time is over.
                Err(error) => return KafkaError::call("aborting a transaction")(error).into(),
            }
        }
        reason
    }

    /// librdkafka's transaction calls block their caller.
    async fn call<C>(&self, call: C) -> KafkaResult<()>
    where
        C: FnOnce(&ThreadedProducer<DeliveryContext>) -> KafkaResult<()> + Send + 'static,
    {
        let client = Arc::clone(&self.0.client);
        tokio::task::spawn_blocking(move || call(&client)).await.unwrap_or(Err(RdKafkaError::Canceled))
    }
}

fn not_taken(error: RdKafkaError) -> TransactionError {
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

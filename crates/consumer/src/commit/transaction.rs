//! Commits in transactions: outputs and the group's offsets become visible together or not at all.
//!
//! Whatever is done when a transaction ends goes into the next one, with the group's offsets (KIP-447): a member that lost
//! its partitions is fenced and cannot commit any more.

use std::mem;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use millrace_domain::Backoff;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult};
use tokio::time::{Instant, Sleep};

use crate::assignment::{Assignment, RecordHandle};
use crate::commit::buffer::{Batch, TransactionBuffer};
use crate::commit::group::GroupCommitter;
use crate::commit::{CommitPolicy, OffsetCommitter, Output};
use crate::context::Context;
use crate::dlq::size_limit::{Refusals, SizeLimits};
use crate::error::ConsumerError;
use crate::processor::Transformer;
use crate::progress::Progress;
use crate::telemetry::{CommitMetrics, MemberMetrics, store};
use millrace_kafka::OwnedProducerRecord;
use millrace_kafka::producer::{ProducerRecord, TransactionError, TransactionalProducer};
use millrace_kafka::{KafkaError, KafkaSettings, ProduceError};

/// Delays between attempts. Nothing is lost meanwhile: the outputs stay, and are written in the next transaction.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(50), cap: Duration::from_secs(5) };

/// Writes outputs and offsets in transactions.
pub(crate) struct TransactionCommitter<'c, P: Transformer> {
    client: &'c StreamConsumer<Context>,
    transformer: &'c P,
    producer: &'c TransactionalProducer,
    progress: &'c Progress,
    /// For the embedded broker, which accepts transactions and drops their offsets: commits them afterwards.
    committer: Option<GroupCommitter<'c>>,
    buffer: TransactionBuffer<P::Product>,
    running: Option<(Instant, BoxFuture<'c, EndedTransaction<P::Product>>)>,
    failures: u32,
    limits: SizeLimits<'c>,
    refusals: Refusals,
    pause: Option<Pin<Box<Sleep>>>,
    metrics: CommitMetrics,
}

type EndedTransaction<T> = (Batch<T>, Result<(), Failure>);

/// Why a transaction did not take place.
enum Failure {
    Transaction(TransactionError),
    /// A dead letter was refused for its size, and is to be tried again.
    LetterTooLarge(Refusals),
    /// A dead letter is refused for good.
    LetterRefused(String),
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        Self::Transaction(error)
    }
}

impl<'c, P: Transformer> TransactionCommitter<'c, P> {
    pub(crate) fn new(
        client: &'c StreamConsumer<Context>,
        kafka: &'c KafkaSettings,
        transformer: &'c P,
        producer: &'c TransactionalProducer,
        progress: &'c Progress,
        committer: Option<GroupCommitter<'c>>,
        metrics: &MemberMetrics,
    ) -> Self {
        Self {
            client,
            transformer,
            producer,
            progress,
            committer,
            buffer: TransactionBuffer::default(),
            running: None,
            failures: 0,
            limits: SizeLimits::new(kafka),
            refusals: Refusals::default(),
            pause: None,
            metrics: metrics.commits(store::TRANSACTION),
        }
    }

    /// Writes a batch in a transaction of its own.
    fn begin(
        &mut self,
        batch: Batch<P::Product>,
        assignment: &Assignment,
    ) -> BoxFuture<'c, EndedTransaction<P::Product>> {
        let frontiers: Vec<_> = batch.parts.iter().map(|part| part.frontier).collect();
        let offsets = assignment.offsets(&frontiers);
        let mut refusals = mem::take(&mut self.refusals);
        let Self { client, transformer, producer, .. } = *self;
        let limits = self.limits.clone();
        async move {
            let no_group = || RdKafkaError::ClientCreation("the consumer has no group".to_owned());
            let Some(group) = client.group_metadata() else {
                let failure = KafkaError::call("committing in a transaction")(no_group());
                return (batch, Err(TransactionError::from(failure).into()));
            };
            let mut records = transformer.to_records(batch.outputs().filter_map(|output| match output {
                Output::Product(product) => Some(product),
                Output::Letter(_) | Output::Nothing => None,
            }));
            let letters: Vec<_> = batch
                .outputs()
                .filter_map(|output| if let Output::Letter(letter) = output { Some(letter) } else { None })
                .collect();
            let headers: Vec<_> = records.iter_mut().map(OwnedProducerRecord::take_headers).collect();
            let records = records.iter().zip(headers).map(|(record, headers)| record.with(headers));
            let outgoing: Vec<ProducerRecord<'_>> =
                letters.iter().map(|letter| letter.as_record()).chain(records).collect();
            let result = match producer.write(outgoing, group, offsets).await {
                Err(TransactionError::Record { index, source: ProduceError::TooLarge }) if index < letters.len() => {
                    let (topic, bytes) = (&letters[index].topic, letters[index].size());
                    match limits.raise(topic, bytes, &mut refusals).await {
                        Ok(()) => Err(Failure::LetterTooLarge(refusals)),
                        Err(reason) => Err(Failure::LetterRefused(reason)),
                    }
                }
                result => result.map_err(Failure::from),
            };
            (batch, result)
        }
        .boxed()
    }

    fn ended(
        &mut self,
        batch: Batch<P::Product>,
        result: Result<(), Failure>,
        assignment: &mut Assignment,
    ) -> Result<(), ConsumerError> {
        match result {
            Ok(()) => {
                self.failures = 0;
                let frontiers: Vec<_> = batch.parts.into_iter().map(|part| part.frontier).collect();
                match &mut self.committer {
                    Some(committer) => committer.send(frontiers, assignment),
                    None => frontiers.into_iter().for_each(|frontier| assignment.committed(frontier, self.progress)),
                }
                Ok(())
            }
            Err(Failure::Transaction(error)) if error.is_worth_retrying() => {
                if matches!(error, TransactionError::MetadataTooLarge) {
                    assignment.commit_watermarks_only();
                }
                self.retry(batch, &error.to_string());
                Ok(())
            }
            Err(Failure::LetterTooLarge(refusals)) => {
                self.refusals = refusals;
                self.retry(batch, "a dead letter was larger than its topic took");
                Ok(())
            }
            Err(Failure::LetterRefused(reason)) => Err(ConsumerError::DeadLetterRefused(reason)),
            Err(Failure::Transaction(error)) => Err(error.into()),
        }
    }

    /// Puts a batch back to be written again after a delay.
    fn retry(&mut self, batch: Batch<P::Product>, error: &str) {
        self.failures += 1;
        let delay = BACKOFF.delay(self.failures, None, &mut rand::rng());
        tracing::warn!(error, ?delay, "transaction failed, retrying");
        self.pause = Some(Box::pin(tokio::time::sleep(delay)));
        self.buffer.put_back(batch);
    }
}

impl<P: Transformer> OffsetCommitter<P::Product> for TransactionCommitter<'_, P> {
    fn policy(&self) -> CommitPolicy {
        CommitPolicy::Transaction
    }

    fn stage(&mut self, handle: RecordHandle, output: Output<P::Product>) {
        // A record without output is covered by its partition's frontier.
        if !matches!(output, Output::Nothing) {
            self.buffer.add(handle, output, Instant::now());
        }
    }

    fn waiting(&self) -> usize {
        self.buffer.products()
    }

    fn commit(&mut self, assignment: &mut Assignment, closing: bool) {
        if self.is_committing() || self.pause.is_some() {
            return;
        }
        self.buffer.forget(|slot| assignment.epoch(slot));
        let frontiers = assignment.uncommitted();
        if frontiers.is_empty() {
            return;
        }
        let (ready, since) = self.buffer.ready(&frontiers);
        let age = since.map_or(Duration::ZERO, |since| since.elapsed());
        let products = if closing { ready } else { self.transformer.batch_size(ready, age).min(ready) };
        if ready > 0 && products == 0 {
            return;
        }
        let batch = self.buffer.take(&frontiers, products);
        self.running = Some((Instant::now(), self.begin(batch, assignment)));
    }

    fn poll(&mut self, context: &mut TaskContext<'_>, assignment: &mut Assignment) -> Poll<Result<(), ConsumerError>> {
        if let Some((begun, running)) = &mut self.running {
            let (batch, result) = ready!(running.as_mut().poll(context));
            match &result {
                Ok(()) => {
                    self.metrics.committed(begun.elapsed());
                    self.metrics.batch(batch.outputs().count());
                }
                Err(Failure::Transaction(TransactionError::Unknown(_))) => self.metrics.unknown(),
                Err(_) => self.metrics.failed(),
            }
            self.running = None;
            return Poll::Ready(self.ended(batch, result, assignment));
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Offsets go with transactions only: a commit beside one could overtake it.
    fn answered(&mut self, result: KafkaResult<()>, assignment: &mut Assignment) {
        if let Some(committer) = &mut self.committer {
            committer.answered(result, assignment);
        }
    }

    fn is_committing(&self) -> bool {
        self.running.is_some() || self.committer.as_ref().is_some_and(OffsetCommitter::is_committing)
    }
}

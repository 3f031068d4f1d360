//! A consumer, ready to run in one of the three modes.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::TransactionalProducer;
use millrace_kafka::{KafkaSettings, Producer};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::assignment::watch::AssignmentWatch;
use crate::attempts::Attempts;
use crate::client;
use crate::commit::OffsetCommitter;
use crate::commit::external::BatchRunner;
use crate::commit::group::GroupCommitter;
use crate::commit::transaction::TransactionCommitter;
use crate::dlq::DeadLetterQueue;
use crate::dlq::size_limit::SizeLimits;
use crate::engine::{Engine, EngineContext};
use crate::error::ConsumerError;
use crate::group_member::{GroupMember, close_all};
use crate::options::{ConsumerOptions, Subscription};
use crate::processor::{BatchProcessor, DestinationQueues, Processor, Transformer};
use crate::progress::Progress;
use crate::scheduler::Scheduler;
use crate::scheduler::batch::PartitionBatcher;
use crate::scheduler::keyed::{KeyedScheduler, Overflow};
use crate::spill::pressure::MemoryPressure;
use crate::spill::topic::TopicRecords;
use crate::start_offsets::OffsetSource;
use crate::telemetry::{self, MemberMetrics};

/// How long a broker may take to say whether it is the embedded one.
const BROKER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a member that joined again after a fence must last until it may do so once more.
const FENCED_INTERVAL: Duration = Duration::from_secs(120);

/// A consumer of some topics, ready to run.
#[derive(Debug)]
pub struct Consumer {
    kafka: KafkaSettings,
    subscription: Subscription,
    options: ConsumerOptions,
    producer: Producer,
    progress: Arc<Progress>,
}

impl Consumer {
    /// A consumer; `producer` writes its dead letters.
    pub fn new(kafka: KafkaSettings, subscription: Subscription, options: ConsumerOptions, producer: Producer) -> Self {
        Self { kafka, subscription, options, producer, progress: Arc::new(Progress::default()) }
    }

    /// Its counters and positions while it runs.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Runs the keyed mode until `shutdown`, then finishes what is in flight, commits and leaves the group. `queues` are
    /// the processor's destination queues, where it defers records.
    ///
    /// # Errors
    /// [`ConsumerError`] where it had to end by itself.
    pub async fn run_keyed<P: Processor<Product = ()>>(
        self,
        processor: &P,
        queues: Option<&dyn DestinationQueues>,
        shutdown: CancellationToken,
    ) -> Result<(), ConsumerError> {
        let mut rejoins = Rejoins::default();
        loop {
            let members = GroupMember::join_each_topic(&self.kafka, &self.subscription, &self.options)?;
            let stop = shutdown.child_token();
            let result =
                self.run_all(&members, &stop, |member| self.keyed_member(member, processor, queues, &stop)).await;
            close_all(members).await;
            if let ControlFlow::Break(end) = self.next_step(result, &mut rejoins, &shutdown) {
                return end;
            }
        }
    }

    async fn keyed_member<P: Processor<Product = ()>>(
        &self,
        member: &GroupMember,
        processor: &P,
        queues: Option<&dyn DestinationQueues>,
        shutdown: &CancellationToken,
    ) -> Result<(), ConsumerError> {
        let offsets = member.offsets();
        let context = self.context(member, &offsets, MemberMetrics::new(&member.subscription));
        let dlq = DeadLetterQueue::immediate(&self.producer, &self.kafka, &self.subscription.group);
        let attempts = Attempts::new(processor, dlq, &context);
        let scheduler = keyed_scheduler(&attempts, queues, &context, Overflow::Spill);
        let committer = GroupCommitter::new(&*member.client, &self.progress, &context.metrics, &member.subscription);
        self.run_engine(member, &context, scheduler, committer, shutdown).await
    }

    /// Runs the batch mode until `shutdown`. Partitions start where the processor has stored their rows, and the group's
    /// offsets follow, so that others see its lag; where the processor stores no offsets, partitions start at the group's.
    ///
    /// # Errors
    /// [`ConsumerError`] where it had to end by itself.
    pub async fn run_batches<P: BatchProcessor>(
        self,
        processor: &P,
        shutdown: CancellationToken,
    ) -> Result<(), ConsumerError> {
        let mut rejoins = Rejoins::default();
        loop {
            let members = GroupMember::join_each_topic(&self.kafka, &self.subscription, &self.options)?;
            let stop = shutdown.child_token();
            let result = self.run_all(&members, &stop, |member| self.batch_member(member, processor, &stop)).await;
            close_all(members).await;
            if let ControlFlow::Break(end) = self.next_step(result, &mut rejoins, &shutdown) {
                return end;
            }
        }
    }

    async fn batch_member<P: BatchProcessor>(
        &self,
        member: &GroupMember,
        processor: &P,
        shutdown: &CancellationToken,
    ) -> Result<(), ConsumerError> {
        let dlq = DeadLetterQueue::immediate(&self.producer, &self.kafka, &self.subscription.group);
        let assignment = AssignmentWatch::default();
        let offsets = member.offsets();
        let metrics = MemberMetrics::new(&member.subscription);
        let runner = BatchRunner::new(processor, dlq, assignment.clone(), &offsets, &metrics);
        let context = EngineContext { assignment, ..self.context(member, &runner, metrics.clone()) };
        let batcher = PartitionBatcher::new(|batch| runner.run(batch), member.options.batch);
        let committer = GroupCommitter::new(&*member.client, &self.progress, &context.metrics, &member.subscription);
        self.run_engine(member, &context, batcher, committer, shutdown).await
    }

    /// Runs the transactional mode until `shutdown`. `producer` has
    /// [initialized](TransactionalProducer::init_transactions) its transactional id. All topics have one group member: a
    /// transaction carries the offsets of one.
    ///
    /// # Errors
    /// [`ConsumerError`] where it had to end by itself. Nothing of a transaction that did not end is ever seen.
    pub async fn run_transactional<P: Transformer>(
        self,
        processor: &P,
        producer: &TransactionalProducer,
        shutdown: CancellationToken,
    ) -> Result<(), ConsumerError> {
        let is_in_memory = AdminClient::new(&self.kafka)?.is_in_memory(BROKER_TIMEOUT).await?;
        if is_in_memory {
            let consumer = &self.subscription.name;
            tracing::info!(
                consumer,
                "the embedded broker has no real transactions: at least once here, not exactly once"
            );
        }
        let mut rejoins = Rejoins::default();
        loop {
            let member = GroupMember::join(&self.kafka, self.subscription.clone(), self.options.clone())?;
            self.progress.begin(1);
            let result = self.transactional_member(&member, processor, producer, is_in_memory, &shutdown).await;
            close_all(vec![member]).await;
            if let ControlFlow::Break(end) = self.next_step(result, &mut rejoins, &shutdown) {
                return end;
            }
        }
    }

    async fn transactional_member<P: Transformer>(
        &self,
        member: &GroupMember,
        processor: &P,
        producer: &TransactionalProducer,
        is_in_memory: bool,
        shutdown: &CancellationToken,
    ) -> Result<(), ConsumerError> {
        let offsets = member.offsets();
        let context = self.context(member, &offsets, MemberMetrics::new(&member.subscription));
        let dlq = DeadLetterQueue::transactional(&self.subscription.group);
        let attempts = Attempts::new(processor, dlq, &context);
        let scheduler = keyed_scheduler(&attempts, None, &context, Overflow::Pause);
        let committer = is_in_memory
            .then(|| GroupCommitter::new(&*member.client, &self.progress, &context.metrics, &member.subscription));
        let metrics = &context.metrics;
        let transactions = TransactionCommitter::new(
            &member.client,
            &self.kafka,
            processor,
            producer,
            &self.progress,
            committer,
            metrics,
        );
        self.run_engine(member, &context, scheduler, transactions, shutdown).await
    }

    /// Goes on, with new clients, where a membership was lost; else the consumer ends with its result.
    fn next_step(
        &self,
        result: Result<(), ConsumerError>,
        rejoins: &mut Rejoins,
        shutdown: &CancellationToken,
    ) -> ControlFlow<Result<(), ConsumerError>> {
        let error = match result {
            Err(error) if error.is_loss_of_membership() && rejoins.may_follow(&error) => error,
            result => return ControlFlow::Break(result),
        };
        if shutdown.is_cancelled() {
            // The others have drained; what the lost member had, if anything, is read again.
            return ControlFlow::Break(Ok(()));
        }
        let Subscription { name, topics, .. } = &self.subscription;
        tracing::warn!(consumer = name, ?topics, %error, "group membership lost, joining again");
        telemetry::rejoins(name).increment(1);
        ControlFlow::Continue(())
    }

    /// Runs every member's engine. Where one ends by itself, all do, as one engine would; where one has lost its membership,
    /// the others drain first. `stop` is theirs alone.
    async fn run_all<'m, R>(
        &self,
        members: &'m [GroupMember],
        stop: &CancellationToken,
        run: impl Fn(&'m GroupMember) -> R,
    ) -> Result<(), ConsumerError>
    where
        R: Future<Output = Result<(), ConsumerError>>,
    {
        self.progress.begin(members.len());
        let mut running: FuturesUnordered<_> = members.iter().map(run).collect();
        let mut lost = None;
        while let Some(result) = running.next().await {
            match result {
                Err(error) if error.is_loss_of_membership() => {
                    stop.cancel();
                    lost = Some(error);
                }
                result => result?,
            }
        }
        lost.map_or(Ok(()), Err)
    }

    async fn run_engine<'c, S, C>(
        &'c self,
        member: &'c GroupMember,
        context: &EngineContext<'c>,
        scheduler: S,
        committer: C,
        shutdown: &CancellationToken,
    ) -> Result<(), ConsumerError>
    where
        S: Scheduler<'c>,
        C: OffsetCommitter<S::Product>,
    {
        let _raising = raise_size_limits(&self.kafka, context.subscription);
        let records = client::records(&member.client);
        let (queries, spilled) = (Box::new(member.queries(&self.kafka)), Box::new(TopicRecords::new(&self.kafka)));
        let engine = Engine::new(context, records, queries, spilled, scheduler, committer);
        // One poll of the engine serves many records; tokio's per-poll budget would only make it stop and come back.
        tokio::task::unconstrained(engine.run(shutdown)).await
    }

    fn context<'c>(
        &'c self,
        member: &'c GroupMember,
        offset_source: &'c dyn OffsetSource,
        metrics: MemberMetrics,
    ) -> EngineContext<'c> {
        EngineContext {
            client: &*member.client,
            offset_source,
            assignment: AssignmentWatch::default(),
            pressure: MemoryPressure::default(),
            options: &member.options,
            subscription: &member.subscription,
            progress: &self.progress,
            metrics,
        }
    }
}

/// When a consumer has joined again because another client had its instance id.
#[derive(Debug, Default)]
struct Rejoins {
    fenced: Option<Instant>,
}

impl Rejoins {
    /// Whether it may join again. Of two processes with one instance id each would end the other's membership for ever:
    /// one of them has to go.
    fn may_follow(&mut self, error: &ConsumerError) -> bool {
        if !matches!(error, ConsumerError::InstanceFenced) {
            return true;
        }
        self.fenced.replace(Instant::now()).is_none_or(|last| last.elapsed() >= FENCED_INTERVAL)
    }
}

fn keyed_scheduler<'c, P: Processor>(
    attempts: &'c Attempts<'c, P>,
    queues: Option<&'c dyn DestinationQueues>,
    context: &EngineContext<'_>,
    overflow: Overflow,
) -> impl Scheduler<'c, Product = P::Product> {
    let start = |task| attempts.run(task);
    let (order_key, bound) = (context.subscription.order_key, context.options.key_queue_records);
    KeyedScheduler::new(start, queues, order_key, context.pressure.clone(), bound, overflow)
}

/// Raises the size limits of the dead-letter topics in the background: a start does not wait for it.
fn raise_size_limits(kafka: &KafkaSettings, subscription: &Subscription) -> AbortOnDropHandle<()> {
    let (kafka, topics) = (kafka.clone(), subscription.topics.iter().cloned().collect());
    AbortOnDropHandle::new(tokio::spawn(async move { SizeLimits::new(&kafka).raise_all(topics).await }))
}

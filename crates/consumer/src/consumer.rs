//! A consumer, ready to run in one of the three modes.

use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::TransactionalProducer;
use millrace_kafka::{KafkaError, KafkaSettings, Producer};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::assignment::watch::AssignmentWatch;
use crate::attempts::Attempts;
use crate::commit::OffsetCommitter;
use crate::commit::external::BatchRunner;
use crate::commit::group::GroupCommitter;
use crate::commit::transaction::TransactionCommitter;
use crate::context::Context;
use crate::dlq::DeadLetterQueue;
use crate::dlq::size_limit::SizeLimits;
use crate::engine::{Engine, EngineContext};
use crate::error::ConsumerError;
use crate::group_offsets::GroupOffsetSource;
use crate::options::{ConsumerOptions, Subscription};
use crate::processor::{BatchProcessor, DestinationQueues, Processor, Transformer};
use crate::progress::Progress;
use crate::scheduler::Scheduler;
use crate::scheduler::batch::PartitionBatcher;
use crate::scheduler::keyed::{KeyedScheduler, Overflow};
use crate::spill::pressure::MemoryPressure;
use crate::start_offsets::OffsetSource;

/// How long a broker may take to say whether it is the embedded one.
const BROKER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long leaving the group may take. All that has to be safe is safe by then.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);

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
        let connection = self.connect()?;
        let offsets = connection.offsets();
        let context = self.context(&connection, &offsets);
        let dlq = DeadLetterQueue::immediate(&self.producer, &self.kafka, &self.subscription.group);
        let attempts = Attempts::new(processor, dlq, &context);
        let scheduler = keyed_scheduler(&attempts, queues, &context, Overflow::Spill);
        let committer = GroupCommitter::new(&connection.client, &self.progress);
        let result = run(&context, scheduler, committer, shutdown).await;
        drop((attempts, offsets));
        close(connection).await;
        result
    }

    /// Runs the batch mode until `shutdown`. Partitions start where the processor has stored their rows; the group's
    /// offsets follow, so that others see its lag.
    ///
    /// # Errors
    /// [`ConsumerError`] where it had to end by itself.
    pub async fn run_batches<P: BatchProcessor>(
        self,
        processor: &P,
        shutdown: CancellationToken,
    ) -> Result<(), ConsumerError> {
        let connection = self.connect()?;
        let dlq = DeadLetterQueue::immediate(&self.producer, &self.kafka, &self.subscription.group);
        let assignment = AssignmentWatch::default();
        let offsets = connection.offsets();
        let runner = BatchRunner::new(processor, dlq, assignment.clone(), &offsets);
        let context = EngineContext { assignment, ..self.context(&connection, &runner) };
        let batcher = PartitionBatcher::new(|batch| runner.run(batch), self.options.batch_records);
        let committer = GroupCommitter::new(&connection.client, &self.progress);
        let result = run(&context, batcher, committer, shutdown).await;
        drop(runner);
        drop(offsets);
        close(connection).await;
        result
    }

    /// Runs the transactional mode until `shutdown`. `producer` has
    /// [initialized](TransactionalProducer::init_transactions) its transactional id.
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
        let connection = self.connect()?;
        let offsets = connection.offsets();
        let context = self.context(&connection, &offsets);
        let dlq = DeadLetterQueue::transactional(&self.subscription.group);
        let attempts = Attempts::new(processor, dlq, &context);
        let scheduler = keyed_scheduler(&attempts, None, &context, Overflow::Pause);
        let committer = is_in_memory.then(|| GroupCommitter::new(&connection.client, &self.progress));
        let transactions =
            TransactionCommitter::new(&connection.client, &self.kafka, processor, producer, &self.progress, committer);
        let result = run(&context, scheduler, transactions, shutdown).await;
        drop((attempts, offsets));
        close(connection).await;
        result
    }

    fn context<'c>(&'c self, connection: &'c Connection, offset_source: &'c dyn OffsetSource) -> EngineContext<'c> {
        EngineContext {
            kafka: &self.kafka,
            client: &connection.client,
            offset_source,
            assignment: AssignmentWatch::default(),
            pressure: MemoryPressure::default(),
            options: &self.options,
            subscription: &self.subscription,
            progress: &self.progress,
        }
    }

    fn connect(&self) -> Result<Connection, KafkaError> {
        #[cfg(feature = "failpoints")]
        millrace_kafka::failpoint::arm()?;
        let config = self.options.client_config(&self.kafka, &self.subscription)?;
        let context = Context::new(&self.kafka)?;
        let client: StreamConsumer<Context> =
            config.create_with_context(context).map_err(KafkaError::call("creating the consumer"))?;
        let topics: Vec<&str> = self.subscription.topics.iter().map(String::as_str).collect();
        client.subscribe(&topics).map_err(KafkaError::call("subscribing"))?;
        Ok(Connection { client: Arc::new(client), queries: TaskTracker::new() })
    }
}

fn keyed_scheduler<'c, P: Processor>(
    attempts: &'c Attempts<'c, P>,
    queues: Option<&'c dyn DestinationQueues>,
    context: &EngineContext<'_>,
    overflow: Overflow,
) -> impl Scheduler<'c, Product = P::Product> {
    let start = |task| attempts.run(task);
    KeyedScheduler::new(start, queues, context.pressure.clone(), context.options.key_queue_records, overflow)
}

async fn run<'c, S, C>(
    context: &EngineContext<'c>,
    scheduler: S,
    committer: C,
    shutdown: CancellationToken,
) -> Result<(), ConsumerError>
where
    S: Scheduler<'c>,
    C: OffsetCommitter<S::Product>,
{
    let _raising = raise_size_limits(context);
    let engine = Engine::new(context, scheduler, committer);
    // One poll of the engine serves many records; tokio's per-poll budget would only make it stop and come back.
    tokio::task::unconstrained(engine.run(shutdown)).await
}

/// Raises the size limits of the dead-letter topics in the background: a start does not wait for it.
fn raise_size_limits(context: &EngineContext<'_>) -> AbortOnDropHandle<()> {
    let (kafka, topics) = (context.kafka.clone(), context.subscription.topics.iter().cloned().collect());
    AbortOnDropHandle::new(tokio::spawn(async move { SizeLimits::new(&kafka).raise_all(topics).await }))
}

/// Leaves the group, which waits for the broker, for at most [`CLOSE_TIMEOUT`].
async fn close(connection: Connection) {
    connection.queries.close();
    let queries = connection.queries.clone();
    let closing = async move {
        queries.wait().await;
        tokio::task::spawn_blocking(move || drop(connection)).await
    };
    match tokio::time::timeout(CLOSE_TIMEOUT, tokio::spawn(closing)).await {
        Ok(Ok(Ok(()))) => {}
        Ok(_) => tracing::warn!("consumer close failed"),
        Err(_) => {
            tracing::warn!("consumer close timed out; the broker evicts this member after session.timeout.ms");
        }
    }
}

/// A client that closes in good order however its engine ends, be it that the whole future is dropped.
struct Connection {
    client: Arc<StreamConsumer<Context>>,
    /// Queries to the group's coordinator that are under way.
    queries: TaskTracker,
}

impl Connection {
    fn offsets(&self) -> GroupOffsetSource {
        GroupOffsetSource::new(&self.client, &self.queries)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.client.context().close();
    }
}

//! The one consumer runtime.
//!
//! | mode | work | progress | for |
//! |---|---|---|---|
//! | keyed | `lanes` | `committer` | effects elsewhere, at least once |
//! | batch | `chunks` | a store's own, and `committer` | rows and their offset in one transaction of a database |
//! | transactional | `lanes` | `transactions` | records made of records, exactly once |
//!
//! One task polls the client, owns the assignment and commits; a *mode* says how polled records become work and when
//! they count as done. What all modes share: assignment epochs, the offset ledger, back-pressure on records and bytes,
//! retries, dead letters and their limit, cooperative rebalances that drain what they lose, a graceful stop, metrics.
//!
//! | file | its one idea |
//! |---|---|
//! | `options` | what a user can set |
//! | `context` | what librdkafka tells outside of records: rebalances, commit answers |
//! | `partitions` | what is owned, in which epoch, and how far it is done |
//! | `ownership` | on what of it work may begin, for those who work on records |
//! | `work` | what a mode's work is to the engine |
//! | `lanes` | order per key, parallel across keys |
//! | `lane` | one key's records |
//! | `crowd` | whether what only waits should make room |
//! | `offers` | what did and may be read again, and which of it next |
//! | `again` | reads it again |
//! | `attempts` | one record's way: tries, back-off, dead letter |
//! | `chunks` | a partition's records in chunks, one at a time |
//! | `batches` | one chunk's way into a store |
//! | `letters` | dead letters, acknowledged before they count |
//! | `recorder` | how progress is recorded |
//! | `committer` | by commits of frontiers, one at a time |
//! | `staged` | what was made of records and is not written yet |
//! | `transactions` | by transactions, with what was made |
//! | `resume` | where partitions are taken up |
//! | `committed` | where the group has committed, and what is done beyond |
//! | `engine` | the loop that ties them together, and rebalances |
//! | `progress` | what others may see of a consumer |

mod again;
mod attempts;
mod batches;
mod chunks;
mod committed;
mod committer;
mod context;
mod crowd;
mod engine;
mod lane;
mod lanes;
mod letters;
mod offers;
mod options;
mod ownership;
mod partitions;
mod processor;
mod progress;
mod recorder;
mod resume;
mod staged;
mod transactions;
mod work;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{Consumer as _, StreamConsumer};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::attempts::Attempts;
pub use self::attempts::{Attempt, NoTurn};
use self::batches::Batches;
use self::chunks::Chunks;
use self::committed::OfGroup;
use self::committer::Committer;
use self::context::Context;
use self::crowd::Crowd;
use self::engine::{Engine, Frame};
use self::lanes::{Hooks, Lanes, Overflow};
use self::letters::Letters;
pub use self::options::{ConsumerOptions, Subscription};
use self::ownership::Ownership;
pub use self::processor::{Batch, BatchError, BatchProcessor, Processor, Refused, Transformer, Written};
pub use self::progress::Progress;
use self::recorder::Recorder;
use self::resume::Resume;
use self::transactions::Transactions;
use self::work::Work;
use crate::cluster::Cluster;
use crate::error::KafkaFailure;
use crate::producer::{Producer, TransactionError, TransactionalProducer};
use crate::record::Record;
use crate::settings::KafkaSettings;

/// How long a broker may take to say what it is.
const ANSWER: Duration = Duration::from_secs(10);

/// How long leaving the group may take. All that has to be safe is safe by then.
const CLOSE_WAIT: Duration = Duration::from_secs(4);

/// Why a consumer ended other than by being asked to.
#[derive(Debug, Error)]
pub enum ConsumerError {
    /// The client cannot be set up, or cannot go on.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
    /// Transactions cannot go on in this process; the next one takes up where the last of them ended.
    #[error("transactions cannot go on: {0}")]
    Transaction(#[from] TransactionError),
    /// The processor, or the run of dead letters, stopped it. Nothing was committed after that.
    #[error("the consumer halted: {0}")]
    Halted(String),
}

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

    /// What can be seen of it while it runs.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Runs the keyed mode until `shutdown`, then finishes what is in flight, commits and leaves the group.
    ///
    /// # Errors
    /// [`ConsumerError`] where it had to end by itself.
    pub async fn run_keyed<P: Processor<Product = ()>>(
        self,
        processor: &P,
        shutdown: CancellationToken,
    ) -> Result<(), ConsumerError> {
        let connection = self.connect()?;
        let offsets = connection.offsets();
        let frame = self.frame(&connection, &offsets);
        let letters = Letters::by(&self.producer, &self.subscription.group);
        let attempts = Attempts::new(processor, letters, &frame);
        let lanes = lanes(processor, &attempts, &frame, Overflow::Postpone);
        let committer = Committer::new(&connection.client, &self.progress);
        let result = run(&frame, lanes, committer, shutdown).await;
        drop((attempts, offsets));
        close(connection).await;
        result
    }

    /// Runs the batch mode until `shutdown`. Partitions are taken up where the processor has stored their rows; the
    /// group's offsets follow, so that others see its lag.
    ///
    /// # Errors
    /// [`ConsumerError`] where it had to end by itself.
    pub async fn run_batches<P: BatchProcessor>(
        self,
        processor: &P,
        shutdown: CancellationToken,
    ) -> Result<(), ConsumerError> {
        let connection = self.connect()?;
        let letters = Letters::by(&self.producer, &self.subscription.group);
        let ownership = Ownership::default();
        let batches = Batches::new(processor, letters, ownership.clone());
        let frame = Frame { ownership, ..self.frame(&connection, &batches) };
        let chunks = Chunks::new(|chunk| batches.run(chunk), self.options.batch_records);
        let committer = Committer::new(&connection.client, &self.progress);
        let result = run(&frame, chunks, committer, shutdown).await;
        drop(batches);
        close(connection).await;
        result
    }

    /// Runs the transactional mode until `shutdown`. `producer` has [taken over](TransactionalProducer::take_over) its
    /// transactional id.
    ///
    /// # Errors
    /// [`ConsumerError`] where it had to end by itself. Nothing of a transaction that did not end is ever seen.
    pub async fn run_transactional<P: Transformer>(
        self,
        processor: &P,
        producer: &TransactionalProducer,
        shutdown: CancellationToken,
    ) -> Result<(), ConsumerError> {
        let is_in_memory = Cluster::new(&self.kafka)?.is_in_memory(ANSWER).await?;
        if is_in_memory {
            let consumer = &self.subscription.name;
            tracing::warn!(
                consumer,
                "the embedded broker has no real transactions: at least once here, not exactly once"
            );
        }
        let connection = self.connect()?;
        let offsets = connection.offsets();
        let frame = self.frame(&connection, &offsets);
        let letters = Letters::in_transactions(&self.subscription.group);
        let attempts = Attempts::new(processor, letters, &frame);
        let lanes = lanes(processor, &attempts, &frame, Overflow::Pause);
        let committer = is_in_memory.then(|| Committer::new(&connection.client, &self.progress));
        let transactions = Transactions::new(&connection.client, processor, producer, &self.progress, committer);
        let result = run(&frame, lanes, transactions, shutdown).await;
        drop((attempts, offsets));
        close(connection).await;
        result
    }

    fn frame<'c>(&'c self, connection: &'c Connection, resume: &'c dyn Resume) -> Frame<'c> {
        Frame {
            kafka: &self.kafka,
            client: &connection.client,
            resume,
            ownership: Ownership::default(),
            crowd: Crowd::default(),
            options: &self.options,
            subscription: &self.subscription,
            progress: &self.progress,
        }
    }

    fn connect(&self) -> Result<Connection, KafkaFailure> {
        #[cfg(feature = "failpoints")]
        crate::failpoint::arm()?;
        let config = self.options.client_config(&self.kafka, &self.subscription)?;
        let context = Context::new(&self.kafka)?;
        let client: StreamConsumer<Context> =
            config.create_with_context(context).map_err(KafkaFailure::call("creating the consumer"))?;
        let topics: Vec<&str> = self.subscription.topics.iter().map(String::as_str).collect();
        client.subscribe(&topics).map_err(KafkaFailure::call("subscribing"))?;
        Ok(Connection { client: Arc::new(client), questions: TaskTracker::new() })
    }
}

fn lanes<'c, P: Processor>(
    processor: &'c P,
    attempts: &'c Attempts<'c, P>,
    frame: &Frame<'_>,
    overflow: Overflow,
) -> impl Work<'c, Product = P::Product> {
    let hooks = Hooks {
        start: |task| attempts.run(task),
        announce: |record: &Record<'_>| processor.waits(record),
        room: |queue| processor.room(queue),
    };
    Lanes::new(hooks, frame.crowd.clone(), frame.options.lane_records, overflow)
}

async fn run<'c, W, R>(
    frame: &Frame<'c>,
    work: W,
    recorder: R,
    shutdown: CancellationToken,
) -> Result<(), ConsumerError>
where
    W: Work<'c>,
    R: Recorder<W::Product>,
{
    let engine = Engine::new(frame, work, recorder);
    // One poll of the engine serves many records; tokio's per-poll budget would only make it stop and come back.
    tokio::task::unconstrained(engine.run(shutdown)).await
}

/// Leaves the group, which waits for the broker; for one that hangs, not for long.
async fn close(connection: Connection) {
    connection.questions.close();
    let questions = connection.questions.clone();
    let closing = async move {
        questions.wait().await;
        tokio::task::spawn_blocking(move || drop(connection)).await
    };
    match tokio::time::timeout(CLOSE_WAIT, tokio::spawn(closing)).await {
        Ok(Ok(Ok(()))) => {}
        Ok(_) => tracing::warn!("the consumer did not close cleanly"),
        Err(_) => {
            tracing::warn!("the group did not say goodbye in time: it is left to find out that this member is gone");
        }
    }
}

/// A client that closes in good order however its engine ends, be it that the whole future is dropped.
struct Connection {
    client: Arc<StreamConsumer<Context>>,
    /// Questions to the group's coordinator that are under way.
    questions: TaskTracker,
}

impl Connection {
    fn offsets(&self) -> OfGroup {
        OfGroup::new(&self.client, &self.questions)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.client.context().close();
    }
}

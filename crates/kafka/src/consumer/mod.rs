//! The one consumer runtime.
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
//! | `lanes` | the keyed mode: order per key, parallel across keys |
//! | `attempts` | one record's way: tries, back-off, dead letter |
//! | `letters` | dead letters, acknowledged before they count |
//! | `committer` | one commit at a time, of frontiers only |
//! | `engine` | the loop that ties them together, and rebalances |
//! | `progress` | what others may see of a consumer |

mod attempts;
mod committer;
mod context;
mod engine;
mod lanes;
mod letters;
mod options;
mod partitions;
mod progress;

use std::sync::Arc;

use millrace_domain::Outcome;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

pub use self::attempts::Attempt;
use self::attempts::Attempts;
use self::context::Context;
use self::engine::Engine;
use self::lanes::Lanes;
use self::letters::Letters;
pub use self::options::{ConsumerOptions, Subscription};
pub use self::progress::Progress;
use crate::error::KafkaFailure;
use crate::producer::Producer;
use crate::record::Record;
use crate::settings::KafkaSettings;

/// What a consumer does with a record.
pub trait Processor: Send + Sync {
    /// Processes one record. Where that takes long, it waits by way of `attempt`, so that a stop need not.
    ///
    /// Records of one key come one after the other, records of different keys at the same time. A record may come
    /// again after a crash or a rebalance: effects must bear it. The value is never null or empty. A panic counts as
    /// a permanent failure of this record.
    fn process(&self, record: &Record<'_>, attempt: &Attempt<'_>) -> impl Future<Output = Outcome> + Send;
}

/// Why a consumer ended other than by being asked to.
#[derive(Debug, Error)]
pub enum ConsumerError {
    /// The client cannot be set up, or cannot go on.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
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
    pub async fn run_keyed<P: Processor>(
        self,
        processor: &P,
        shutdown: CancellationToken,
    ) -> Result<(), ConsumerError> {
        let connection = self.connect()?;
        let client = &connection.0;
        let letters = Letters::new(&self.producer, &self.subscription.group);
        let attempts = Attempts::new(processor, &letters, &self.options);
        let lanes = Lanes::new(|task| attempts.run(task), self.options.lane_records);
        let engine =
            Engine::new(client, lanes, attempts.ownership(), &self.options, &self.subscription, &self.progress);
        // One poll of the engine serves many records; tokio's per-poll budget would only make it stop and come back.
        let result = tokio::task::unconstrained(engine.run(shutdown)).await;
        drop(attempts);
        // Leaving the group waits for the broker.
        if tokio::task::spawn_blocking(move || drop(connection)).await.is_err() {
            tracing::warn!("the consumer did not close cleanly");
        }
        result
    }

    fn connect(&self) -> Result<Connection, KafkaFailure> {
        let config = self.options.client_config(&self.kafka, &self.subscription)?;
        let context = Context::new(&self.kafka)?;
        let client: StreamConsumer<Context> =
            config.create_with_context(context).map_err(KafkaFailure::call("creating the consumer"))?;
        let topics: Vec<&str> = self.subscription.topics.iter().map(String::as_str).collect();
        client.subscribe(&topics).map_err(KafkaFailure::call("subscribing"))?;
        Ok(Connection(client))
    }
}

/// A client that closes in good order however its engine ends, be it that the whole future is dropped.
struct Connection(StreamConsumer<Context>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.context().close();
    }
}

//! The transactional mode: what is made of records, and how far they were read, is seen together or not at all.
//!
//! Records are processed as in the keyed mode. Whatever is done when a transaction ends goes into the next one, with
//! the group's offsets (KIP-447): a member that lost its partitions cannot end a transaction any more.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use millrace_domain::Backoff;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use tokio::time::{Instant, Sleep};

use super::committer::Committer;
use super::context::Context;
use super::partitions::{Lease, Partitions};
use super::progress::Progress;
use super::recorder::{Made, Recorder};
use super::staged::{Staged, Taken};
use super::{ConsumerError, Transformer};
use crate::error::KafkaFailure;
use crate::new_record::NewRecord;
use crate::producer::{OutgoingRecord, TransactionError, TransactionalProducer};

/// Delays between tries. Nothing is lost meanwhile: what was made stays, and is written in the next transaction.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(50), cap: Duration::from_secs(5) };

/// See the module's text.
pub(super) struct Transactions<'c, P: Transformer> {
    client: &'c StreamConsumer<Context>,
    transformer: &'c P,
    producer: &'c TransactionalProducer,
    progress: &'c Progress,
    /// For a broker that takes transactions and forgets the offsets in them: commits them afterwards.
    committer: Option<Committer<'c>>,
    staged: Staged<P::Product>,
    running: Option<BoxFuture<'c, Ended<P::Product>>>,
    failures: u32,
    pause: Option<Pin<Box<Sleep>>>,
}

type Ended<T> = (Taken<T>, Result<(), TransactionError>);

impl<'c, P: Transformer> Transactions<'c, P> {
    pub(super) fn new(
        client: &'c StreamConsumer<Context>,
        transformer: &'c P,
        producer: &'c TransactionalProducer,
        progress: &'c Progress,
        committer: Option<Committer<'c>>,
    ) -> Self {
        Self {
            client,
            transformer,
            producer,
            progress,
            committer,
            staged: Staged::default(),
            running: None,
            failures: 0,
            pause: None,
        }
    }

    /// Writes what was taken in a transaction of its own.
    fn begin(&self, taken: Taken<P::Product>, partitions: &Partitions) -> BoxFuture<'c, Ended<P::Product>> {
        let frontiers: Vec<_> = taken.parts.iter().map(|part| part.frontier).collect();
        let offsets = partitions.offsets(&frontiers);
        let Self { client, transformer, producer, .. } = *self;
        async move {
            let no_group = || KafkaError::ClientCreation("the consumer has no group".to_owned());
            let Some(group) = client.group_metadata() else {
                let failure = KafkaFailure::Call { action: "committing in a transaction", source: no_group() };
                return (taken, Err(failure.into()));
            };
            let mut sealed = transformer.seal(taken.made().filter_map(|made| match made {
                Made::Product(product) => Some(product),
                Made::Letter(_) | Made::Nothing => None,
            }));
            let letters =
                taken.made().filter_map(|made| if let Made::Letter(letter) = made { Some(letter) } else { None });
            let headers: Vec<_> = sealed.iter_mut().map(NewRecord::take_headers).collect();
            let sealed = sealed.iter().zip(headers).map(|(record, headers)| record.with(headers));
            let records: Vec<OutgoingRecord<'_>> = letters.map(NewRecord::as_outgoing).chain(sealed).collect();
            let result = producer.write(records, group, offsets).await;
            (taken, result)
        }
        .boxed()
    }

    fn ended(
        &mut self,
        taken: Taken<P::Product>,
        result: Result<(), TransactionError>,
        partitions: &mut Partitions,
    ) -> Result<(), ConsumerError> {
        match result {
            Ok(()) => {
                self.failures = 0;
                let frontiers: Vec<_> = taken.parts.into_iter().map(|part| part.frontier).collect();
                match &mut self.committer {
                    Some(committer) => committer.send(frontiers, partitions),
                    None => frontiers.into_iter().for_each(|frontier| partitions.committed(frontier, self.progress)),
                }
                Ok(())
            }
            Err(error) if error.is_worth_retrying() => {
                self.failures += 1;
                let delay = BACKOFF.delay(self.failures, None, &mut rand::rng());
                tracing::warn!(%error, ?delay, "a transaction did not take place, trying again");
                self.pause = Some(Box::pin(tokio::time::sleep(delay)));
                self.staged.put_back(taken);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl<P: Transformer> Recorder<P::Product> for Transactions<'_, P> {
    const EAGER: bool = true;
    /// What is made beyond a gap is not written yet.
    const TELLS_ALL: bool = false;

    fn stage(&mut self, lease: Lease, made: Made<P::Product>) {
        // A record of which nothing is left to write is covered by its partition's frontier.
        if !matches!(made, Made::Nothing) {
            self.staged.add(lease, made, Instant::now());
        }
    }

    fn waiting(&self) -> usize {
        self.staged.products()
    }

    fn record(&mut self, partitions: &mut Partitions, closing: bool) {
        if self.is_recording() || self.pause.is_some() {
            return;
        }
        self.staged.forget(|slot| partitions.epoch(slot));
        let frontiers = partitions.uncommitted();
        if frontiers.is_empty() {
            return;
        }
        let (ready, since) = self.staged.ready(&frontiers);
        let age = since.map_or(Duration::ZERO, |since| since.elapsed());
        let products = if closing { ready } else { self.transformer.cut(ready, age).min(ready) };
        if ready > 0 && products == 0 {
            return;
        }
        let taken = self.staged.take(&frontiers, products);
        self.running = Some(self.begin(taken, partitions));
    }

    fn poll(&mut self, context: &mut TaskContext<'_>, partitions: &mut Partitions) -> Poll<Result<(), ConsumerError>> {
        if let Some(running) = &mut self.running {
            let (taken, result) = ready!(running.as_mut().poll(context));
            self.running = None;
            return Poll::Ready(self.ended(taken, result, partitions));
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Offsets go with transactions only: a commit beside them could overtake one and take it back.
    fn answered(&mut self, result: KafkaResult<()>, partitions: &mut Partitions) {
        if let Some(committer) = &mut self.committer {
            committer.answered(result, partitions);
        }
    }

    fn is_recording(&self) -> bool {
        self.running.is_some() || self.committer.as_ref().is_some_and(Recorder::is_recording)
    }
}

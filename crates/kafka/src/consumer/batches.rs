//! One chunk's way into a store: rows and offset in the store's own transaction, letters acknowledged before it ends.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use millrace_domain::{Backoff, DeadLetterClass};

use super::attempts::{Attempt, text_of};
use super::chunks::{Chunk, all};
use super::letters::{Letters, Refusal, Unwritten, poison};
use super::ownership::Ownership;
use super::resume::{Place, Places, Resume};
use super::work::{Finished, Verdict};
use super::{Batch, BatchError, BatchProcessor, ConsumerError, Written};
use crate::failpoint::failpoint;

/// Delays between tries. A store that is away keeps its partitions waiting, for as long as it takes.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(5) };

/// See the module's text.
pub(super) struct Batches<'p, P> {
    processor: &'p P,
    letters: Letters<'p>,
    ownership: Ownership,
}

/// What stands in the way of a chunk: this becomes of all its records.
type Obstacle = Verdict<()>;

/// Records of a chunk by their index, and why they are refused.
type Refusals = Vec<(usize, String)>;

impl<'p, P: BatchProcessor> Batches<'p, P> {
    pub(super) fn new(processor: &'p P, letters: Letters<'p>, ownership: Ownership) -> Self {
        Self { processor, letters, ownership }
    }

    /// Stores a chunk, however long that takes; ends early where its partition leaves.
    pub(super) async fn run(&self, chunk: Chunk<'_>) -> Vec<Finished<()>> {
        // In a box: rows with lifetimes of their own keep the compiler from seeing that the future is `Send`.
        match self.store(&chunk).boxed().await {
            Ok(is_refused) => {
                let refused = Verdict::DeadLettered { class: DeadLetterClass::Permanent, letter: None };
                let verdict = |is_refused| if is_refused { refused.clone() } else { Verdict::Done(()) };
                let finished = chunk.leases.iter().zip(is_refused);
                finished.map(|(&lease, is_refused)| Finished { lease, verdict: verdict(is_refused) }).collect()
            }
            Err(obstacle) => all(&chunk, &obstacle),
        }
    }

    /// Stores what can be stored of a chunk and says which of its records are refused.
    async fn store(&self, chunk: &Chunk<'_>) -> Result<Vec<bool>, Obstacle> {
        let mut is_refused = vec![false; chunk.records.len()];
        let (Some(&first), Some(last)) = (chunk.leases.first(), chunk.records.last()) else { return Ok(is_refused) };
        let mut attempt = Attempt::of(&self.ownership, first);
        let (mut rows, mut places, mut refusals) = self.read(chunk);
        let (topic, partition, next) = (last.topic(), last.partition(), last.offset() + 1);
        loop {
            if !refusals.is_empty() {
                self.refuse(chunk, &refusals, &attempt).await?;
                failpoint!("batch.lettered");
                for (index, _) in refusals.drain(..) {
                    is_refused[index] = true;
                }
                (rows, places) = rows.into_iter().zip(places).filter(|(_, place)| !is_refused[*place]).unzip();
            }
            failpoint!("batch.taken");
            let batch = Batch { topic, partition, expected: chunk.expected, next, rows: &rows };
            match self.write(&batch).await {
                Ok(Written { pending, refused }) if refused.is_empty() => {
                    failpoint!("batch.written");
                    return self.commit(pending, topic, partition).await.map(|()| is_refused);
                }
                Ok(Written { pending, refused }) => {
                    drop(pending);
                    refusals = refused.into_iter().map(|refused| (places[refused.index], refused.reason)).collect();
                }
                Err(BatchError::Unavailable { reason }) => {
                    let number = attempt.number();
                    let delay = BACKOFF.delay(number, None, &mut rand::rng());
                    tracing::warn!(topic, partition, number, ?delay, reason, "a batch was not stored, trying again");
                    if attempt.unless_given_up(tokio::time::sleep(delay)).await.is_none() {
                        return Err(Verdict::Abandoned);
                    }
                    attempt.advance();
                }
                Err(error) => return Err(obstacle(error, topic, partition)),
            }
        }
    }

    /// Reads records: rows, the indexes of their records, and those that are none.
    fn read<'r>(&self, chunk: &'r Chunk<'_>) -> (Vec<P::Row<'r>>, Vec<usize>, Refusals) {
        let (mut rows, mut places, mut refusals) = (Vec::with_capacity(chunk.records.len()), Vec::new(), Vec::new());
        for (index, record) in chunk.records.iter().enumerate() {
            let row = match poison(record) {
                Some(reason) => Err(reason.to_owned()),
                None => std::panic::catch_unwind(AssertUnwindSafe(|| self.processor.read(record)))
                    .unwrap_or_else(|panic| Err(format!("reading it panicked: {}", text_of(&*panic)))),
            };
            match row {
                Ok(row) => {
                    rows.push(row);
                    places.push(index);
                }
                Err(reason) => refusals.push((index, reason)),
            }
        }
        (rows, places, refusals)
    }

    async fn refuse(&self, chunk: &Chunk<'_>, refusals: &Refusals, attempt: &Attempt<'_>) -> Result<(), Obstacle> {
        let attempts = attempt.number();
        let refused = refusals.iter().map(|(index, reason)| {
            (&chunk.records[*index], Refusal { attempts, class: DeadLetterClass::Permanent, reason })
        });
        let written = self.letters.refuse(refused, attempt).await;
        written.map(drop).map_err(Unwritten::verdict)
    }

    async fn write(&self, batch: &Batch<'_, P::Row<'_>>) -> Result<Written<P::Pending>, BatchError> {
        let written = AssertUnwindSafe(self.processor.write(batch)).catch_unwind().await;
        written.unwrap_or_else(|panic| {
            Err(BatchError::Fatal { reason: format!("storing a batch panicked: {}", text_of(&*panic)) })
        })
    }

    async fn commit(&self, pending: P::Pending, topic: &str, partition: i32) -> Result<(), Obstacle> {
        match self.processor.commit(pending).await {
            Ok(()) => {
                failpoint!("batch.committed");
                Ok(())
            }
            // Nobody knows whether it took place: the store does.
            Err(BatchError::Unavailable { reason }) => {
                tracing::warn!(topic, partition, reason, "a batch was not confirmed, looking how far it is stored");
                Err(Verdict::Misplaced)
            }
            Err(error) => Err(obstacle(error, topic, partition)),
        }
    }

    async fn place(&self, topic: &str, partition: i32) -> Result<Option<i64>, ConsumerError> {
        for attempt in 1.. {
            match self.processor.resume(topic, partition).await {
                Ok(place) => return Ok(place),
                Err(BatchError::Fatal { reason }) => return Err(ConsumerError::Halted(reason)),
                Err(error) => {
                    let delay = BACKOFF.delay(attempt, None, &mut rand::rng());
                    tracing::warn!(topic, partition, %error, ?delay, "cannot tell where to go on, asking again");
                    tokio::time::sleep(delay).await;
                }
            }
        }
        Ok(None)
    }
}

/// What an error that is not tried again means for a chunk.
fn obstacle(error: BatchError, topic: &str, partition: i32) -> Obstacle {
    match error {
        BatchError::Superseded => {
            tracing::warn!(topic, partition, "another process stored this partition's records, going on after them");
            Verdict::Misplaced
        }
        BatchError::Fatal { reason } | BatchError::Unavailable { reason } => Verdict::Halt(reason),
    }
}

impl<P: BatchProcessor> Resume for Batches<'_, P> {
    fn places(&self, partitions: Vec<(String, i32)>) -> Places<'_> {
        async move {
            let mut places = Vec::with_capacity(partitions.len());
            for (topic, partition) in partitions {
                places.push(self.place(&topic, partition).await?.map_or(Place::Unknown, Place::Stored));
            }
            Ok(places)
        }
        .boxed()
    }
}

//! One chunk's way into a store: rows and offset in the store's own transaction, letters acknowledged before it ends.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use millrace_domain::{Backoff, DeadLetterClass};

use super::attempts::{Attempt, text_of};
use super::chunks::{Chunk, all};
use super::letters::{Letters, Refusal, poison};
use super::ownership::Ownership;
use super::resume::{Place, Places, Resume};
use super::work::{Finished, Verdict};
use super::{Batch, BatchError, BatchProcessor, ConsumerError, Refused, Written};
use crate::failpoint::failpoint;
use crate::record::Record;

/// Delays between tries. A store that is away keeps its partitions waiting, for as long as it takes.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(5) };

/// See the module's text.
pub(super) struct Batches<'p, P> {
    processor: &'p P,
    letters: Letters<'p>,
    ownership: Ownership,
    /// The offset that the store has for each partition, as far as this process knows.
    stored: Mutex<HashMap<(String, i32), Option<i64>>>,
}

impl<'p, P: BatchProcessor> Batches<'p, P> {
    pub(super) fn new(processor: &'p P, letters: Letters<'p>, ownership: Ownership) -> Self {
        Self { processor, letters, ownership, stored: Mutex::default() }
    }

    /// Stores a chunk, however long that takes; ends early where its partition leaves.
    pub(super) async fn run(&self, chunk: Chunk<'_>) -> Vec<Finished<()>> {
        let (Some(&first), Some(last)) = (chunk.leases.first(), chunk.records.last()) else { return Vec::new() };
        let (topic, partition, next) = (last.topic().to_owned(), last.partition(), last.offset() + 1);
        let mut attempt = Attempt::of(&self.ownership, first);
        let poison: Vec<_> = chunk.records.iter().map(poison).collect();
        let sound: Vec<&Record<'_>> = chunk
            .records
            .iter()
            .zip(&poison)
            .filter_map(|(record, poison)| poison.is_none().then_some(record))
            .collect();
        loop {
            failpoint!("batch.taken");
            let expected = self.stored(&topic, partition);
            let batch = Batch { topic: &topic, partition, expected, next, records: &sound };
            let written = AssertUnwindSafe(self.processor.write(&batch)).catch_unwind().await;
            let written = written.unwrap_or_else(|panic| {
                Err(BatchError::Fatal { reason: format!("storing a batch panicked: {}", text_of(&*panic)) })
            });
            let error = match written {
                Ok(Written { pending, refused }) => {
                    failpoint!("batch.written");
                    let refused = refused.into_iter().map(|Refused { index, reason }| (index, reason)).collect();
                    let verdicts = match self.refuse(&chunk, &poison, &refused, &attempt).await {
                        Ok(verdicts) => verdicts,
                        Err(early) => return all(&chunk, || early.verdict()),
                    };
                    failpoint!("batch.lettered");
                    match self.processor.commit(pending).await {
                        Ok(()) => {
                            failpoint!("batch.committed");
                            self.note(&topic, partition, Some(next));
                            return verdicts;
                        }
                        // Nobody knows whether it took place: the store does.
                        Err(BatchError::Unavailable { reason }) => {
                            tracing::warn!(
                                topic,
                                partition,
                                reason,
                                "a batch was not confirmed, looking how far it is stored"
                            );
                            return all(&chunk, || Verdict::Misplaced);
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            match error {
                BatchError::Fatal { reason } => return all(&chunk, || Verdict::Halt(reason.clone())),
                BatchError::Superseded => {
                    tracing::warn!(
                        topic,
                        partition,
                        "another process stored this partition's records, going on after them"
                    );
                    return all(&chunk, || Verdict::Misplaced);
                }
                BatchError::Unavailable { reason } => {
                    let delay = BACKOFF.delay(attempt.number(), None, &mut rand::rng());
                    tracing::warn!(
                        topic,
                        partition,
                        attempt = attempt.number(),
                        ?delay,
                        reason,
                        "a batch was not stored, trying again"
                    );
                    if attempt.unless_given_up(tokio::time::sleep(delay)).await.is_none() {
                        return all(&chunk, || Verdict::Abandoned);
                    }
                    attempt.advance();
                }
            }
        }
    }

    /// Writes the letters of what is not stored, and says what became of every record.
    async fn refuse(
        &self,
        chunk: &Chunk<'_>,
        poison: &[Option<&'static str>],
        refused: &HashMap<usize, String>,
        attempt: &Attempt<'_>,
    ) -> Result<Vec<Finished<()>>, Early> {
        let mut finished = Vec::with_capacity(chunk.leases.len());
        let mut sound = 0;
        for ((&lease, record), poison) in chunk.leases.iter().zip(&chunk.records).zip(poison) {
            let reason = poison.or_else(|| {
                sound += 1;
                refused.get(&(sound - 1)).map(String::as_str)
            });
            let verdict = match reason {
                None => Verdict::Done(()),
                Some(reason) => {
                    let refusal = Refusal { attempts: attempt.number(), class: DeadLetterClass::Permanent, reason };
                    match self.letters.refuse(record, &refusal, attempt).await {
                        Verdict::Abandoned | Verdict::Misplaced => return Err(Early::Abandoned),
                        Verdict::Halt(reason) => return Err(Early::Halted(reason)),
                        verdict => verdict,
                    }
                }
            };
            finished.push(Finished { lease, verdict });
        }
        Ok(finished)
    }

    fn stored(&self, topic: &str, partition: i32) -> Option<i64> {
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        stored.get(&(topic.to_owned(), partition)).copied().flatten()
    }

    fn note(&self, topic: &str, partition: i32, next: Option<i64>) {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        stored.insert((topic.to_owned(), partition), next);
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

/// Why a chunk ends before it is stored.
enum Early {
    Abandoned,
    Halted(String),
}

impl Early {
    fn verdict(&self) -> Verdict<()> {
        match self {
            Self::Abandoned => Verdict::Abandoned,
            Self::Halted(reason) => Verdict::Halt(reason.clone()),
        }
    }
}

impl<P: BatchProcessor> Resume for Batches<'_, P> {
    fn places(&self, partitions: Vec<(String, i32)>) -> Places<'_> {
        async move {
            let mut places = Vec::with_capacity(partitions.len());
            for (topic, partition) in partitions {
                let place = self.place(&topic, partition).await?;
                self.note(&topic, partition, place);
                places.push(place.map_or(Place::Unknown, Place::Stored));
            }
            Ok(places)
        }
        .boxed()
    }
}

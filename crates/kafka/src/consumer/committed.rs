//! Where the group has committed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use millrace_domain::{Backoff, Done, ErrorClass};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::task::TaskTracker;

use super::context::Context;
use super::resume::{Place, Places, Resume};
use crate::error::{KafkaFailure, class_of};
use crate::patience;

/// How long one question waits for an answer, and a client that closes for the question.
const ANSWER: Duration = Duration::from_secs(2);

/// Delays between questions. A transaction that died while it committed is settled when its time is over.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(2) };

/// See the module's text.
pub(super) struct OfGroup {
    client: Arc<StreamConsumer<Context>>,
    /// Questions under way: they block their caller, and the client must not close before they end.
    questions: TaskTracker,
}

impl OfGroup {
    /// Questions are tracked by `questions`.
    pub(super) fn new(client: &Arc<StreamConsumer<Context>>, questions: &TaskTracker) -> Self {
        Self { client: Arc::clone(client), questions: questions.clone() }
    }

    async fn ask(&self, partitions: Vec<(String, i32)>) -> KafkaResult<Vec<Place>> {
        let client = Arc::clone(&self.client);
        let answer = self.questions.spawn_blocking(move || committed(&client, &partitions)).await;
        answer.unwrap_or(Err(KafkaError::Canceled))
    }
}

impl Resume for OfGroup {
    fn places(&self, partitions: Vec<(String, i32)>) -> Places<'_> {
        async move {
            for attempt in 1.. {
                let error = match self.ask(partitions.clone()).await {
                    Ok(places) => return Ok(places),
                    Err(error) => error,
                };
                if error.rdkafka_error_code().is_some_and(|code| class_of(code) == ErrorClass::Fatal) {
                    return Err(KafkaFailure::Call { action: "reading the group's offsets", source: error }.into());
                }
                let delay = BACKOFF.delay(attempt, None, &mut rand::rng());
                tracing::warn!(%error, ?delay, "cannot tell yet where the group has committed, asking again");
                tokio::time::sleep(delay).await;
            }
            Ok(Vec::new())
        }
        .boxed()
    }
}

/// Asks for offsets whose commits are settled.
fn committed(client: &StreamConsumer<Context>, partitions: &[(String, i32)]) -> KafkaResult<Vec<Place>> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    let answer = patience::ask(ANSWER, |left| client.committed_offsets(list.clone(), left))?;
    let place = |(topic, partition): &(String, i32)| {
        let Some(element) = answer.find_partition(topic, *partition) else { return Ok(Place::Unknown) };
        element.error()?;
        let Offset::Offset(offset) = element.offset() else { return Ok(Place::Unknown) };
        let done = Done::read(offset, element.metadata()).unwrap_or_else(|error| {
            tracing::warn!(topic, partition, %error, "passing it over");
            Done::below(offset)
        });
        Ok(Place::Committed(done))
    };
    partitions.iter().map(place).collect()
}

//! Start offsets from the group's committed offsets.

use std::sync::Arc;
use std::time::Duration;

use crate::offset_map::CompletedOffsets;
use futures_util::FutureExt as _;
use millrace_domain::record_count::read_metadata;
use millrace_domain::{Backoff, ErrorClass};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::task::TaskTracker;

use crate::context::Context;
use crate::start_offsets::{OffsetSource, StartOffset, StartOffsets};
use millrace_kafka::error::{ClientError, KafkaError, class_of};
use millrace_kafka::retry;

/// How long one query may take, and a closing client waits for it.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Delays between queries. Offsets of a transaction whose producer died are stable once it timed out.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(2) };

/// The group coordinator as the source of start offsets.
pub(crate) struct GroupOffsetSource {
    client: Arc<StreamConsumer<Context>>,
    /// Queries under way: they block their caller, and the client must not close before they end.
    queries: TaskTracker,
}

impl GroupOffsetSource {
    /// Queries are tracked by `queries`.
    pub(crate) fn new(client: &Arc<StreamConsumer<Context>>, queries: &TaskTracker) -> Self {
        Self { client: Arc::clone(client), queries: queries.clone() }
    }

    async fn fetch(&self, partitions: Vec<(String, i32)>) -> KafkaResult<Vec<StartOffset>> {
        let client = Arc::clone(&self.client);
        let answer = self.queries.spawn_blocking(move || committed(&client, &partitions)).await;
        answer.unwrap_or(Err(RdKafkaError::Canceled))
    }
}

impl OffsetSource for GroupOffsetSource {
    fn start_offsets(&self, partitions: Vec<(String, i32)>) -> StartOffsets<'_> {
        async move {
            for attempt in 1.. {
                let error = match self.fetch(partitions.clone()).await {
                    Ok(offsets) => return Ok(offsets),
                    Err(error) => error,
                };
                if error.rdkafka_error_code().is_some_and(|code| class_of(code) == ErrorClass::Fatal) {
                    return Err(KafkaError::call("reading the group's offsets")(error).into());
                }
                let delay = BACKOFF.delay(attempt, None, &mut rand::rng());
                let error = ClientError(error);
                tracing::warn!(%error, ?delay, "fetching the group's committed offsets failed, retrying");
                tokio::time::sleep(delay).await;
            }
            Ok(Vec::new())
        }
        .boxed()
    }
}

/// Fetches committed offsets that are stable (no transaction that commits them is open).
fn committed(client: &StreamConsumer<Context>, partitions: &[(String, i32)]) -> KafkaResult<Vec<StartOffset>> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    let answer = retry::until_final(QUERY_TIMEOUT, |left| client.committed_offsets(list.clone(), left))?;
    let start = |(topic, partition): &(String, i32)| {
        let Some(element) = answer.find_partition(topic, *partition) else { return Ok(StartOffset::Unknown) };
        element.error()?;
        let Offset::Offset(offset) = element.offset() else { return Ok(StartOffset::Unknown) };
        let (records, done) = read_metadata(offset, element.metadata());
        let done = CompletedOffsets::read(offset, done).unwrap_or_else(|error| {
            tracing::warn!(topic, partition, %error, "ignoring unrecognized commit metadata");
            CompletedOffsets::below(offset)
        });
        Ok(StartOffset::Committed { done, records })
    };
    partitions.iter().map(start).collect()
}

//! The ends of partitions, for the lag.
//!
//! Each fetch tells the client the end of its partition. What is paused, or not polled because too much is in flight, is
//! not fetched: its end is asked for, or the lag would stand still while it grows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::known_end;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::task::TaskTracker;

use crate::context::Context;
use crate::query::Query;

/// How long a query may take, and a closing client waits for it.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// From one query to the next.
const QUERY_INTERVAL: Duration = Duration::from_secs(5);

/// The ends that fetches and queries have told.
pub(crate) struct PartitionEnds {
    client: Arc<StreamConsumer<Context>>,
    query: Query<KafkaResult<TopicPartitionList>>,
    answers: HashMap<(String, i32), i64>,
}

impl PartitionEnds {
    pub(crate) fn new(client: &Arc<StreamConsumer<Context>>, queries: &TaskTracker) -> Self {
        Self { client: Arc::clone(client), query: Query::new(queries, QUERY_INTERVAL), answers: HashMap::new() }
    }

    /// The end of a partition; `None` where neither a fetch nor a query has told it.
    pub(crate) fn of(&self, topic: &str, partition: i32) -> Option<i64> {
        let asked = self.answers.get(&(topic.to_owned(), partition)).copied();
        asked.max(known_end(&*self.client, topic, partition))
    }

    /// Asks for the ends of these partitions, unless that was done a moment ago. The answer counts from a later call on.
    pub(crate) fn ask(&mut self, mut partitions: TopicPartitionList) {
        self.take_answer();
        if !self.query.is_due() || partitions.count() == 0 {
            return;
        }
        let client = Arc::clone(&self.client);
        // ListOffsets takes the end in place of a timestamp.
        self.query.ask(move || {
            partitions.set_all_offsets(Offset::End)?;
            client.offsets_for_times(partitions, QUERY_TIMEOUT)
        });
    }

    /// Fetches tell the ends again.
    pub(crate) fn forget(&mut self) {
        self.answers.clear();
    }

    fn take_answer(&mut self) {
        // Where the broker did not answer, the next query may.
        let Some(Ok(ends)) = self.query.take_answer() else { return };
        self.answers = ends
            .elements()
            .iter()
            .filter_map(|end| match end.offset() {
                Offset::Offset(offset) => Some(((end.topic().to_owned(), end.partition()), offset)),
                _ => None,
            })
            .collect();
    }
}

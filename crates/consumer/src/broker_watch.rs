//! Whether the client reaches a broker.

use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::{KafkaSettings, Rebootstrap};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use tokio_util::task::TaskTracker;

use crate::context::Context;
use crate::options::Subscription;
use crate::query::Query;

/// How long a query may take, and a closing client waits for it.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// From one query to the next.
const QUERY_INTERVAL: Duration = Duration::from_secs(15);

/// Asks for a topic's metadata now and then: a client that has lost all brokers shows no error, and would neither poll
/// nor join again.
pub(crate) struct BrokerWatch {
    client: Arc<StreamConsumer<Context>>,
    topic: Option<String>,
    rebootstrap: Arc<Rebootstrap>,
    query: Query<()>,
}

impl BrokerWatch {
    pub(crate) fn new(
        client: &Arc<StreamConsumer<Context>>,
        queries: &TaskTracker,
        kafka: &KafkaSettings,
        subscription: &Subscription,
    ) -> Self {
        Self {
            client: Arc::clone(client),
            topic: subscription.topics.first().cloned(),
            rebootstrap: Arc::new(Rebootstrap::new(&kafka.bootstrap_servers)),
            query: Query::new(queries, QUERY_INTERVAL),
        }
    }

    /// Asks, where that is due, and gives a client without an answer its bootstrap servers again.
    pub(crate) fn tick(&mut self) {
        let _ = self.query.take_answer();
        if let Some(topic) = self.topic.clone().filter(|_| self.query.is_due()) {
            let (client, rebootstrap) = (Arc::clone(&self.client), Arc::clone(&self.rebootstrap));
            self.query.ask(move || {
                if client.fetch_metadata(Some(&topic), QUERY_TIMEOUT).is_err() {
                    rebootstrap.run(client.client());
                }
            });
        }
    }
}

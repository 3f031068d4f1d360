//! The source of `GET /get_status`: it connects on the first query, which most environments never get.

use millrace_edge::{BoxFuture, Status, StatusSource};
use millrace_kafka::KafkaSettings;
use millrace_kafka::admin::AdminClient;
use tokio::sync::OnceCell;

/// An admin client that connects on the first query.
#[derive(Debug)]
pub(crate) struct OnDemand {
    kafka: KafkaSettings,
    cluster: OnceCell<AdminClient>,
}

impl OnDemand {
    pub(crate) fn new(mut kafka: KafkaSettings) -> Self {
        // As the producer's: after a thaw old connections may be dead without a reset.
        let overrides = [("connections.max.idle.ms", "5000"), ("socket.timeout.ms", "2500")];
        kafka.overrides.extend(overrides.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Self { kafka, cluster: OnceCell::new() }
    }
}

impl StatusSource for OnDemand {
    fn status(&self) -> BoxFuture<'_, Status> {
        Box::pin(async move {
            match self.cluster.get_or_try_init(async || AdminClient::new(&self.kafka)).await {
                Ok(cluster) => cluster.status().await,
                Err(error) => {
                    tracing::error!(%error, "creating the admin client failed, status is degraded");
                    Status { status: "degraded", ..Status::default() }
                }
            }
        })
    }
}

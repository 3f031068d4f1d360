//! A fatal producer error ends its execution environment.

use std::time::Duration;

use millrace_testkit::wait::eventually;
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::fixture::{function, json, notification, send};

/// The next environment answers.
#[tokio::test]
async fn a_fatal_producer_error_replaces_the_environment() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("notifications", 1, 1).unwrap();
    // Without authorization an idempotent producer has a fatal error.
    let refusal = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED];
    cluster.request_errors(RDKafkaApiKey::InitProducerId, &refusal);
    let lambda = function().variable("KAFKA_BOOTSTRAP_SERVERS", cluster.bootstrap_servers()).environments(1).deploy();

    // There is no response where the process exits before it receives the event.
    let (request, _) = notification();
    let event = millrace_testkit::lambda::event::http_api(&request, "$default");
    if let Ok(payload) = lambda.invoke(&event).await {
        let answer = millrace_testkit::lambda::read_answer(&payload).unwrap();
        assert!(answer.status().is_server_error(), "{}", json(&answer));
    }
    eventually(Duration::from_secs(10), "its environment has ended", async || {
        lambda.environments().is_empty().then_some(())
    })
    .await;
    assert_eq!(send(&lambda, &request).await.status(), 200);
}

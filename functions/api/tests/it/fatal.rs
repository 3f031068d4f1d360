//! A producer that cannot recover takes its sandbox with it.

use std::time::Duration;

use millrace_testkit::wait::eventually;
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::fixture::{function, json, notification, send};

#[tokio::test]
async fn an_environment_whose_producer_fails_for_good_ends_and_the_next_one_answers() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("notifications", 1, 1).unwrap();
    // A producer that may not be idempotent gives up for good.
    let refusal = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED];
    cluster.request_errors(RDKafkaApiKey::InitProducerId, &refusal);
    let lambda = function().variable("KAFKA_BOOTSTRAP_SERVERS", cluster.bootstrap_servers()).environments(1).deploy();

    // Where the process ends before the event has reached it, there is no answer.
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
